"""What a drafter may be expected to achieve in a cell, from all cells that it was seen in.

The log-odds of a draft's being accepted are modelled as mean + effect of the language + of the task + of endpoint and
thinking + what is the cell's own. Each part is shrunk towards nothing by how little was seen of it, so that a language
seen twice a day borrows from its parents: what the drafter does in other languages, and what it does in this one at
other tasks. This is a mixed model with known variances, fitted by backfitting (Hastie and Tibshirani, Generalized
Additive Models, 1990).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serve.routing.belief import Belief
from serve.routing.cell import Cell

# Variances in squared log-odds, assumed, wide enough to be overruled by a few requests. Published shares of a drafter's
# accepted drafts lie 2.1 apart in log-odds between English and Chinese (23 % and 3.5 %, a DGX Spark's EAGLE-3), 1.6
# between prose and JSON (31 % and 8 %), 1.5 with thinking on and off (25 % and 60 %, z-lab/dflash#133).
_ROOT = 0.5
LANGUAGES_DIFFER, TASKS_DIFFER = 1.5, 1.0
_EFFECTS = (LANGUAGES_DIFFER, TASKS_DIFFER, 0.5)  # the last is of endpoint and thinking
_OWN = 0.05
_SWEEPS = 4  # of backfitting

Parts = tuple[str, str, tuple[str, bool]]
_Row = tuple[Parts, float, float]  # a cell's parts, its precision, its mean above what was assumed
_Effects = tuple[dict[object, float], ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One level of one factor: `pull` is the sum of precision times residual over the cells that have it."""

    pull: float = 0.0
    precision: float = 0.0

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
    """The fitted parts of one drafter's log-odds; `assumed` is its mean before anything was seen."""

    assumed: float
    root: _Part
    effects: tuple[Mapping[object, _Part], ...]
    own: Mapping[Cell, _Own]

    def expect(self, cell: Cell) -> Belief:
        """Say what the parents of a cell let expect in it, without what was seen in the cell itself."""
        own = self.own.get(cell, _NOTHING)
        known = self.root.precision - own.precision + 1 / _ROOT
        mean, variance = self.assumed + (self.root.pull - own.root * own.precision) / known, 1 / known + _OWN
        for level, name, left, spread in zip(self.effects, parts_of(cell), own.effects, _EFFECTS, strict=True):
            if part := level.get(name):  # written out, since a request waits for it in a cell that nobody asked in yet
                known = part.precision - own.precision + 1 / spread
                mean += (part.pull - left * own.precision) / known
                variance += 1 / known
            else:
                variance += spread
        return Belief(mean, variance)


_NOTHING = _Own(0.0, 0.0, (0.0,) * len(_EFFECTS))


def parts_of(cell: Cell) -> Parts:
    """Name the level that a cell has of each factor: zh-Hans and zh-Hant are one language here, and two cells."""
    return cell.language.partition("-")[0], cell.task, (cell.endpoint, cell.thinking)


def fit(seen: Mapping[Cell, Belief], assumed: float) -> Pool:
    """Fit the parts to what was seen in each cell."""
    rows = [(parts_of(cell), _precision(sight), sight.mean - assumed) for cell, sight in seen.items()]
    root, effects = 0.0, tuple[dict[object, float], ...]({} for _ in _EFFECTS)
    for _ in range(_SWEEPS):
        root = _sum((row[1], _left(row, 0.0, effects)) for row in rows).belief(_ROOT).mean
        for factor, variance in enumerate(_EFFECTS):
            levels = _levels(rows, factor, root, effects)
            effects[factor].update({level: part.belief(variance).mean for level, part in levels.items()})
    return Pool(
        assumed,
        _sum((row[1], _left(row, 0.0, effects)) for row in rows),
        tuple(_levels(rows, factor, root, effects) for factor in range(len(_EFFECTS))),
        {cell: _own(row, root, effects) for cell, row in zip(seen, rows, strict=True)},
    )


def _precision(sight: Belief) -> float:
    """How much a cell's mean says of its parents: not more than the cell's own peculiarity lets it."""
    return 1 / (sight.variance + _OWN)


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
