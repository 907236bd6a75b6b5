"""The least that a relay in Python can be: bytes in, bytes out, told apart by httptools. Shows what our own adds to it.

It chooses nothing, checks nothing and counts nothing. Run as a program: `bare.py PORT ENGINE_PORT`.
"""

import asyncio
import sys
from typing import cast

import httptools
import uvloop

IDLE: list["Engine"] = []


class Engine(asyncio.Protocol):
    """A connection to the engine, which goes from client to client."""

    client: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, raw: bytes, client: asyncio.Transport, *, keep: bool) -> None:
        self.client, self._parser, self._keep = client, httptools.HttpResponseParser(self), keep
        self.transport.write(raw)

    def data_received(self, data: bytes) -> None:
        if self.client:
            self.client.write(data)
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.client = None
        if self._keep:
            IDLE.append(self)


class Client(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, engine_port: int) -> None:
        self._port = engine_port
        self._parser = httptools.HttpRequestParser(self)
        self._raw: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._raw.append(data)
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        self._keep = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        raw, self._raw = b"".join(self._raw), []
        if IDLE:
            IDLE.pop().send(raw, self._transport, keep=self._keep)
        else:
            self._opening = asyncio.get_running_loop().create_task(self._open(raw))

    async def _open(self, raw: bytes) -> None:
        _, engine = await asyncio.get_running_loop().create_connection(Engine, "127.0.0.1", self._port)
        engine.send(raw, self._transport, keep=self._keep)


async def serve(port: int, engine_port: int) -> None:
    await asyncio.get_running_loop().create_server(lambda: Client(engine_port), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
