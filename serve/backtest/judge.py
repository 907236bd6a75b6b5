"""Estimates the tokens a second of policies that weren't asked, from answers whose propensities are known.

An answer counts for a policy if the policy would have taken its lane, and for as many as the inverse of how likely that
lane was (self-normalised importance sampling: Swaminathan and Joachims, 2015). Answers in which a policy's lane
couldn't have been drawn say nothing of it, so policies are compared where all of them could, and any two where both.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from serve.backtest.bootstrap import interval, redrawn
from serve.backtest.log import Entry
from serve.routing.cell import Cell

Choice = Callable[[Cell], str | None]
"""The lane that a policy takes in a cell; None is whatever was drawn."""


class Gain(NamedTuple):
    """By how many times a policy is faster than another, with its 95 % interval.

    `answers` is how many independent answers tell of it: of the one of which fewer do.
    """

    value: float
    low: float
    high: float
    answers: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A policy's tokens a second with its 95 % interval, None where nothing tells of it.

    `answers` is how many independent answers the estimate is worth (Kish's effective sample size); `gains` are over the
    first policy and over each lane, without those of which nothing tells.
    """

    policy: str
    rate: float | None
    low: float | None
    high: float | None
    answers: float
    gains: Mapping[str, Gain] = field(default_factory=dict)


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


def judge(entries: Sequence[Entry], policies: Mapping[str, Choice], lanes: Collection[str], seed: int) -> list[Verdict]:
    """Estimate every policy over what `comparable` keeps, and its gains over the first one and each lane."""
    first = next(iter(policies))
    rivals = {first: policies[first], **{lane: _always(lane) for lane in sorted(lanes)}}
    kept = comparable(entries, policies)
    found = []
    for name, choice in policies.items():
        gains = {rival: _gain(entries, choice, other, seed) for rival, other in rivals.items()}
        found.append(_verdict(name, kept, choice, seed, {rival: gain for rival, gain in gains.items() if gain}))
    return found


def _always(lane: str) -> Choice:
    return lambda cell: lane


def _weights(entries: Sequence[Entry], choice: Choice) -> list[float]:
    """Say for how many requests each answer stands if this policy is asked."""
    weights = []
    for entry in entries:
        lane = choice(entry.cell)
        weights.append(1.0 if lane is None else 1 / entry.propensities[lane] if lane == entry.lane else 0.0)
    return weights


def _sums(entries: Sequence[Entry], weights: Sequence[float]) -> list[tuple[float, float]]:
    return [(each * entry.tokens, each * entry.seconds) for entry, each in zip(entries, weights, strict=True)]


def _worth(weights: Sequence[float]) -> float:
    """Give the effective sample size: that of equal weights is their number."""
    squares = sum(weight**2 for weight in weights)
    return sum(weights) ** 2 / squares if squares else 0.0


def _verdict(name: str, kept: Sequence[Entry], choice: Choice, seed: int, gains: Mapping[str, Gain]) -> Verdict:
    weights = _weights(kept, choice)
    worth = _worth(weights)
    if not worth:
        return Verdict(name, None, None, None, 0.0, gains)
    rows = _sums(kept, weights)
    tokens, seconds = np.sum(rows, axis=0)
    drawn = redrawn(rows, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = interval(drawn[:, 0] / drawn[:, 1])
    return Verdict(name, float(tokens / seconds), low, high, worth, gains)


def _gain(entries: Sequence[Entry], choice: Choice, other: Choice, seed: int) -> Gain | None:
    """Hold one policy against another over the answers in which both could have been drawn; None if nothing tells."""
    both = comparable(entries, {"": choice, "other": other})
    ours, theirs = _weights(both, choice), _weights(both, other)
    worth = min(_worth(ours), _worth(theirs))
    if not worth:
        return None
    rows = [(*a, *b) for a, b in zip(_sums(both, ours), _sums(both, theirs), strict=True)]
    tokens, seconds, other_tokens, other_seconds = np.sum(rows, axis=0)
    drawn = redrawn(rows, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = interval(drawn[:, 0] / drawn[:, 1] * drawn[:, 3] / drawn[:, 2])
    return Gain(float(tokens / seconds * other_seconds / other_tokens), low, high, worth)
