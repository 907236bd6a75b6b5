"""What a drafter may be expected to achieve in a cell, from all cells that it was seen in.

Acceptance length is modelled as mean + effect of the language + of the task + of endpoint and thinking + what is the
cell's own. Each part is shrunk towards nothing by how little was seen of it, so that a language seen twice a day
borrows from its parents: what the drafter does in other languages, and what it does in this one at other tasks. This
is a mixed model with known variances, fitted by backfitting (Hastie and Tibshirani, Generalized Additive Models, 1990).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serve.routing.cell import Cell
from serve.routing.moments import Moments

# Variances in squared tokens a step, assumed, wide enough to be overruled by a few requests: published acceptance
# lengths of one drafter lie up to 3.1 apart between languages (z-lab/dflash#7).
BETWEEN_REQUESTS = 0.16
"""Of requests in one cell, where few were seen: a standard deviation of 0.4."""
_WORTH = 4.0  # requests that this assumption counts for
_ROOT = 0.5
_EFFECTS = (0.5, 0.35, 0.15)  # language, task, endpoint and thinking
_OWN = 0.1
_SWEEPS = 4  # of backfitting; what is left after the fourth is below a hundredth of a token

Parts = tuple[str, str, tuple[str, bool]]
_Row = tuple[Parts, float, float]  # a cell's parts, its precision, its mean above what was assumed
_Effects = tuple[dict[object, float], ...]


@dataclass(frozen=True, slots=True)
class Belief:
    """A number that isn't known for sure: its mean, and the variance of where it may lie."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class _Part:
    """One level of one factor: `pull` is the sum of precision times residual over the cells that have it."""

    pull: float = 0.0
    precision: float = 0.0

    def without(self, residual: float, precision: float) -> "_Part":
        return _Part(self.pull - residual * precision, max(0.0, self.precision - precision)) if precision else self

    def belief(self, variance: float) -> Belief:
        precision = self.precision + 1 / variance
        return Belief(self.pull / precision, 1 / precision)


@dataclass(frozen=True, slots=True)
class _Own:
    """What one cell says of its parents: its precision, and what it left over for the root and for each effect."""

    precision: float
    root: float
    effects: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """The fitted parts of one drafter's acceptance length; `assumed` is its mean before anything was seen."""

    assumed: float
    root: _Part
    effects: tuple[Mapping[object, _Part], ...]
    own: Mapping[Cell, _Own]

    def expect(self, cell: Cell) -> Belief:
        """Say what the parents of a cell let expect in it, without what was seen in the cell itself."""
        own = self.own.get(cell, _NOTHING)
        root = self.root.without(own.root, own.precision).belief(_ROOT)
        mean, variance = self.assumed + root.mean, root.variance + _OWN
        for level, part, left, spread in zip(self.effects, parts_of(cell), own.effects, _EFFECTS, strict=True):
            effect = level.get(part, _UNSEEN).without(left, own.precision).belief(spread)
            mean += effect.mean
            variance += effect.variance
        return Belief(mean, variance)


_UNSEEN = _Part()
_NOTHING = _Own(0.0, 0.0, (0.0,) * len(_EFFECTS))


def parts_of(cell: Cell) -> Parts:
    """Name the level that a cell has of each factor: zh-Hans and zh-Hant are one language here, and two cells."""
    return cell.language.partition("-")[0], cell.task, (cell.endpoint, cell.thinking)


def fit(seen: Mapping[Cell, Moments], assumed: float) -> Pool:
    """Fit the parts to what was seen in each cell (acceptance lengths, aged alike)."""
    rows = [
        (parts_of(cell), _precision(moments), moments.mean - assumed)
        for cell, moments in seen.items()
        if moments.weight > 0
    ]
    root, effects = 0.0, tuple[dict[object, float], ...]({} for _ in _EFFECTS)
    for _ in range(_SWEEPS):
        root = _sum((row[1], _left(row, 0.0, effects)) for row in rows).belief(_ROOT).mean
        for factor, variance in enumerate(_EFFECTS):
            levels = _levels(rows, factor, root, effects)
            effects[factor].update({level: part.belief(variance).mean for level, part in levels.items()})
    cells = [cell for cell, moments in seen.items() if moments.weight > 0]
    return Pool(
        assumed,
        _sum((row[1], _left(row, 0.0, effects)) for row in rows),
        tuple(_levels(rows, factor, root, effects) for factor in range(len(_EFFECTS))),
        {cell: _own(row, root, effects) for cell, row in zip(cells, rows, strict=True)},
    )


def posterior(prior: Belief, seen: Moments) -> Belief:
    """Join what was expected of a cell with what was seen in it."""
    if seen.weight <= 0:
        return prior
    return joined(prior, Belief(seen.mean, spread(seen) / seen.weight))


def joined(one: Belief, other: Belief) -> Belief:
    """Join two independent beliefs of the same number."""
    total = 1 / one.variance + 1 / other.variance
    return Belief((one.mean / one.variance + other.mean / other.variance) / total, 1 / total)


def spread(seen: Moments) -> float:
    """Estimate the variance between requests of one cell."""
    return seen.variance(BETWEEN_REQUESTS, _WORTH)


def _precision(moments: Moments) -> float:
    """How much a cell's mean says of its parents: not more than the cell's own peculiarity lets it."""
    return 1 / (spread(moments) / moments.weight + _OWN)


def _levels(rows: Sequence[_Row], factor: int, root: float, effects: _Effects) -> dict[object, _Part]:
    found: dict[object, list[tuple[float, float]]] = {}
    for row in rows:
        found.setdefault(row[0][factor], []).append((row[1], _left(row, root, effects, but=factor)))
    return {level: _sum(residuals) for level, residuals in found.items()}


def _own(row: _Row, root: float, effects: _Effects) -> _Own:
    lefts = tuple(_left(row, root, effects, but=factor) for factor in range(len(_EFFECTS)))
    return _Own(row[1], _left(row, 0.0, effects), lefts)


def _left(row: _Row, root: float, effects: _Effects, but: int = -1) -> float:
    """What a cell's mean leaves over once the root and all effects, or all but one, are taken off."""
    parts, _, left = row
    left -= root
    for factor, part in enumerate(parts):
        if factor != but:
            left -= effects[factor].get(part, 0.0)
    return left


def _sum(weighted: Iterable[tuple[float, float]]) -> _Part:
    pull = precision = 0.0
    for each, residual in weighted:
        pull += each * residual
        precision += each
    return _Part(pull, precision)
