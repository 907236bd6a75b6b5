"""What a lane is expected to do for one request, and how sure that is.

These records are made several times a request and never changed, but aren't frozen: that takes three times as long.
"""

import math
from dataclasses import dataclass

_Z90 = 1.6449  # standard deviations to either end of a 90 % interval


@dataclass(slots=True)
class Estimate:
    """Tokens a step, and the logarithm of tokens a second: its mean and its variance.

    `requests` is how much was seen of a drafter in this very cell, old requests counting less; 0 for the body, whose
    length needs no learning.
    """

    lane: str
    acceptance_length: float
    mean: float
    variance: float
    above: float
    requests: float
    drafts: bool = True

    @property
    def decode_rate(self) -> float:
        """Tokens a second."""
        return math.exp(self.mean)

    @property
    def step_time(self) -> float:
        """Seconds a step."""
        return self.acceptance_length / self.decode_rate

    @property
    def low(self) -> float:
        """The lower end of the rate's 90 % interval."""
        return math.exp(self.mean - _Z90 * math.sqrt(self.variance))

    @property
    def high(self) -> float:
        """The upper end of it."""
        return math.exp(self.mean + _Z90 * math.sqrt(self.variance))


@dataclass(slots=True)
class Weighing:
    """How the policy that learns came to its lane: every lane that could be had, and how likely this one was drawn.

    `best` is the lane with the highest estimate of those that the guard lets through, what reading a conversation again
    costs taken off; `applied` is False where the policy only watches; `shares` are the
    probabilities of all lanes, in the order of the estimates.
    """

    lane: str
    best: str
    propensity: float
    applied: bool
    estimates: tuple[Estimate, ...]
    shares: tuple[float, ...]
