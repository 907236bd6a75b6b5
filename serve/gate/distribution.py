"""Decides whether two engines draw tokens alike: Pearson's chi-squared test of homogeneity, and what it can detect.

Both draw equally often; tokens that came up rarely share a cell, chosen by their total over both, so that the choice
favours neither. The test's power is a bound over every way to deviate: if the engines' probabilities p and q differ by
a total variation of d, Cauchy and Schwarz give sum((p - q)**2 / (p + q)) >= 2 d**2, so with n draws each the
statistic's noncentrality is at least 2 n d**2. Differences among tokens that share the rare cell aren't seen. Pure.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ALPHA = 0.001
"""The chance that a gate, over all of its comparisons, fails lanes that draw exactly as the body does."""
POWER = 0.9
_SMALLEST_CELL = 10  # draws of both together: five expected of each, the usual condition of the test


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """How likely two equal engines draw as differently as this; no degree of freedom means that nothing varied."""

    draws: int
    freedom: int
    p_value: float


def homogeneity(one: Sequence[int], other: Sequence[int]) -> Homogeneity:
    """Compare two lists of drawn tokens; raises ValueError unless they are equally long."""
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} draws: the test takes equally many")
    cells = pooled(Counter(one), Counter(other))
    statistic = sum((first - second) ** 2 / (first + second) for first, second in cells)
    freedom = max(len(cells) - 1, 0)
    return Homogeneity(len(one), freedom, chi_squared_tail(statistic, freedom) if freedom else 1.0)


def pooled(one: Counter[int], other: Counter[int]) -> list[tuple[int, int]]:
    """Count each token's draws in both lists; those below ten in both together share the first cell."""
    tokens = sorted(one | other, key=lambda token: (one[token] + other[token], token))
    pairs = [(one[token], other[token]) for token in tokens]
    rare = (0, 0)
    while pairs and (sum(pairs[0]) < _SMALLEST_CELL or 0 < sum(rare) < _SMALLEST_CELL):
        first, second = pairs.pop(0)
        rare = (rare[0] + first, rare[1] + second)
    return [rare, *pairs] if sum(rare) else pairs


def detectable(draws: int, freedom: int, alpha: float) -> float:
    """Give the total variation that a comparison detects with probability POWER or more, however it is shaped."""
    critical = _solve(lambda value: chi_squared_tail(value, freedom) < alpha)
    noncentrality = _solve(lambda value: _noncentral_tail(critical, freedom, value) > POWER)
    return min(1.0, math.sqrt(noncentrality / (2 * draws)))


def chi_squared_tail(value: float, freedom: int) -> float:
    """Give the probability of at least `value`, of the chi-squared distribution.

    Q(1/2, x) = erfc(sqrt(x)), Q(1, x) = exp(-x), Q(a + 1, x) = Q(a, x) + x**a exp(-x) / gamma(a + 1), with the freedom
    2 a and the value 2 x: Abramowitz and Stegun 26.4.4, 26.4.5 and 6.5.21.
    """
    half = value / 2
    if half <= 0:
        return 1.0
    shape, tail = (0.5, math.erfc(math.sqrt(half))) if freedom % 2 else (1.0, math.exp(-half))
    while shape < freedom / 2:
        tail += _term(shape, half)
        shape += 1
    return min(tail, 1.0)


def _noncentral_tail(value: float, freedom: int, noncentrality: float) -> float:
    """Mix central tails of growing freedom by a Poisson distribution: Abramowitz and Stegun 26.4.25."""
    mean, tail, total = noncentrality / 2, chi_squared_tail(value, freedom), 0.0
    for number in range(int(mean + 12 * math.sqrt(mean + 1)) + 12):  # twelve deviations out nothing is left to add
        total += tail * math.exp(number * math.log(mean) - mean - math.lgamma(number + 1))
        tail += _term(freedom / 2 + number, value / 2)
    return total


def _term(shape: float, half: float) -> float:
    return math.exp(shape * math.log(half) - half - math.lgamma(shape + 1))


def _solve(reached: Callable[[float], bool]) -> float:
    """Find where a condition that stays true once it is begins to hold, above 0."""
    low, high = 0.0, 1.0
    while not reached(high):
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
