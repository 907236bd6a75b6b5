"""Serves the inference POSTs below ASGI, on the client's own connection: what an engine sends is written at once.

Whatever is unusual about a request (no length, a long payload, a query, a header twice, pipelining, HTTP/1.0) goes the
plain way through uvicorn to the application, which answers the same. That way costs three times the CPU time a request.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import uvicorn
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serve.proxy.exchange import Exchange, Request
from serve.proxy.relay import Relay

MAX_AHEAD = 65_536
"""Bytes that a client may send ahead of its answer; what comes beyond is read and dropped, so that we see it leave."""
MAX_BYTES = 2**20
"""Longest payload taken here; longer ones are rare, and the application reads them with care for memory."""


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

    def run(self, work: Relay, client: Exchange) -> asyncio.Task[None]:
        """Start a relay, as one of the tasks that a stopping server waits for."""
        task = self.loop.create_task(work.run(client))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(client.over)
        return task

    def freed(self, exchange: Exchange) -> None:
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
