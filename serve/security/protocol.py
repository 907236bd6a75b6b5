"""The first to see a connection's bytes: keeps its limits, and lets nobody past the door who isn't let in.

A cooperative layer above uvicorn's protocol, so that whatever answers requests, on ASGI or below it, stands behind it.
It counts bytes and time, never looks into a payload, and takes no clock reading or timer a chunk: one sweep over all
connections twice a second finds those that are late.
"""

import asyncio
import json
import sys
from typing import Any, cast

import httptools
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from serve import request_id
from serve.errors import (
    HeadTooLarge,
    MalformedRequest,
    RequestError,
    RequestTimeout,
    TooManyConnections,
    Unauthorized,
    shaped,
)
from serve.security.door import hop_by_hop
from serve.security.entrance import Entrance

_LINGER = 5.0
"""Seconds in which a refused client may finish sending: closing on unread bytes would take the answer from it too."""
_FRAMING_BYTES = 16 * 1024
_FRAMING_RATIO = 8
"""Bytes of chunk headers, extensions and trailers that a chunked payload may have, beside so many a byte of content:
a chunk of one byte has five, and an extension may be as long as a client likes."""

_IDLE, _HEAD, _PAYLOAD, _ENDING = range(4)


class Guarded(HttpToolsProtocol):
    """One connection; what it is waiting for, and until when (in the loop's time, None while nothing is owed)."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._entrance: Entrance = cast(Any, config.app).state.entrance
        self._door = self._entrance.door
        self._limits = self._door.limits
        self._phase = _HEAD
        self._deadline: float | None = None
        self._received = 0
        self._content = 0
        self._running = 0
        self._upgrading = False
        self._told = False  # whether the request that comes in has its line in the log, or will have
        self.url = b""
        self._unreadable: RequestError = MalformedRequest("The request isn't HTTP/1.1 as this server reads it.")
        self._segment = self._again = b""
        if cast(Any, config.app).state.tls:  # the handshake comes first, and nobody tells us if it fails
            self._entrance.enter(self)
            self._deadline = self.loop.time() + self._limits.head_seconds + _LINGER

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a head, or end at once if there are too many connections."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + self._limits.head_seconds
        if not self._entrance.enter(self):
            self._end(TooManyConnections(f"There are {self._limits.connections} connections already."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        self._entrance.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count, parse, and see whether the limits still hold."""
        while data and self._phase != _ENDING:
            if self._phase == _IDLE:
                self._expect_head()
            self._received += len(data)
            self._segment, self._again = data, b""
            super().data_received(data)
            data = self._again
        self._segment = self._again = b""
        if self._phase == _HEAD and self._received > self._limits.head_bytes:
            self._end(HeadTooLarge(f"The request's head is larger than {self._limits.head_bytes} bytes."))
        elif self._phase == _PAYLOAD and self._received > _FRAMING_BYTES + _FRAMING_RATIO * self._content:
            self._end(MalformedRequest("The payload's chunks are more frame than content."))

    def on_message_begin(self) -> None:
        """Start to wait for the rest of a head."""
        if self._phase == _IDLE:  # pipelined, in a segment that an earlier request began
            self._expect_head()
        self._told = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Judge the head; a refused request is answered by uvicorn's own path, in its turn, and seen by nobody else."""
        self._phase = _PAYLOAD
        self._deadline = self.loop.time() + self._limits.payload_seconds
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._upgrading = True
            return
        refusal = self._door.refusal(self.parser.get_http_version(), self.url, self.headers, self._received)
        self._received = self._content = 0
        self._running += 1
        self._told = not isinstance(refusal, MalformedRequest | HeadTooLarge)
        if refusal and not self._told:
            self._unreadable = refusal
            raise httptools.HttpParserError  # what follows may not be what it seems: the parser is to stop here
        if refusal:
            self._answer(refusal)
            return
        if named := hop_by_hop(self.headers):
            self.headers[:] = [header for header in self.headers if header[0] not in named]
        super().on_headers_complete()
        self.headers = []  # what a trailer says comes too late to be a header

    def on_body(self, body: bytes) -> None:
        """Count what is content."""
        self._content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing, now that the request is whole."""
        if self._upgrading:
            return
        self._phase = _IDLE
        self._deadline = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Count requests that run; what has come of the next one has its time from here on."""
        self._running -= 1
        if self._phase == _HEAD:
            self._deadline = self.loop.time() + self._limits.head_seconds
        elif self.pipeline:
            self._deadline = self.loop.time() + self._limits.payload_seconds
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser couldn't read."""
        self._end(self._unreadable)

    def eof_received(self) -> None:
        """Close, if that is what was waited for."""
        if self._phase == _ENDING:
            self.transport.close()
        super().eof_received()

    def check(self, now: float) -> None:
        """End the connection if what it owes is late; called twice a second."""
        if self._deadline is None or now < self._deadline:
            return
        if self.transport is None:  # the listener has ended the handshake by now
            self._entrance.leave(self)
            return
        if self._running > (self._phase == _PAYLOAD):
            return  # an earlier request's answer runs, and takes as long as it takes
        if self._phase == _ENDING or (self._phase == _HEAD and not self._received):
            self.transport.close()
        elif self._phase == _PAYLOAD:
            self._end(RequestTimeout(f"The payload didn't come in {self._limits.payload_seconds:g} seconds."))
        elif self._phase == _HEAD:
            self._end(RequestTimeout(f"The request's head didn't come in {self._limits.head_seconds:g} seconds."))

    def _expect_head(self) -> None:
        self._phase = _HEAD
        self._deadline = self.loop.time() + self._limits.head_seconds
        self._received = 0

    def _unsupported_upgrade_warning(self) -> None:
        """Read a request that offers another protocol again, without its offer.

        The parser takes what follows such a head for the other protocol, the payload included; Java's HTTP client
        offers h2c with every request. Called where uvicorn handles the parser's HttpParserUpgrade, which says where in
        the segment the head ended.
        """
        upgrade = sys.exception()
        if not self._upgrading or not isinstance(upgrade, httptools.HttpParserUpgrade):  # CONNECT, which has its answer
            self._phase = _ENDING
            self.shutdown()
            return
        rest = self._segment[upgrade.args[0] :]
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._upgrading = False
        self._phase = _IDLE
        self._again = b"\r\n".join([*lines, b"", b""]) + rest

    def _answer(self, error: RequestError) -> None:
        """Let uvicorn answer with an error; what the client is still sending is read and dropped, for a while."""
        name = request_id.of(self.headers)
        self._entrance.refused(error, name, self.parser.get_method(), self.url)
        self._deadline = self.loop.time() + _LINGER
        app, self.app = self.app, _Answer(error, name)
        try:
            HttpToolsProtocol.on_headers_complete(self)
        finally:
            self.app = app

    def _end(self, error: RequestError) -> None:
        """Say what is wrong and end the connection; say nothing where that would end up in another answer."""
        name = request_id.of(self.headers or [])
        self._entrance.refused(error, None if self._told and self._phase == _PAYLOAD else name)
        begun = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if begun or self._running != (self._phase == _PAYLOAD) or self.transport.is_closing():
            self.transport.close()
            return
        self._phase = _ENDING
        self._deadline = self.loop.time() + _LINGER
        self.transport.write(_written(error, name, self.url.partition(b"?")[0].decode("latin-1")))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()


class _Answer:
    """An ASGI application that answers with one error, whatever is asked."""

    def __init__(self, error: RequestError, request_id: str) -> None:
        self._error, self._id = error, request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = json.dumps(shaped(self._error, scope["path"])).encode()
        headers = [*_headers(self._error, self._id), (b"content-length", str(len(raw)).encode())]
        await send({"type": "http.response.start", "status": self._error.status, "headers": headers})
        await send({"type": "http.response.body", "body": raw})


def _headers(error: RequestError, name: str) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", b"application/json"), (request_id.HEADER.encode(), name.encode())]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def _written(error: RequestError, name: str, path: str) -> bytes:
    """Write a whole answer that ends its connection, in the shape of the path's API."""
    raw = json.dumps(shaped(error, path)).encode()
    headers = [*_headers(error, name), (b"content-length", str(len(raw)).encode()), (b"connection", b"close")]
    return STATUS_LINE[error.status] + b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n" + raw
