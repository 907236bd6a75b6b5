"""How long a verification pass takes on a lane, by the engine's batch and the length of the context.

The logarithm of a step's time is linear in (1, log2 batch, its square, context). Weights grow with what was seen
(Bayesian linear regression with a normal prior: Bishop, Pattern Recognition and Machine Learning, 2006, 3.3); a lane
begins from what all lanes of the box do, so that it borrows how they slow down under load.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from serve.routing.belief import Belief

SIZE = 4
_NOISE = 0.01
"""Variance between requests of the logarithm: a standard deviation of 10 %, assumed where few were seen."""
_WORTH = 8.0  # requests that this assumption counts for
_CONTEXT = 4096.0  # tokens that are the unit of the context's weight

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]

_ZEROS: Matrix = ((0.0,) * SIZE,) * SIZE
# Assumed before anything was seen: 30 ms a step on an unknown box, give or take a factor of 4.5, and 10 % more a
# doubling of the batch. A lane's own weights lie about those of the box.
_BOX_MEAN: Vector = (math.log(0.03), 0.1, 0.01, 0.05)
_BOX_SPREAD: Vector = (1.5, 0.15, 0.03, 0.1)
_LANE_SPREAD: Vector = (0.6, 0.1, 0.02, 0.05)


@dataclass(frozen=True, slots=True)
class Sums:
    """What was seen of one lane: weighted sums of x xᵀ, of x y and of the squared surprises, y a step's log seconds."""

    weight: float = 0.0
    xx: Matrix = _ZEROS
    xy: Vector = (0.0,) * SIZE
    squares: float = 0.0
    at: float = 0.0

    def aged(self, now: float, half_life: float) -> "Sums":
        """Give what it counts for now: half after each `half_life` seconds."""
        passed = now - self.at
        return self if passed <= 0 else self._times(0.5 ** (passed / half_life), now)

    def capped(self, weight: float) -> "Sums":
        """Give the same with at most this weight: something has changed, and the past counts less."""
        return self if self.weight <= weight else self._times(weight / self.weight, self.at)

    def slower(self, shift: float) -> "Sums":
        """Give the same with every y larger by `shift`; the first of x is 1, so its column is the sum of x."""
        xy = tuple(each + shift * row[0] for each, row in zip(self.xy, self.xx, strict=True))
        return Sums(self.weight, self.xx, xy, self.squares, self.at)

    def plus(self, x: Vector, y: float, weight: float, surprise: float) -> "Sums":
        """Add one request; `surprise` is how far its y lay from what was expected."""
        xx = tuple(
            tuple(each + weight * a * b for each, b in zip(row, x, strict=True))
            for row, a in zip(self.xx, x, strict=True)
        )
        xy = tuple(each + weight * a * y for each, a in zip(self.xy, x, strict=True))
        return Sums(self.weight + weight, xx, xy, self.squares + weight * surprise**2, self.at)

    def joined(self, other: "Sums") -> "Sums":
        """Add what was seen of another lane."""
        xx = tuple(tuple(a + b for a, b in zip(*rows, strict=True)) for rows in zip(self.xx, other.xx, strict=True))
        xy = tuple(a + b for a, b in zip(self.xy, other.xy, strict=True))
        return Sums(self.weight + other.weight, xx, xy, self.squares + other.squares, max(self.at, other.at))

    def _times(self, kept: float, at: float) -> "Sums":
        xx = tuple(tuple(each * kept for each in row) for row in self.xx)
        return Sums(self.weight * kept, xx, tuple(each * kept for each in self.xy), self.squares * kept, at)

    @property
    def noise(self) -> float:
        """Variance between requests."""
        return (_NOISE * _WORTH + self.squares) / (_WORTH + self.weight)


@dataclass(frozen=True, slots=True)
class Fit:
    """The weights, and their covariance."""

    mean: Vector
    covariance: Matrix

    def predict(self, x: Vector) -> Belief:
        """Say what the logarithm of a step's seconds is expected to be."""
        return Belief(_dot(self.mean, x), _dot([_dot(row, x) for row in self.covariance], x))


def _dot(one: Sequence[float], other: Vector) -> float:
    return math.fsum(map(operator.mul, one, other))


def features(batch: float, context: float) -> Vector:
    """Describe a moment: requests that the engine works on, this one included, and tokens of context."""
    doublings = math.log2(max(1.0, batch))
    return 1.0, doublings, doublings**2, context / _CONTEXT


def fit_box(lanes: list[Sums]) -> Fit:
    """Fit what all lanes have in common; how lanes differ is noise to it."""
    together = Sums()
    for sums in lanes:
        together = together.joined(sums)
    return _fit(together, together.noise + _LANE_SPREAD[0] ** 2, _BOX_MEAN, _diagonal(_BOX_SPREAD))


def fit_lane(sums: Sums, box: Fit) -> Fit:
    """Fit one lane, which begins from the box."""
    spreads = tuple(math.sqrt(box.covariance[i][i] + s**2) for i, s in enumerate(_LANE_SPREAD))
    return _fit(sums, sums.noise, box.mean, _diagonal(spreads))


def _diagonal(spreads: Vector) -> Vector:
    return tuple(1 / s**2 for s in spreads)


def _fit(sums: Sums, noise: float, mean: Vector, precision: Vector) -> Fit:
    total = [[each / noise for each in row] for row in sums.xx]
    pull = [each / noise for each in sums.xy]
    for i in range(SIZE):
        total[i][i] += precision[i]
        pull[i] += precision[i] * mean[i]
    covariance = _inverse(total)
    return Fit(tuple(sum(a * b for a, b in zip(row, pull, strict=True)) for row in covariance), covariance)


def _inverse(matrix: list[list[float]]) -> Matrix:
    """Invert a symmetric positive definite matrix, by elimination without pivots, which such a matrix never needs."""
    size = len(matrix)
    rows = [[*row, *(1.0 if i == j else 0.0 for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = rows[i][i]
        rows[i] = [each / pivot for each in rows[i]]
        for j in range(size):
            if j != i and (factor := rows[j][i]):
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return tuple(tuple(row[size:]) for row in rows)
