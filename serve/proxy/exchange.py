"""One request on a client's own connection, and its response: what the relay writes to, without ASGI between."""

import asyncio
import json
import logging
from typing import Protocol

from starlette.responses import Response
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from serve.errors import InternalError, shaped
from serve.proxy.client import Headers
from serve.proxy.relay import Relay

LOGGER = logging.getLogger(__name__)


class Request(Protocol):
    """A request whose head has come."""

    def answer(self, raw: bytes) -> Relay | Response:
        """Answer, since the payload has come."""

    def left(self) -> None:
        """Note that the client is gone, with some of the payload still to come."""


class Line(Protocol):
    """The client's connection, as far as an exchange on it has to know it."""

    transport: asyncio.Transport
    flow: FlowControl
    server_state: ServerState
    url: bytes

    def run(self, work: Relay, client: "Exchange") -> asyncio.Task[None]:
        """Start a relay."""

    def freed(self, exchange: "Exchange") -> None:
        """Go on to what comes next."""


class Exchange:
    """One request on a client's connection and its response: the relay's client, and to uvicorn one of its cycles."""

    message_event = asyncio.Event()  # uvicorn sets it for those who wait for a payload; nobody does here

    def __init__(self, protocol: Line, request: Request, *, keep_alive: bool) -> None:
        self.payload: list[bytes] = []
        self.keep_alive = keep_alive
        self.disconnected = self.response_complete = self.started = self.paused = False
        self._protocol, self._request = protocol, request
        self._complete = False
        self._relay: Relay | None = None
        self._task: asyncio.Task[None] | None = None
        self._unsent = b""
        self._chunked = False

    @property
    def gone(self) -> bool:
        """What uvicorn calls `disconnected`."""
        return self.disconnected

    @property
    def response_started(self) -> bool:
        """What uvicorn calls `started`."""
        return self.started

    def begin(self) -> None:
        """Answer the request."""
        if self.disconnected:
            return
        self._complete = True
        try:
            reply = self._request.answer(b"".join(self.payload))
        except Exception as error:
            self._fault(error)
            return
        if isinstance(reply, Relay):
            self._relay = reply
            self.paused = self._protocol.flow.write_paused
            self._task = self._protocol.run(reply, self)
        else:
            self.start(reply.status_code, reply.raw_headers)
            self.write(bytes(reply.body))
            self.end()

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """Give the head, which is sent with the first of the content."""
        self.started = True
        sized = length is not None or any(name == b"content-length" for name, _ in headers)
        self._chunked = not sized
        defaults = self._protocol.server_state.default_headers  # the date
        lines = [STATUS_LINE[status], *[b"%b: %b\r\n" % header for header in (*defaults, *headers)]]
        lines.append(b"content-length: %d\r\n" % length if length is not None else b"")
        lines.append(b"" if sized else b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        self._unsent = b"".join(lines)

    def write(self, raw: bytes) -> None:
        """Send some content, if somebody is still there to get it."""
        transport = self._protocol.transport
        if transport.is_closing():
            return
        if self._chunked:
            raw = b"%x\r\n%b\r\n" % (len(raw), raw)
        if self._unsent:
            raw = self._unsent + raw
            self._unsent = b""
        transport.write(raw)

    def end(self, raw: bytes = b"") -> None:
        """Send the last of the content, and in the same write what says so: every write wakes the client."""
        if self._chunked:
            framed = b"%x\r\n%b\r\n" % (len(raw), raw) if raw else b""
            self._chunked = False
            self.write(framed + b"0\r\n\r\n")
        elif raw:
            self.write(raw)
        self.response_complete = True
        self._protocol.freed(self)

    def pause(self) -> None:
        """Hold the engine back."""
        self.paused = True
        if self._relay:
            self._relay.pause()

    def resume(self) -> None:
        """Let the engine go on."""
        self.paused = False
        if self._relay:
            self._relay.resume()

    def abandon(self) -> None:
        """Abort the engine's request: the client is gone."""
        self.disconnected = True
        if not self._complete:
            self._request.left()
        if self._task:
            self._task.cancel()

    def over(self, task: asyncio.Task[None]) -> None:
        """Note that the relay has ended; if it didn't answer, then for a fault of ours or because the server stops."""
        relay, self._relay, self._task = self._relay, None, None
        if task.cancelled():
            self.keep_alive = False
            if relay and not self.response_complete:
                relay.cancelled(self)
        elif error := task.exception():
            self._fault(error)

    def _fault(self, error: BaseException) -> None:
        """Tell the log, and the client as much as it may know."""
        LOGGER.error("a request failed", exc_info=error)
        if not self.started and not self.disconnected:
            path = self._protocol.url.decode("latin-1")
            raw = json.dumps(shaped(InternalError("The router failed; its log says why."), path)).encode()
            self.keep_alive = False
            self.start(500, [(b"content-type", b"application/json")], len(raw))
            self.write(raw)
            self.end()
        else:
            self._protocol.transport.close()
