"""A number that isn't known for sure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Belief:
    """Its mean, and the variance of where it may lie."""

    mean: float
    variance: float


def joined(one: Belief, other: Belief) -> Belief:
    """Join two independent beliefs of the same number."""
    total = 1 / one.variance + 1 / other.variance
    return Belief((one.mean / one.variance + other.mean / other.variance) / total, 1 / total)
