"""Judges policies by a trace whose truth is known: what every request would have taken on every lane.

`polydraft sim --trace` writes such traces. Nothing has to be inferred here: each policy's time is added up, and the
oracle's, who takes the fastest lane of every request in its own company.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from serve.backtest.judge import Choice, interval
from serve.routing.cell import Cell

_DRAWS = 400


@dataclass(frozen=True, slots=True)
class Known:
    """One request: its cell, the lane that it got, its tokens, the seconds that they take on each lane."""

    cell: Cell
    lane: str
    tokens: int
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy's tokens a second, its share of the oracle's, its gain over the first policy; each with its interval."""

    policy: str
    rate: tuple[float, float, float]
    oracle: tuple[float, float, float]
    gain: tuple[float, float, float]


def read(lines: Iterable[str]) -> tuple[Known, ...]:
    """Read a trace; what isn't a line of one is left out, so that of an access log nothing is left. Never raises."""
    found = []
    for line in lines:
        try:
            told = json.loads(line)
            seconds = {str(lane): float(each) for lane, each in told["seconds"].items()}
            cell = Cell(str(told["language"]), str(told["task"]), told["endpoint"], bool(told["thinking"]))
            lane, tokens = str(told["lane"]), int(told["tokens"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
        if tokens > 0 and lane in seconds and all(0 < each < float("inf") for each in seconds.values()):
            found.append(Known(cell, lane, tokens, seconds))
    return tuple(found)


def written(known: Known) -> str:
    """Write one line of a trace."""
    cell = known.cell._asdict()
    return json.dumps({**cell, "lane": known.lane, "tokens": known.tokens, "seconds": dict(known.seconds)})


def judge(requests: Sequence[Known], policies: Mapping[str, Choice], rng: random.Random) -> list[Standing]:
    """Hold every policy against the oracle and the first policy; intervals are the bootstrap's over requests."""
    rows = [_row(each, policies) for each in requests]
    whole = _sums(rows)
    drawn = [_sums([rows[int(rng.random() * len(rows))] for _ in rows]) for _ in range(_DRAWS)]

    def with_interval(figure: Callable[[Sequence[float]], float]) -> tuple[float, float, float]:
        low, high = interval([figure(sums) for sums in drawn])
        return figure(whole), low or 0.0, high or 0.0

    return [
        Standing(
            name,
            with_interval(lambda sums, at=index: sums[0] / sums[2 + at]),  # type: ignore[misc]
            with_interval(lambda sums, at=index: sums[1] / sums[2 + at]),  # type: ignore[misc]
            with_interval(lambda sums, at=index: sums[2] / sums[2 + at]),  # type: ignore[misc]
        )
        for index, name in enumerate(policies)
    ]


def _row(request: Known, policies: Mapping[str, Choice]) -> tuple[float, ...]:
    """Give a request's tokens, the oracle's seconds, and each policy's."""
    taken = [request.seconds[choice(request.cell) or request.lane] for choice in policies.values()]
    return (float(request.tokens), min(request.seconds.values()), *taken)


def _sums(rows: Sequence[tuple[float, ...]]) -> list[float]:
    return [sum(column) for column in zip(*rows, strict=True)]
