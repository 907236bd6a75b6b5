"""Judges policies by a trace whose truth is known: what every request would have taken on every lane.

`polydraft sim --trace` writes such traces. Nothing has to be inferred here: each policy's time is added up, and the
oracle's, who takes the fastest lane of every request in its own company.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from serve.backtest.bootstrap import Sums, interval, redrawn
from serve.routing.cell import Cell

ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Known:
    """One request: its cell, the lane that it got, its tokens, the seconds that they take on each lane.

    For a policy that learns: how many requests the engine worked on, this one included, the tokens of the prompt, and
    of each lane the acceptance length and how many tokens it drafts.
    """

    cell: Cell
    lane: str
    tokens: int
    seconds: Mapping[str, float]
    batch: int = 1
    prompt_tokens: int = 0
    acceptance_lengths: Mapping[str, float] = field(default_factory=dict)
    draft_tokens: Mapping[str, int] = field(default_factory=dict)


class Measured(NamedTuple):
    """A number and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy's tokens a second, their share of the oracle's, its gains over each lane; each with its interval.

    `regret` is the seconds that it took beyond the oracle's.
    """

    policy: str
    rate: Measured
    oracle: Measured
    regret: Measured
    gains: Mapping[str, Measured]


def read(lines: Iterable[str]) -> tuple[Known, ...]:
    """Read a trace; what isn't a line of one is left out, so that of an access log nothing is left. Never raises."""
    found = []
    for line in lines:
        try:
            known = _known(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            continue
        seconds = known.seconds.values()
        if known.tokens > 0 and known.lane in known.seconds and all(0 < each < float("inf") for each in seconds):
            found.append(known)
    return tuple(found)


def written(known: Known) -> str:
    """Write one line of a trace."""
    told = asdict(known)
    del told["cell"]
    return json.dumps({**known.cell._asdict(), **told})


def judge(requests: Sequence[Known], taken: Mapping[str, Sequence[str]], seed: int) -> list[Standing]:
    """Hold every policy, by the lanes that it took, against the oracle and each lane.

    Intervals are the bootstrap's over requests.
    """
    lanes = sorted(set.intersection(*(set(each.seconds) for each in requests)))
    columns = [[float(each.tokens) for each in requests], [min(each.seconds.values()) for each in requests]]
    columns += [[each.seconds[lane] for each in requests] for lane in lanes]
    columns += [[each.seconds[lane] for each, lane in zip(requests, chosen, strict=True)] for chosen in taken.values()]
    rows = list(zip(*columns, strict=True))
    whole, drawn = np.sum(rows, axis=0)[np.newaxis], redrawn(rows, seed)
    return [_standing(name, whole, drawn, lanes, 2 + len(lanes) + index) for index, name in enumerate(taken)]


def _standing(name: str, whole: Sums, drawn: Sums, lanes: Sequence[str], at: int) -> Standing:
    """Work a policy's numbers out from the sums: of tokens, of the oracle's seconds, of the lanes', of its own."""

    def ratio(above: int) -> Measured:
        return Measured(float(whole[0, above] / whole[0, at]), *interval(drawn[:, above] / drawn[:, at]))

    beyond = Measured(float(whole[0, at] - whole[0, 1]), *interval(drawn[:, at] - drawn[:, 1]))
    return Standing(name, ratio(0), ratio(1), beyond, {lane: ratio(2 + place) for place, lane in enumerate(lanes)})


def _known(told: Mapping[str, Any]) -> Known:
    return Known(
        cell=Cell(str(told["language"]), str(told["task"]), told["endpoint"], bool(told["thinking"])),
        lane=str(told["lane"]),
        tokens=int(told["tokens"]),
        seconds={str(lane): float(each) for lane, each in told["seconds"].items()},
        batch=max(1, int(told.get("batch", 1))),
        prompt_tokens=max(0, int(told.get("prompt_tokens", 0))),
        acceptance_lengths={str(lane): float(each) for lane, each in told.get("acceptance_lengths", {}).items()},
        draft_tokens={str(lane): int(each) for lane, each in told.get("draft_tokens", {}).items()},
    )
