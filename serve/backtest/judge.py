"""Estimates the tokens a second of policies that weren't asked, from answers whose propensities are known.

An answer counts for a policy if the policy would have taken its lane, and for as many as the inverse of how likely that
lane was (self-normalised importance sampling: Swaminathan and Joachims, 2015). Answers in which a policy's lane
couldn't have been drawn say nothing of it, so policies are compared where all of them could.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from serve.backtest.log import Entry
from serve.routing.cell import Cell

Choice = Callable[[Cell], str | None]
"""The lane that a policy takes in a cell; None is whatever was drawn."""

_DRAWS = 400
_TAIL = 0.025  # of the bootstrap's draws beyond either end of a 95 % interval


@dataclass(frozen=True, slots=True)
class Verdict:
    """A policy's tokens a second with its 95 % interval, None where nothing tells of it.

    `gain` is its rate over that of the first policy, with its own interval; `answers` is how many independent answers
    the estimate is worth (Kish's effective sample size).
    """

    policy: str
    rate: float | None
    low: float | None
    high: float | None
    gain: tuple[float, float, float] | None
    answers: float


@dataclass(frozen=True, slots=True)
class Row:
    """What one answer adds to each policy: weight, weight x tokens, weight x seconds."""

    weights: tuple[float, ...]
    tokens: int
    seconds: float


def comparable(entries: Sequence[Entry], policies: Mapping[str, Choice]) -> list[Entry]:
    """Keep the answers in which every policy's lane could have been drawn."""
    return [
        entry
        for entry in entries
        if all(
            (lane := choice(entry.cell)) is None or entry.propensities.get(lane, 0.0) > 0
            for choice in policies.values()
        )
    ]


def judge(entries: Sequence[Entry], policies: Mapping[str, Choice], rng: random.Random) -> list[Verdict]:
    """Estimate every policy over the answers that `comparable` keeps, against the first of them."""
    rows = [_row(entry, policies) for entry in comparable(entries, policies)]
    drawn = [_rates([rows[int(rng.random() * len(rows))] for _ in rows], len(policies)) for _ in range(_DRAWS)]
    rates = _rates(rows, len(policies))
    return [_verdict(index, name, rates, drawn, rows) for index, name in enumerate(policies)]


def _row(entry: Entry, policies: Mapping[str, Choice]) -> Row:
    weights = []
    for choice in policies.values():
        lane = choice(entry.cell)
        taken = lane == entry.lane
        weights.append(1.0 if lane is None else 1 / entry.propensities[lane] if taken else 0.0)
    return Row(tuple(weights), entry.tokens, entry.seconds)


def _rates(rows: Sequence[Row], number: int) -> list[float | None]:
    tokens, seconds = [0.0] * number, [0.0] * number
    for row in rows:
        for index, weight in enumerate(row.weights):
            if weight:
                tokens[index] += weight * row.tokens
                seconds[index] += weight * row.seconds
    return [done / spent if spent else None for done, spent in zip(tokens, seconds, strict=True)]


def _verdict(
    index: int, name: str, rates: list[float | None], drawn: list[list[float | None]], rows: Sequence[Row]
) -> Verdict:
    rate, first = rates[index], rates[0]
    low, high = interval([each[index] for each in drawn])
    gains = [of / to if (of := each[index]) and (to := each[0]) else None for each in drawn]
    least, most = interval(gains)
    gain = (rate / first, least, most) if rate and first and least is not None and most is not None else None
    weights = [row.weights[index] for row in rows]
    squares = sum(weight**2 for weight in weights)
    return Verdict(name, rate, low, high, gain, sum(weights) ** 2 / squares if squares else 0.0)


def interval(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Give the ends of the middle 95 % of what a bootstrap drew; None where it drew nothing."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None, None
    return known[int(_TAIL * len(known))], known[int((1 - _TAIL) * (len(known) - 1))]
