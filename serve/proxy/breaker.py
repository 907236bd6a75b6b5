"""Decides whether an engine that keeps failing is left alone for a while. Pure: time comes in.

Closed, it counts failures in a row; open, it lets nothing through for a pause, then one request a pause, until one
succeeds. What counts as a failure is for others to say: never an error that the request itself may have caused.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """A circuit breaker: opens after `failures` in a row, for `pause` seconds. Times are seconds of any clock."""

    failures: int
    pause: float
    _in_a_row: int = 0
    _until: float = 0

    @property
    def open(self) -> bool:
        """Whether the engine has failed too often in a row and hasn't succeeded since."""
        return self._in_a_row >= self.failures

    def permits(self, now: float) -> bool:
        """Tell whether a request may go to the engine."""
        return not self.open or now >= self._until

    def started(self, now: float) -> None:
        """Note that a request goes to the engine; once it is open, this is the one that tries."""
        if self.open:
            self._until = now + self.pause

    def succeeded(self) -> None:
        """Note that the engine answered: it is well."""
        self._in_a_row = 0

    def failed(self, now: float) -> None:
        """Note that the engine failed."""
        self._in_a_row += 1
        if self.open:
            self._until = now + self.pause
