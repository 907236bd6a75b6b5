"""Tells everybody who has the page open what is new, once a second. While nobody has, nothing runs.

What is said is written once for all of them. Whoever reads too slowly misses some of it, and then gets everything.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import msgspec

from serve.errors import TooManyConnections
from serve.page import decisions
from serve.page.view import View

LOGGER = logging.getLogger(__name__)

LISTENERS = 64
"""Pages that may be open at once."""
LINES = 50
"""Requests that one event lists at most, the newest: as many as the page shows."""
_RETRY = b"retry: 1500\n\n"
"""Milliseconds after which a browser that lost its stream asks again."""
_ENCODER = msgspec.json.Encoder()


class _Listener:
    """One open page: what it is to read next, and whether it missed something."""

    def __init__(self) -> None:
        self.next: bytes | None = None
        self.missed = False
        self.woken = asyncio.Event()

    def tell(self, block: bytes) -> None:
        self.missed = self.missed or self.next is not None
        self.next = block
        self.woken.set()


class Live:
    """Everybody who listens. `state` describes now, `beside` runs while anybody does, `interval` is in seconds."""

    def __init__(
        self,
        view: View,
        state: Callable[[], dict[str, Any]],
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
        interval: float = 1.0,
    ) -> None:
        self._view, self._state, self._interval = view, state, interval
        self._beside = beside
        self._listeners: set[_Listener] = set()
        self._running: list[asyncio.Task[None]] = []
        self._closed = False

    def close(self) -> None:
        """End every stream, since the router stops: the browsers come back by themselves."""
        self._closed = True
        self._stop()
        for listener in self._listeners:
            listener.woken.set()

    def check(self) -> None:
        """Raise TooManyConnections if as many pages are open as may be."""
        if len(self._listeners) >= LISTENERS:
            raise TooManyConnections(f"{LISTENERS} pages are open already; close one.")

    async def listen(self, let_in: Callable[[], bool] = lambda: True) -> AsyncIterator[bytes]:
        """Give events, the first with the last requests, until the reader goes or the router stops.

        `let_in` says whether the reader still may listen; it is asked before each event but the first.
        """
        listener = _Listener()
        self._listeners.add(listener)
        if not self._running:
            works = (self._tick(), *([self._beside()] if self._beside else []))
            self._running = [asyncio.create_task(work) for work in works]
        try:
            yield _RETRY + self._event(0)
            while True:
                await listener.woken.wait()
                if self._closed or not let_in():
                    return
                listener.woken.clear()
                block, listener.next = listener.next, None
                missed, listener.missed = listener.missed, False
                yield self._event(0) if missed or block is None else block
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._stop()

    def _stop(self) -> None:
        for task in self._running:
            task.cancel()
        self._running = []

    async def _tick(self) -> None:
        told, failing = self._view.count, False
        while True:
            await asyncio.sleep(self._interval)
            try:
                block = self._event(told)
            except Exception:  # without this every page would stand still, and nobody would know why
                if not failing:
                    LOGGER.exception("the page's state can't be told; it is tried again every second")
                failing = True
                continue
            failing, told = False, self._view.count
            for listener in self._listeners:
                listener.tell(block)

    def _event(self, after: int) -> bytes:
        """Write what is now, and the requests that ended after the one of this number."""
        described = self._state() | {
            "decisions": [decisions.line(seen) for seen in self._view.after(max(after, self._view.count - LINES))]
        }
        return b"id: %d\ndata: %b\n\n" % (self._view.count, _ENCODER.encode(described))
