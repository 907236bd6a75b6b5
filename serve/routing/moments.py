"""Weighted mean and spread of something that was seen again and again, of which old sights count less.

Time is an argument, in seconds of any clock that goes on over restarts.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moments:
    """What was seen: `weight` of it all (one whole request is 1), its mean, the weighted sum of squared deviations.

    `at` is when it was seen last; weight and squares are as they counted then.
    """

    weight: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    at: float = 0.0

    def aged(self, now: float, half_life: float) -> "Moments":
        """Give what it counts for now: half after each `half_life` seconds. A clock that went back ages nothing."""
        passed = now - self.at
        if passed <= 0:
            return self
        kept: float = 0.5 ** (passed / half_life)
        return Moments(self.weight * kept, self.mean, self.squares * kept, now)

    def plus(self, value: float, weight: float) -> "Moments":
        """Add one sight (West's update of a weighted mean, 1979)."""
        total = self.weight + weight
        off = value - self.mean
        mean = self.mean + off * weight / total
        return Moments(total, mean, self.squares + weight * off * (value - mean), self.at)

    def capped(self, weight: float) -> "Moments":
        """Give the same mean and spread with at most this weight: something has changed, and the past counts less."""
        if self.weight <= weight:
            return self
        kept = weight / self.weight
        return Moments(weight, self.mean, self.squares * kept, self.at)

    def moved(self, mean: float) -> "Moments":
        """Give the same about another mean."""
        return Moments(self.weight, mean, self.squares, self.at)

    def variance(self, prior: float, worth: float) -> float:
        """Estimate the variance between sights; `prior` is believed as if it had been seen `worth` times."""
        return (prior * worth + self.squares) / (worth + self.weight)
