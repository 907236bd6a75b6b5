"""Compares answers with what came without a drafter in their language close to them in time, as soon as they end.

What it found once is never found again: another load, an hour later, would say otherwise of the same answer. Of the
answers whose lane nobody forced it keeps sums, for one figure of all that was gained. Never compares with the table.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from serve.routing.outcome import Outcome

NEAR = 600.0
"""Seconds before an answer within which those without a drafter are compared with it."""
MOST = 16
"""Answers without a drafter that one is compared with, the last ones."""

Why = Literal["", "body", "none", "untimed"]
"""Why an answer isn't compared: it had no drafter itself; there was none without one close to it in its language; its
speed isn't known, since it ended early or was too short."""


class Against(NamedTuple):
    """How many times as fast an answer came as `answers` others without a drafter, which ended in `seconds` before it.

    `times` is None where there is nothing to compare, and `why` says so.
    """

    times: float | None
    answers: int = 0
    seconds: float = 0.0
    why: Why = ""


@dataclass(slots=True)
class Picked:
    """Sums over the compared answers whose lane nobody forced: seconds that they took, and would have taken."""

    answers: int = 0
    bare: int = 0  # of them without a drafter, which count as neither gain nor loss
    alone: int = 0  # answers with a drafter that had nothing to be compared with, and aren't in the sums
    spent: float = 0.0
    without: float = 0.0
    squared: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of without, of both, of spent

    def add(self, spent: float, without: float) -> None:
        """Add an answer."""
        self.answers += 1
        self.spent += spent
        self.without += without
        squares, products, others = self.squared
        self.squared = (squares + without**2, products + without * spent, others + spent**2)

    def error(self) -> float | None:
        """Standard error of without / spent, as a share of it, the yardsticks taken for exact; None before two."""
        if self.answers < 2:
            return None
        ratio, (without, both, spent) = self.without / self.spent, self.squared
        residuals = max(0.0, without - 2 * ratio * both + ratio**2 * spent)
        return math.sqrt(residuals * self.answers / (self.answers - 1)) / self.without


@dataclass(slots=True)
class _Era:
    """What one language's yardstick weighs in the sums: its answers' errors are shared for as long as it lasts."""

    began: float
    weight: float = 0.0
    squares: float = 0.0

    def lean(self, weight: float, at: float) -> None:
        """Add what leans on the yardstick of this time, seconds over the root of the answers that it comes from."""
        if at - self.began > 2 * NEAR:  # none of the answers from before is part of it any more
            self.squares += self.weight**2
            self.weight, self.began = 0.0, at
        self.weight += weight

    def variance(self) -> float:
        """Give the sum's variance for a yardstick whose single answers have a relative variance of 1."""
        return self.squares + self.weight**2


class Yardstick:
    """The last answers without a drafter, on the lanes named, by language."""

    def __init__(self, bodies: Iterable[str]) -> None:
        self._bodies = frozenset(bodies)
        self._near: defaultdict[str, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=MOST))
        self._eras: dict[str, _Era] = {}
        self.picked = Picked()

    def compare(self, outcome: Outcome, at: float) -> Against:
        """Compare an answer that ends now, `at` in seconds, whose lane and cell are known."""
        assert outcome.decision
        assert outcome.cell
        rate, language, bare = outcome.decode_rate, outcome.cell.language, outcome.decision.lane in self._bodies
        picked = outcome.decision.reason != "forced" and outcome.completion_tokens
        if bare:
            if rate:
                self._near[language].append((at, rate))
            if rate and picked:
                self.picked.bare += 1
                self.picked.add(picked / rate, picked / rate)
            return Against(None, why="body")
        near = [(ended, found) for ended, found in self._near[language] if at - ended <= NEAR]
        if not rate or not near:
            self.picked.alone += bool(rate and picked)
            return Against(None, why="none" if rate else "untimed")
        mean = sum(found for _, found in near) / len(near)
        if picked:
            self.picked.add(picked / rate, picked / mean)
            era = self._eras.setdefault(language, _Era(at))
            era.lean(picked / mean / math.sqrt(len(near)), at)
        return Against(rate / mean, len(near), at - near[0][0])

    def error(self, spreads: Mapping[str, float]) -> float | None:
        """Give the standard error of all that was gained, as a share of it; `spreads` are languages' yardsticks'.

        A spread is the standard deviation of single answers without a drafter, as a share of their mean. A language
        that has none yet gets the largest that is known; None where none is, or fewer than two answers were compared.
        """
        own = self.picked.error()
        if own is None or (self._eras and not spreads):
            return None
        largest = max(spreads.values(), default=0.0)
        shared = (era.variance() * spreads.get(language, largest) ** 2 for language, era in self._eras.items())
        return math.hypot(own, math.sqrt(sum(shared)) / self.picked.without)
