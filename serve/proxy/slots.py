"""How many requests an engine gets at once, and how many may wait for that. Knows nothing of HTTP."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from serve.errors import EngineBusy

_LONGEST = 60  # seconds that a client is told to wait at most: an estimate from one moment isn't good for more
_WEIGHT = 0.1  # of the newest request in the mean of how long requests take


class Slots:
    """`limit` places, and a line of at most `queue` that wait for one; first come, first served."""

    def __init__(self, limit: int, queue: int, clock: Callable[[], float]) -> None:
        self.running = self.promised = 0
        self._limit, self._queue, self._clock = limit, queue, clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._mean = 1.0  # seconds that a place was held, lately

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def promise(self, requests: int) -> None:
        """Note that requests will come, or with a negative number that they have: whoever chooses next counts them."""
        self.promised += requests

    async def take(self, waits: Callable[[], AbstractContextManager[None]] = nullcontext) -> float:
        """Take a place, which `give_back` frees, and give the time of it; `waits` is entered while there is none.

        Raises EngineBusy if the line is full.
        """
        if self.running >= self._limit:
            self._refuse_if_full()
            with waits():
                await self._wait()
        else:
            self.running += 1
        return self._clock()

    def give_back(self, taken: float) -> None:
        """Free a place that was taken at that time."""
        self._mean += _WEIGHT * (self._clock() - taken - self._mean)
        self._give_back()

    def _refuse_if_full(self) -> None:
        if len(self._waiting) >= self._queue:
            raise EngineBusy(
                "The engine has as many requests as it may; try again later.", retry_after=self._estimate()
            )

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # the place came in the same moment as the cancellation
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def _give_back(self) -> None:
        """Hand the place to the first in line, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # cancelled, and its task hasn't run since
                return turn.set_result(None)
        self.running -= 1
        return None

    def _estimate(self) -> int:
        """Seconds until the line that there is now will have moved up."""
        return min(_LONGEST, max(1, math.ceil(self._mean * (len(self._waiting) + 1) / self._limit)))
