"""Tokens of the answers that ended within the last minute, by lane: counted when an answer ends, as requests are.

Bounded, whatever comes: one sum by lane a second. Says nothing of when in an answer its tokens were generated.
"""

from collections import Counter, deque

LENGTH = 60
"""Seconds."""


class Minute:
    """Sums of the last seconds in which an answer ended, oldest first."""

    def __init__(self) -> None:
        self._sums: deque[tuple[int, Counter[str]]] = deque(maxlen=LENGTH)

    def add(self, lane: str, tokens: int, at: float) -> None:
        """Count an answer that ended `at`, in seconds; a clock that was set back counts it in the last second."""
        second = int(at)
        if not self._sums or self._sums[-1][0] < second:
            self._sums.append((second, Counter()))
        self._sums[-1][1][lane] += tokens

    def tokens(self, now: float) -> Counter[str]:
        """Give the tokens by lane of the minute that ends now."""
        total: Counter[str] = Counter()
        for second, sums in self._sums:
            if now - second < LENGTH:
                total.update(sums)
        return total
