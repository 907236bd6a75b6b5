"""What was learned, as plain sums that routers can add to one another's.

A weight that halves every half-life is written as what it would count for at a fixed time, by as much more as it is
later (forward decay: Cormode et al., 2009). So sums of different routers and times add up, and age by themselves.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serve.routing.cell import Cell
from serve.routing.ledger import State
from serve.routing.moments import Moments
from serve.routing.step_time import SIZE, Sums

Fields = dict[str, float]
"""Sums by name; a name is a JSON list: kind, lane, what the sum is of."""

_NOTHING = 1e-9  # of a request, below which rounding is all that is left
_ROUNDING = 1e-6  # below 0 that a sum of squares may be
_LARGEST = 1e15
"""Beyond which no number of a ledger can be: not even a time since 1970, or the square of a context."""
_ROW = 2 + SIZE + SIZE**2  # numbers of a lane's steps
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
    try:
        return _read(fields, scale.at(now), now)
    except (OverflowError, ZeroDivisionError):
        raise Unsound("its numbers are too large to be counted with") from None


def _read(fields: Mapping[str, float], factor: float, now: float) -> State:
    moments: dict[tuple[str, str, Cell], dict[str, float]] = defaultdict(dict)
    steps: dict[str, dict[int, float]] = defaultdict(dict)
    for name, value in fields.items():
        if not math.isfinite(value):
            raise Unsound(f"{name[:200]} isn't a number")
        kind, lane, *where, part = _parts(name)
        if kind == "steps" and not where and type(part) is int and 0 <= part < _ROW:
            steps[lane][part] = value / factor
        elif kind in ("acceptance", "context", "answer") and _is_cell(where) and part in _MOMENTS:
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
    return sound_moments(Moments(weight, mean, max(0.0, sums.get("squares", 0.0) - weight * mean**2), now))


def _steps(row: Mapping[int, float], now: float) -> Sums | None:
    if row.get(0, 0.0) < _NOTHING:
        return None
    numbers = [row.get(index, 0.0) for index in range(_ROW)]
    for place in (1, *range(2 + SIZE, _ROW, SIZE + 1)):  # squares, which rounding alone brings below 0
        numbers[place] = max(0.0, numbers[place]) if numbers[place] > -_ROUNDING else numbers[place]
    matrix = tuple(tuple(numbers[2 + SIZE + SIZE * row : 2 + 2 * SIZE + SIZE * row]) for row in range(SIZE))
    return sound_steps(Sums(numbers[0], matrix, tuple(numbers[2 : 2 + SIZE]), numbers[1], now))


def sound_moments(seen: Moments) -> Moments:
    """Give moments that can be counted with; raises Unsound for a weight or squares below 0, or what is too large."""
    _check((seen.weight, seen.squares), (seen.mean, seen.at))
    return seen


def sound_steps(seen: Sums) -> Sums:
    """Give a lane's steps if they can be counted with; raises Unsound as `sound_moments`, and for x squared below 0."""
    diagonal = [row[index] for index, row in enumerate(seen.xx)]
    _check((seen.weight, seen.squares, *diagonal), (*seen.xy, *(each for row in seen.xx for each in row), seen.at))
    return seen


def _check(squared: Sequence[float], others: Sequence[float]) -> None:
    if min(squared) < 0:
        raise Unsound("it holds a weight below nothing")
    if not all(abs(each) <= _LARGEST for each in (*squared, *others)):
        raise Unsound("it holds a number that nothing could have come to")


def _is_cell(where: Sequence[object]) -> bool:
    return [type(each) for each in where] == [str, str, str, bool]


def _parts(name: str) -> list[Any]:
    try:
        parts = json.loads(name)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or len(parts) < 3 or not all(isinstance(each, str) for each in parts[:2]):
        raise Unsound(f"{name[:200]!r} isn't a sum of a ledger")
    return parts
