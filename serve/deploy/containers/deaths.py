"""Decides what follows a container's death: another try, a start without drafters, or the end. Pure.

Each failed start leaks driver memory on unified memory until a power cycle, so tries are counted, never endless.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

BOUND = 3
"""Deaths that are one too many: the first start and two more, as in Compose."""
WINDOW = 3600.0
"""Seconds for which a death counts: on a Spark an engine takes a quarter of an hour to load, and may then die at its
first request, so a shorter window would let it go on for ever."""


class Then(StrEnum):
    """What to do next."""

    WAIT = "Docker starts it again"
    AGAIN = "it is started again"
    WITHOUT_DRAFTERS = "it is started without drafters"
    GIVE_UP = "it isn't started again"


@dataclass(frozen=True, slots=True)
class Deaths:
    """When a container died, in seconds of one clock, and when it was last seen healthy, if ever."""

    at: tuple[float, ...] = ()
    healthy: float = -math.inf

    def counted(self, now: float) -> int:
        """Count those within the window, and however long ago those after which it was never healthy."""
        return sum(now - each <= WINDOW or each > self.healthy for each in self.at)


def then(deaths: Deaths, now: float, *, drafts: bool, restarting: bool) -> Then:
    """Decide, for a container that is dead now, or that Docker is `restarting`; `drafts`: it has drafters to lose."""
    if deaths.counted(now) >= BOUND:
        return Then.WITHOUT_DRAFTERS if drafts else Then.GIVE_UP
    return Then.WAIT if restarting else Then.AGAIN
