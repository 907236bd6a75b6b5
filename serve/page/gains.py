"""How much faster a lane was than no drafter in the same language, and how sure that is. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from serve.page.view import Sums
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.policy import ANY, Candidate, Table, candidates_of

Source = Literal["measured", "table"]

_T90 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81)
"""Student's t that 90 % lie within, for one degree of freedom and more; beyond the last it is 1.645 + 1.6 / degrees."""


@dataclass(frozen=True, slots=True)
class Span:
    """A number and its 90 % interval, None before a second request; `source` is that of what it is compared with."""

    value: float
    low: float | None
    high: float | None
    source: Source = "measured"


def rate(sums: Sums) -> Span | None:
    """Give a lane's mean decode rate in tokens a second; None where no answer was timed."""
    if not sums.timed:
        return None
    if sums.error is None:
        return Span(sums.rate, None, None)
    reach = _t(sums.timed - 1) * sums.error
    return Span(sums.rate, sums.rate * max(0.0, 1 - reach), sums.rate * (1 + reach))


def gain(sums: Sums, body: Sums | None, tabled: float | None) -> Span | None:
    """Give a lane's rate over the body's, which is `tabled` (tokens a second) where the body wasn't seen here.

    The quotient of two means is taken for lognormal, with the sum of their relative variances.
    """
    if not sums.timed:
        return None
    if body and body.timed:
        return _quotient(sums, body)
    if not tabled:
        return None
    ratio = sums.rate / tabled
    if sums.error is None:
        return Span(ratio, None, None, "table")
    factor = math.exp(_t(sums.timed - 1) * sums.error)
    return Span(ratio, ratio / factor, ratio * factor, "table")


def tabled(language: str, table: Table) -> dict[str, Candidate]:
    """Give what the table says of every lane for a language, whatever the task; nothing where it has no such row."""
    tags = {language, language.partition("-")[0]} - {ANY}
    named = tuple(row for row in table if row.language in tags and row.task == ANY)
    rows = candidates_of(Cell(language, ANY, "chat", False), named)
    return {candidate.lane: candidate for candidate in rows}


def languages(seen: Mapping[tuple[str, str], Sums], table: Table) -> list[str]:
    """List languages, those with most requests first; then those that the table alone knows."""
    counts: dict[str, int] = {}
    for (language, _), sums in seen.items():
        counts[language] = counts.get(language, 0) + sums.requests
    ordered = sorted(counts, key=lambda language: (-counts[language], language))
    met = {part for language in ordered for part in (language, language.partition("-")[0])}
    return ordered + sorted({row.language for row in table} - met - {ANY})


def speedup(seen: Mapping[tuple[str, str], Sums], lanes: Sequence[Lane], table: Table) -> Span | None:
    """Say how many times as long the answers would have taken without drafter, of those whose lane nobody forced.

    None where nothing can be compared; the source is the table as soon as any of its rates was needed.
    """
    bodies = [lane.name for lane in lanes if not lane.drafts]
    spent = without = 0.0
    source: Source = "measured"
    for (language, _), sums in seen.items():
        if not (sums.chosen_tokens and sums.timed):
            continue
        measured = next((seen[language, body] for body in bodies if (language, body) in seen), None)
        listed = next((known for body in bodies if (known := tabled(language, table).get(body))), None)
        if measured and measured.timed:
            bare = measured.rate
        elif listed and listed.decode_rate:
            bare, source = listed.decode_rate, "table"
        else:
            continue
        spent += sums.chosen_tokens / sums.rate
        without += sums.chosen_tokens / bare
    return Span(without / spent, None, None, source) if spent else None


def _quotient(sums: Sums, body: Sums) -> Span:
    ratio = sums.rate / body.rate
    if sums is body:
        return Span(1.0, None, None)
    if sums.error is None or body.error is None:
        return Span(ratio, None, None)
    factor = math.exp(_t(min(sums.timed, body.timed) - 1) * math.hypot(sums.error, body.error))
    return Span(ratio, ratio / factor, ratio * factor)


def _t(degrees: int) -> float:
    return _T90[degrees - 1] if degrees <= len(_T90) else 1.645 + 1.6 / degrees
