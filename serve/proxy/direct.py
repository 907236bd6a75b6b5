"""Serves the inference POSTs below ASGI, on the client's own connection: what an engine sends is written at once.

Whatever is unusual about a request (no length, a long payload, a query, a header twice, pipelining, HTTP/1.0) goes the
plain way through uvicorn to the application, which answers the same. That way costs three times the CPU time a request.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import uvicorn
from starlette.responses import Response
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serve.errors import InternalError, shaped
from serve.proxy.client import Headers
from serve.proxy.relay import Relay

LOGGER = logging.getLogger(__name__)

MAX_AHEAD = 65_536
"""Bytes that a client may send ahead of its answer; what comes beyond is read and dropped, so that we see it leave."""
MAX_BYTES = 2**20
"""Longest payload taken here; longer ones are rare, and the application reads them with care for memory."""


class Request(Protocol):
    """A request whose head has come."""

    def answer(self, raw: bytes) -> Relay | Response:
        """Answer, since the payload has come."""

    def left(self) -> None:
        """Note that the client is gone, with some of the payload still to come."""


Accept = Callable[[Mapping[str, str]], Request]
"""Takes a request, given its headers by lower-case name."""


class Direct(HttpToolsProtocol):
    """A client's connection. `config.app.state.direct` gives the paths that are served here, and who answers them;
    `draining` says that the server is about to stop, `client_timeout` how many seconds a client may read nothing.

    The connection is read while an answer runs, also behind pipelined requests: only who reads sees a client leave.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._state = cast(Any, config.app).state
        self._served: Mapping[bytes, Accept] = self._state.direct
        self._exchange: Exchange | None = None
        self._plain: RequestResponseCycle | None = None  # what runs, or ran last, in the application
        self._ahead = 0
        self._dropping = False
        self._stuck: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End what was running: its client is gone."""
        if self._stuck:
            self._stuck.cancel()
        if self._exchange:
            self._exchange.abandon()
        super().connection_lost(exc)
        if self._plain and not self._plain.response_complete:  # uvicorn tells the last in line alone
            self._plain.disconnected = True
            self._plain.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Read on behind a pipelined request, where uvicorn would stop."""
        super().data_received(data)
        if not self.pipeline:
            self._ahead = 0
            return
        self._ahead += len(data)
        if self._ahead > MAX_AHEAD:
            self._drop_pipeline()
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def shutdown(self) -> None:
        """End the connection, once nothing runs on it."""
        if not self._dropping:
            super().shutdown()

    def on_headers_complete(self) -> None:
        """Take the request if there is nothing unusual about it. A server about to stop keeps no connection open."""
        self._take()
        if self._state.draining:
            self.cycle.keep_alive = False

    def _take(self) -> None:
        accept = self._served.get(self.url)
        headers = self._usual_headers() if accept and self.parser.get_method() == b"POST" else None
        if accept is None or headers is None:
            return super().on_headers_complete()
        self._exchange = Exchange(self, accept(headers), keep_alive=self.parser.should_keep_alive())
        self.cycle = cast(Any, self._exchange)  # it has all that uvicorn asks of one
        return None

    def on_body(self, body: bytes) -> None:
        """Keep some of the payload."""
        if self._exchange and self.cycle is cast(Any, self._exchange):
            self._exchange.payload.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer, since the payload is complete."""
        exchange = self._exchange
        if exchange and self.cycle is cast(Any, exchange):
            exchange.begin()
        else:
            super().on_message_complete()

    def pause_writing(self) -> None:
        """Hold the engine back: the client reads more slowly than it writes."""
        super().pause_writing()
        self._look_after(self.transport.get_write_buffer_size())
        if self._exchange:
            self._exchange.pause()

    def resume_writing(self) -> None:
        """Let the engine go on."""
        super().resume_writing()
        if self._stuck:
            self._stuck.cancel()
            self._stuck = None
        if self._exchange:
            self._exchange.resume()

    def run(self, work: Relay, client: "Exchange") -> asyncio.Task[None]:
        """Start a relay, as one of the tasks that a stopping server waits for."""
        task = self.loop.create_task(work.run(client))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(client.over)
        return task

    def freed(self, exchange: "Exchange") -> None:
        """Go on to what comes next on this connection."""
        if self._exchange is exchange:
            self._exchange = None
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self._dropping:
            cycle.response_complete = True  # nobody will answer it, so its payload isn't kept
        else:
            self._plain = cycle
            super()._start_asgi_task(cycle, app)

    def _drop_pipeline(self) -> None:
        """Answer what runs and close then; a client that pipelines has to be ready for that (RFC 9112, 9.3.2)."""
        self._dropping = True
        running = self._exchange or self._plain
        if running:
            running.keep_alive = False
        for cycle, _ in self.pipeline:
            cycle.response_complete = True
            cycle.body = bytearray()
        self.pipeline.clear()

    def _look_after(self, unsent: int) -> None:
        """Give a client up that has read nothing for too long: it holds a place in its engine."""
        self._stuck = self.loop.call_later(self._state.client_timeout, self._look, unsent)

    def _look(self, unsent: int) -> None:
        now = self.transport.get_write_buffer_size()
        if now < unsent:
            self._look_after(now)
        else:
            self.transport.abort()

    def _usual_headers(self) -> dict[str, str] | None:
        """Give the request's headers by name; None if the request has to go the plain way."""
        if self._dropping or (self.cycle is not None and not self.cycle.response_complete):
            return None  # pipelined
        if self.limit_concurrency is not None or self.parser.get_http_version() != "1.1" or self.expect_100_continue:
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        length = headers.get("content-length", "")
        unusual = len(headers) < len(self.headers) or "transfer-encoding" in headers or self.parser.should_upgrade()
        return None if unusual or not length.isdigit() or int(length) > MAX_BYTES else headers


class Exchange:
    """One request on a client's connection and its response: the relay's client, and to uvicorn one of its cycles."""

    message_event = asyncio.Event()  # uvicorn sets it for those who wait for a payload; nobody does here

    def __init__(self, protocol: Direct, request: Request, *, keep_alive: bool) -> None:
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

    def end(self) -> None:
        """Say that all was sent."""
        if self._chunked and not self._protocol.transport.is_closing():
            self._protocol.transport.write(b"0\r\n\r\n")
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
