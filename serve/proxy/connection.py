"""One connection to an engine: writes a request, hands the answer's bytes on as they come, and is used again.

Nothing waits between the engine's socket and whoever receives the answer: head and content are passed on inside the
call that read them, what one read brought in one piece. Only the end of an exchange wakes a task.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

from serve.errors import EngineFailed, EngineSilent

MAX_HEAD_BYTES = 65_536
"""Longest head of an answer: beyond it, whatever answers isn't an engine."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an engine's answer; names are in lower case."""

    status: int
    headers: Mapping[str, str]


class Source(Protocol):
    """Where an answer comes from, and can be held back."""

    def pause(self) -> None:
        """Read nothing until `resume`."""

    def resume(self) -> None:
        """Read on."""


class Receiver(Protocol):
    """Takes an answer as it comes. Neither method may raise or wait; an error that is returned ends the exchange."""

    def on_head(self, head: Head, source: Source) -> Exception | None:
        """Take the answer's head."""

    def on_data(self, chunk: bytes, *, last: bool = False) -> None:
        """Take some bytes of the answer's content; after the `last` nothing comes. Others may turn out to be so."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that an answer may let us wait: for its first byte of content, and then for each further one."""

    first_byte: float
    silence: float


class ConnectionLost(EngineFailed):
    """The engine closed the connection. `unanswered`: before it sent anything, as happens to one it held for idle."""

    def __init__(self, message: str, *, unanswered: bool) -> None:
        super().__init__(message)
        self.unanswered = unanswered


class Connection(asyncio.Protocol):
    """A connection that carries one exchange at a time; `on_closed` is told when it can carry no more."""

    def __init__(self, on_closed: Callable[["Connection"], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []  # content of the read that is being parsed
        self.on_body = self._parts.append
        """Keep some content until all of its read is parsed; the parser calls it."""
        self._parser = httptools.HttpResponseParser(self)
        self._on_closed = on_closed
        self._receiver: Receiver | None = None
        self._done: asyncio.Future[None] | None = None
        self._patience = Patience(0, 0)
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._looked_at = 0.0
        self._paused = False
        self.idle_since = 0.0

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow."""
        return self._done is None and not self._transport.is_closing()

    async def exchange(self, request: bytes, receiver: Receiver, patience: Patience) -> None:
        """Send a request and return when its whole answer went to the receiver.

        Raises ConnectionLost, EngineSilent, EngineFailed for what isn't HTTP, or what the receiver returned. Then, and
        after a cancellation, the connection is closed, which aborts the request in vLLM.
        """
        self._receiver, self._patience = receiver, patience
        self._done = self._loop.create_future()
        self._expect_answer()
        self._transport.write(request)
        self._expect_by(self._loop.time() + patience.first_byte)
        try:
            await self._done
        finally:
            if not (self._complete and self._keep_alive):
                self.close()
            self._receiver = self._done = None
            self.resume()

    def pause(self) -> None:
        """Read nothing until `resume`: the client is slower than the engine."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._heard()  # it was us who were silent
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def close(self) -> None:
        """Close at once, without sending what is still unsent."""
        self._transport.abort()

    def _expect_answer(self) -> None:
        self._status = 0
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._touched = self._begun = self._answering = self._until_eof = self._complete = self._keep_alive = False

    def _expect_by(self, due: float) -> None:
        """Plan a look at the clock, unless one is planned before: waits are many, and a timer for each is dear."""
        self._due = due
        if self._timer is None or due < self._looked_at:
            if self._timer:
                self._timer.cancel()
            self._looked_at = due
            self._timer = self._loop.call_at(due, self._look_at_clock)

    def _heard(self) -> None:
        """Note that the engine isn't silent."""
        self._begun = True
        self._expect_by(self._loop.time() + self._patience.silence)

    def _look_at_clock(self) -> None:
        """Give the exchange up if nothing came for too long."""
        self._timer = None
        if self._done is None:
            return
        now = self._loop.time()
        due = now + self._patience.silence if self._paused else self._due
        if due > now:
            self._expect_by(due)
        elif self._begun:
            self._fail(EngineSilent("The engine stopped sending in the middle of its answer."))
        else:
            self._fail(EngineSilent("The engine took the request and said nothing."))

    def _fail(self, error: Exception) -> None:
        """End the exchange with an error; what still comes of it is dropped."""
        self._receiver = None
        if self._done and not self._done.done():
            self._done.set_exception(error)
        self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the open connection."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read some of an answer."""
        if self._done is None:  # nobody asked: not to be trusted with a request
            return self.close()
        self._touched = True
        try:
            self._parser.feed_data(data)
            if self._parts:
                self._hand_on()
        except httptools.HttpParserCallbackError as error:  # a fault of ours, not of the engine
            self._fail(cast(Exception, error.__context__))
        except httptools.HttpParserError as error:
            if self._parts:
                self._hand_on()
            self._fail(EngineFailed(f"The engine's answer isn't HTTP ({type(error).__name__})."))
        return None

    def eof_received(self) -> bool:
        """Take the engine's end of the connection, which also is the end of an answer that has no length."""
        if self._until_eof:
            self.on_message_complete()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the exchange that was running, if one was."""
        self._on_closed(self)
        if self._timer:
            self._timer.cancel()
        if self._done and not self._done.done():
            why = type(exc).__name__ if exc else "closed"
            lost = ConnectionLost(f"The engine broke off ({why}).", unanswered=not self._touched)
            self._done.set_exception(lost)
        self._receiver = None

    # What the parser calls

    def on_message_begin(self) -> None:
        """Notice an answer that nobody asked for, after which nothing on this connection can be trusted."""
        if self._done is None or self._complete:
            self._keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._fail(EngineFailed("The engine's answer has too long a head."))
            return
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Hand the head on."""
        self._status = self._parser.get_status_code()
        if self._status < 200 or self._receiver is None:
            return self._headers.clear()
        self._answering = True
        self._keep_alive = self._parser.should_keep_alive()  # not to be asked for once the message is complete
        self._until_eof = not ("content-length" in self._headers or "transfer-encoding" in self._headers)
        error = self._receiver.on_head(Head(self._status, self._headers), self)
        if error:
            self._fail(error)
        return None

    def on_message_complete(self) -> None:
        """End the exchange; an interim answer (1xx) is none."""
        if not self._answering or self._complete:
            return
        if self._parts:
            self._hand_on(last=True)
        self._complete = True
        self._receiver = None
        if self._done and not self._done.done():
            self._done.set_result(None)

    def _hand_on(self, *, last: bool = False) -> None:
        """Hand on what a read brought of the content: a write for each of its chunks would cost more than all else."""
        parts = self._parts
        content = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        if self._begun:  # a timer that rings too early looks at the clock and goes on
            self._due = self._loop.time() + self._patience.silence
        else:
            self._heard()
        if self._receiver:
            self._receiver.on_data(content, last=last)
