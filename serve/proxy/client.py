"""The client's side of one request, as the relay sees it: writing to it never waits, but it can ask to stop."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from starlette.types import Message, Send

from serve.proxy.connection import Source

Headers = Sequence[tuple[bytes, bytes]]

HIGH_WATER = 65_536
"""Bytes that may wait for a slow reader before its engine is held back; uvicorn's own limit for what it writes."""


class Client(Protocol):
    """Takes one response. `started`: its head was given; `paused`: it has more than it can send on, so hold back."""

    started: bool
    paused: bool

    @property
    def gone(self) -> bool:
        """Whether nobody is there any more."""

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """Give the head; without a length the content is a stream."""

    def write(self, raw: bytes) -> None:
        """Give some content."""

    def end(self, raw: bytes = b"") -> None:
        """Give the last of the content, and say that it is."""


class AsgiClient:
    """A client behind an ASGI server: `pump` sends what the relay gave, and holds the source back if it is much."""

    def __init__(self, send: Send, source: Source) -> None:
        self.started = self.paused = self.gone = False
        self._send, self._source = send, source
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._closed = False
        self._news = asyncio.Event()

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """Give the head."""
        self.started = True
        sized = [] if length is None else [(b"content-length", b"%d" % length)]
        self._put({"type": "http.response.start", "status": status, "headers": [*headers, *sized]})

    def write(self, raw: bytes) -> None:
        """Give some content."""
        self._bytes += len(raw)
        self._put({"type": "http.response.body", "body": raw, "more_body": True})
        if self._bytes > HIGH_WATER and not self.paused:
            self.paused = True
            self._source.pause()

    def end(self, raw: bytes = b"") -> None:
        """Give the last of the content; whoever is told twice says it once."""
        if self._closed:
            return
        self._bytes += len(raw)
        self._put({"type": "http.response.body", "body": raw, "more_body": False})
        self.close()

    def close(self) -> None:
        """Let `pump` return once it has sent what there is."""
        self._closed = True
        self._news.set()

    async def pump(self) -> None:
        """Send until the response is complete."""
        while self._messages or not self._closed:
            await self._news.wait()
            self._news.clear()
            while self._messages:
                message = self._messages.popleft()
                await self._send(message)
                self._sent(len(message.get("body", b"")))

    def _put(self, message: Message) -> None:
        self._messages.append(message)
        self._news.set()

    def _sent(self, size: int) -> None:
        self._bytes -= size
        if self.paused and self._bytes <= HIGH_WATER // 2:
            self.paused = False
            self._source.resume()
