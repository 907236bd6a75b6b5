"""What was learned, as plain sums that routers can add to one another's.

A weight that halves every half-life is written as what it would count for at a fixed time, by as much more as it is
later (forward decay: Cormode et al., 2009). So sums of different routers and times add up, and age by themselves.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serve.routing.cell import Cell
from serve.routing.ledger import State
from serve.routing.moments import Moments
from serve.routing.step_time import SIZE, Sums

Fields = dict[str, float]
"""Sums by name; a name is a JSON list: kind, lane, what the sum is of."""

_NOTHING = 1e-9  # of a request, below which rounding is all that is left
_MOMENTS = ("weight", "sum", "squares")


class Unsound(Exception):
    """What is kept isn't what a ledger's sums are."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much more what is seen at a time counts than what was seen at `since`, in seconds of one clock."""

    since: float
    half_life: float

    def at(self, now: float) -> float:
        """Give the factor; a difference of 1,000 half-lives is as much as a number holds."""
        factor: float = 2.0 ** min(1000.0, (now - self.since) / self.half_life)
        return factor

    def age(self, now: float) -> float:
        """Give the half-lives that have passed."""
        return (now - self.since) / self.half_life


def lane_of(name: str) -> str:
    """Give the lane that a sum is of; empty for what isn't a lane's. Raises Unsound."""
    return str(_parts(name)[1])


def written(state: State, scale: Scale) -> Fields:
    """Write a state as sums."""
    fields: Fields = {}
    for (lane, cell), moments in state.acceptance.items():
        _write(fields, ("acceptance", lane, *cell), moments, scale)
    for cell, (context, answer) in state.sizes.items():
        _write(fields, ("context", "", *cell), context, scale)
        _write(fields, ("answer", "", *cell), answer, scale)
    for lane, sums in state.steps.items():
        factor = scale.at(sums.at)
        row = (sums.weight, sums.squares, *sums.xy, *(each for column in sums.xx for each in column))
        fields |= {json.dumps(["steps", lane, index]): each * factor for index, each in enumerate(row)}
    return fields


def _write(fields: Fields, where: tuple[object, ...], moments: Moments, scale: Scale) -> None:
    factor = scale.at(moments.at)
    weight = moments.weight * factor
    sums = (weight, weight * moments.mean, moments.squares * factor + weight * moments.mean**2)
    fields |= {json.dumps([*where, part]): each for part, each in zip(_MOMENTS, sums, strict=True)}


def read(fields: Mapping[str, float], scale: Scale, now: float) -> State:
    """Read sums as a state, as it counts now. Raises Unsound for what can't be a ledger's."""
    factor = scale.at(now)
    moments: dict[tuple[str, str, Cell], dict[str, float]] = defaultdict(dict)
    steps: dict[str, dict[int, float]] = defaultdict(dict)
    for name, value in fields.items():
        if not math.isfinite(value):
            raise Unsound(f"{name[:200]} isn't a number")
        kind, lane, *where, part = _parts(name)
        if kind == "steps" and isinstance(part, int):
            steps[lane][part] = value / factor
        elif kind in ("acceptance", "context", "answer") and len(where) == len(Cell._fields) and part in _MOMENTS:
            moments[kind, lane, Cell(*where)][part] = value / factor
        else:
            raise Unsound(f"{name[:200]} isn't a sum of a ledger")
    told = {where: found for where, sums in moments.items() if (found := _moments(sums, now))}
    acceptance = {(lane, cell): each for (kind, lane, cell), each in told.items() if kind == "acceptance"}
    contexts = {cell: each for (kind, _, cell), each in told.items() if kind == "context"}
    answers = {cell: each for (kind, _, cell), each in told.items() if kind == "answer"}
    sizes = {cell: (contexts[cell], answers[cell]) for cell in contexts.keys() & answers.keys()}
    return State(acceptance, {lane: seen for lane, row in steps.items() if (seen := _steps(row, now))}, sizes)


def _moments(sums: Mapping[str, float], now: float) -> Moments | None:
    weight = sums.get("weight", 0.0)
    if weight < _NOTHING:
        return None
    mean = sums.get("sum", 0.0) / weight
    return Moments(weight, mean, max(0.0, sums.get("squares", 0.0) - weight * mean**2), now)


def _steps(row: Mapping[int, float], now: float) -> Sums | None:
    if row.get(0, 0.0) < _NOTHING:
        return None
    numbers = [row.get(index, 0.0) for index in range(2 + SIZE + SIZE**2)]
    matrix = tuple(tuple(numbers[2 + SIZE + SIZE * row : 2 + 2 * SIZE + SIZE * row]) for row in range(SIZE))
    return Sums(numbers[0], matrix, tuple(numbers[2 : 2 + SIZE]), max(0.0, numbers[1]), now)


def _parts(name: str) -> list[Any]:
    try:
        parts = json.loads(name)
    except ValueError:
        parts = None
    if not isinstance(parts, list) or len(parts) < 3 or not all(isinstance(each, str) for each in parts[:2]):
        raise Unsound(f"{name[:200]!r} isn't a sum of a ledger")
    return parts
