"""All connections of one server: counts them, ends those that are late, and tells who listens what was refused."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from serve.errors import RequestError
from serve.security.door import Door

LOGGER = logging.getLogger(__name__)

_SWEEP_INTERVAL = 0.5
"""Seconds; time limits are kept this exactly."""


class Connection(Protocol):
    """What the entrance has to know of a connection."""

    def check(self, now: float) -> None:
        """End the connection if what it owes is late at `now`, in the loop's time."""


Refused = Callable[[RequestError, bytes, bytes, str | None], None]
"""Takes the error, method and target of the request where they are known, and its id, None if others log its end."""


class Entrance:
    """The door, and everybody who is behind it or before it."""

    def __init__(self, door: Door, refused: Refused) -> None:
        self.door = door
        self._refused = refused
        self._connections: set[Connection] = set()

    def enter(self, connection: Connection) -> bool:
        """Count a connection; False if there are too many with it."""
        self._connections.add(connection)
        return len(self._connections) <= self.door.limits.connections

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self._connections.discard(connection)

    def refused(self, error: RequestError, request_id: str | None, method: bytes = b"", target: bytes = b"") -> None:
        """Report a refusal."""
        self._refused(error, method, target, request_id)

    async def watch(self) -> None:
        """End late connections until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL)
            now = loop.time()
            for connection in list(self._connections):
                try:
                    connection.check(now)
                except Exception:  # without this watch nobody would be late any more
                    LOGGER.exception("ending a connection failed")
