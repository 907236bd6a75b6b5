"""How fast a lane was in a language, how much faster than no drafter, and how sure that is. Pure.

What was measured here is only ever compared with what was measured here, and the table's figures with the table's:
another box's speed says nothing of this one's gain. A rate of the table's that stands beside one that was measured is
scaled by a lane that both know, or left out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from serve.page.view import Sums
from serve.page.yardstick import Yardstick
from serve.routing.lane import Lane
from serve.routing.policy import ANY, Candidate, Row, Table

Source = Literal["measured", "table", "scaled"]
"""scaled: what the table says of a lane, by how fast another one was here that the table knows too."""
Seen = Mapping[tuple[str, str], Sums]
"""Sums by language and lane."""

FEWEST = 5
"""Answers below which no interval is given."""
_T90 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81)
"""Student's t that 90 % lie within, for one degree of freedom and more; beyond the last it is 1.645 + 1.6 / degrees."""


@dataclass(frozen=True, slots=True)
class Span:
    """A number with its 90 % interval, None where too few answers would carry one, and the answers it comes from."""

    value: float
    low: float | None = None
    high: float | None = None
    answers: int = 0
    source: Source = "measured"


def bodies(lanes: Iterable[Lane]) -> list[str]:
    """Name the lanes without a drafter, which all others are compared with; the first one that has answers counts."""
    return [lane.name for lane in lanes if not lane.drafts]


def body_of(language: str, lanes: Iterable[Lane], seen: Seen) -> Sums | None:
    """Give what was measured here without a drafter in a language; None if nothing was."""
    found = (seen.get((language, name)) for name in bodies(lanes))
    return next((sums for sums in found if sums and sums.timed), None)


def rate(sums: Sums, listed: Candidate | None = None, scale: float | None = 1.0) -> Span | None:
    """Give a lane's mean decode rate in tokens a second: as measured, else as the table has it, by the row's scale."""
    if sums.timed:
        return around(sums.rate, sums.error, sums.timed)
    if not listed or not listed.decode_rate or scale is None:
        return None
    return Span(listed.decode_rate * scale, source="table" if scale == 1.0 else "scaled")


def scale_of(language: str, lanes: Sequence[Lane], seen: Seen, listed: Mapping[str, Candidate]) -> float | None:
    """Say how many times as fast this machine is in a language as the table has it; 1 where nothing was measured.

    By the first lane that both know, those without a drafter before the others. None where there is none, though
    something was measured: then the table's rates can't stand beside it.
    """
    measured = {lane.name: sums for lane in lanes if (sums := seen.get((language, lane.name))) and sums.timed}
    for lane in sorted(lanes, key=lambda lane: lane.drafts):
        known = listed.get(lane.name)
        if lane.name in measured and known and known.decode_rate:
            return measured[lane.name].rate / known.decode_rate
    return None if measured else 1.0


def length(sums: Sums, listed: Candidate | None = None) -> Span | None:
    """Give a lane's acceptance length: as measured, else as the table has it."""
    if sums.length is None:
        return tabled_span(listed.acceptance_length if listed else None)
    beyond = around(sums.length - 1, sums.length_error, sums.drafts)
    low, high = (None if end is None else 1 + end for end in (beyond.low, beyond.high))
    return Span(sums.length, low, high, sums.drafts)


def gain(sums: Sums, body: Sums | None, listed: Candidate | None, bare: Candidate | None) -> Span | None:
    """Give a lane's rate over that of no drafter; by the table's two rates where not both were measured here.

    The quotient of two means is taken for lognormal, with the sum of their relative variances.
    """
    if body and body.timed and sums.timed:
        if sums is body:
            return Span(1.0, answers=sums.timed)
        errors = None if sums.error is None or body.error is None else math.hypot(sums.error, body.error)
        return around(sums.rate / body.rate, errors, min(sums.timed, body.timed))
    if listed and bare and listed.decode_rate and bare.decode_rate:
        return tabled_span(listed.decode_rate / bare.decode_rate)
    return None


def tabled(language: str, table: Table) -> dict[str, Candidate]:
    """Give what the table says of every lane for a language, whatever the task; nothing where it has no such row."""
    row = row_of(language, table)
    return {candidate.lane: candidate for candidate in row.candidates} if row else {}


def row_of(language: str, table: Table) -> Row | None:
    """Give the table's row for a language, whatever the task; None where it has no such row."""
    rows = {row.language: row for row in table if row.task == ANY and row.language != ANY}
    return rows.get(language) or rows.get(language.partition("-")[0])


def bare_of(lanes: Iterable[Lane], listed: Mapping[str, Candidate]) -> Candidate | None:
    """Give the table's own yardstick: what it says of a lane without a drafter."""
    return next((listed[name] for name in bodies(lanes) if name in listed and listed[name].decode_rate), None)


def languages(seen: Seen, table: Table) -> list[str]:
    """List languages, those with most requests first; then those that the table alone knows.

    One in which every request was refused isn't among them: nothing was ever written in it.
    """
    counts: dict[str, int] = {}
    for (language, _), sums in seen.items():
        if sums.requests > sums.refused:
            counts[language] = counts.get(language, 0) + sums.requests
    ordered = sorted(counts, key=lambda language: (-counts[language], language))
    met = {part for language in ordered for part in (language, language.partition("-")[0])}
    return ordered + sorted({row.language for row in table} - met - {ANY})


def speedup(yardstick: Yardstick, seen: Seen, lanes: Sequence[Lane], table: Table) -> Span | None:
    """Say how many times as long the answers whose lane nobody forced would have taken without a drafter.

    By the table alone where none that had a drafter could be compared here; None where that can't say either.
    """
    picked = yardstick.picked
    if picked.alone and picked.answers == picked.bare:
        return _expected(seen, lanes, table)
    if not picked.answers:
        return None
    found = ((language, body_of(language, lanes, seen)) for language in {language for language, _ in seen})
    spreads = {
        language: body.error * math.sqrt(body.timed) for language, body in found if body and body.error is not None
    }
    return around(picked.without / picked.spent, yardstick.error(spreads), picked.answers)


def _expected(seen: Seen, lanes: Sequence[Lane], table: Table) -> Span | None:
    spent = without = 0.0
    answers = 0
    for (language, lane), sums in seen.items():
        listed = tabled(language, table)
        bare, known = bare_of(lanes, listed), listed.get(lane)
        if sums.chosen_tokens and bare and bare.decode_rate and known and known.decode_rate:
            spent += sums.chosen_tokens / known.decode_rate
            without += sums.chosen_tokens / bare.decode_rate
            answers += sums.chosen
    return Span(without / spent, answers=answers, source="table") if spent else None


def around(value: float, error: float | None, answers: int) -> Span:
    """Give a number with its interval; `error` is its standard error as a share of it, from so many answers.

    The interval is that of the logarithm, so that it never has to be cut off at 0.
    """
    if error is None or answers < FEWEST:
        return Span(value, answers=answers)
    factor = math.exp(_t(answers - 1) * error)
    return Span(value, value / factor, value * factor, answers)


def tabled_span(value: float | None) -> Span | None:
    """Give a number of the table's, which has no interval."""
    return Span(value, source="table") if value else None


def _t(degrees: int) -> float:
    return _T90[degrees - 1] if degrees <= len(_T90) else 1.645 + 1.6 / degrees
