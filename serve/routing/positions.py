"""How often the draft at each position is accepted: what the acceptance length alone doesn't show of a drafter."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest


@dataclass(frozen=True, slots=True)
class Positions:
    """Steps, and how many of them accepted the draft at each position; old ones count less. `at` is when seen last."""

    steps: float = 0.0
    accepted: tuple[float, ...] = ()
    at: float = 0.0

    def plus(self, steps: int, accepted: Sequence[int], now: float, half_life: float) -> "Positions":
        """Add a request's, after letting what was there age."""
        kept: float = 0.5 ** (max(0.0, now - self.at) / half_life)
        summed = tuple(old * kept + new for old, new in zip_longest(self.accepted, accepted, fillvalue=0.0))
        return Positions(self.steps * kept + steps, summed, max(now, self.at))

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of steps in which each position's draft was accepted."""
        return tuple(each / self.steps for each in self.accepted) if self.steps > 0 else ()
