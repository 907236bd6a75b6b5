"""Keeps drafters from costing a cell more than a little against no drafter at all, over any so many of its requests.

What is lost is measured, not expected: a try that happens on a long answer costs more than one on a short.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from serve.routing.estimate import Estimate

WINDOW = 200
"""Requests of one cell over which what was lost is added up."""
PROMISED = 0.02
"""Share of their time that may be lost to drafters."""
_EXPECTED = 0.3
"""Part of it that may be lost by what is expected: what is measured is noisy, and a beginning costs something too."""
_FAR = 9.0  # logarithms of the rate, beyond which nothing is told apart
_SURE = 1.2816
"""Standard deviations: with a probability of 90 % a drafter isn't faster than that, or slower."""


@dataclass(slots=True)
class Guard:
    """One cell's last requests: tokens of each, and by how many tokens the body would have been ahead by then."""

    seen: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    lost: float = 0.0
    tokens: float = 0.0

    def count(self, tokens: float, lost: float) -> None:
        """Add a finished request; `lost` is below 0 where a drafter was faster than the body would have been."""
        if len(self.seen) == WINDOW:
            old_tokens, old_lost = self.seen[0]
            self.tokens -= old_tokens
            self.lost -= old_lost
        self.seen.append((tokens, lost))
        self.tokens += tokens
        self.lost += lost

    def barred(self, options: Sequence[Estimate], answers: float) -> list[int]:
        """Give the places of the drafters that mustn't be taken now; none where there is no lane without one.

        `answers` is how long this cell's answers are on average, in tokens.
        """
        floor = -math.inf
        for option in options:
            if not option.drafts and option.mean > floor:
                floor = option.mean
        window = self.tokens + (WINDOW - len(self.seen)) * answers
        left = PROMISED * _EXPECTED * window - self.lost
        barred = []
        for index, option in enumerate(options):
            if not option.drafts:
                continue
            low = option.mean - _SURE * math.sqrt(option.variance)
            expected = answers * max(0.0, math.exp(min(_FAR, floor - option.mean)) - 1)
            if expected > max(left, 0.0) or (low < floor and left < 0):
                barred.append(index)
        return barred
