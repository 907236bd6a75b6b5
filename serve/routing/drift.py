"""Notices that something isn't any more what it was, and by how much.

It is a two-sided cumulative sum of surprises (Page, Continuous Inspection Schemes, 1954).
"""

from dataclasses import dataclass

_ALLOWANCE = 0.5
"""Standard deviations a surprise that are let pass: half of the smallest lasting shift that is looked for."""
_ALARM = 8.0
"""Summed standard deviations at which the alarm goes off. For independent normal surprises that is once in more than
10,000 (a test measures it); after a shift by two deviations, within about six."""
_LARGEST = 4.0
"""A single surprise counts for no more, so that no one request sets the alarm off."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen once, what had been expected, and when it was, in seconds."""

    seen: float
    expected: float
    at: float


@dataclass(frozen=True, slots=True)
class Run:
    """A run of surprises to one side: their number, their sum beyond what is let pass, what was seen and expected.

    `began` is when the first of them came, in seconds.
    """

    length: int = 0
    excess: float = 0.0
    seen: float = 0.0
    expected: float = 0.0
    began: float = 0.0

    def after(self, surprise: float, sight: Sight) -> "Run":
        """Add one surprise to this side; a run that has come to nothing begins anew."""
        excess = self.excess + surprise - _ALLOWANCE
        if excess <= 0:
            return Run()
        began = self.began if self.length else sight.at
        return Run(self.length + 1, excess, self.seen + sight.seen, self.expected + sight.expected, began)


@dataclass(frozen=True, slots=True)
class Watch:
    """The run above what is expected, and the one below."""

    above: Run = Run()
    below: Run = Run()

    def after(self, surprise: float, sight: Sight) -> "Watch":
        """Add what was seen; `surprise` is how far off the expectation that was, in standard deviations of it."""
        counted = max(-_LARGEST, min(_LARGEST, surprise))
        return Watch(self.above.after(counted, sight), self.below.after(-counted, sight))

    @property
    def alarm(self) -> Run | None:
        """The run in which what was expected has turned out not to be so any more."""
        longer = max(self.above, self.below, key=lambda run: run.excess)
        return longer if longer.excess > _ALARM else None
