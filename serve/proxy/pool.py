"""The connections to one engine: made when needed, kept for a while, and replaced when the engine closed one first."""

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from serve.errors import EngineUnreachable
from serve.proxy.connection import Connection, ConnectionLost, Patience, Receiver

KEEP = 3.0
"""Seconds that an idle connection is used again: below the 5 s after which vLLM's server closes its end."""


class Pool:
    """Connections to a base URL; the one that was used last is used first, so that the others may grow old.

    `headers` go with every request.
    """

    def __init__(self, url: str, connect_timeout: float, credentials: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        own = {"host": parts.netloc, "accept-encoding": "identity", **(credentials or {})}
        self._head = "".join([f"{name}: {value}\r\n" for name, value in own.items()])
        self._connect_timeout = connect_timeout
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()

    def request(self, method: str, path: str, payload: bytes | None, headers: Mapping[str, str]) -> bytes:
        """Write a request as it goes over the wire."""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}{_lines(headers)}"
        if payload is None:
            return f"{head}\r\n".encode("latin-1")
        return (
            f"{head}content-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n".encode("latin-1")
            + payload
        )

    async def exchange(self, request: bytes, receiver: Receiver, patience: Patience) -> None:
        """Send a request; raises EngineUnreachable if no connection can be made, else what Connection.exchange raises.

        An engine may close a connection just when we use it again. A generation changes nothing in the engine, so it is
        then simply sent on a new one. Where none can be made, it was the request that the engine died of.
        """
        kept = self._kept()
        if kept is None:
            return await self._exchange(await self._connect(), request, receiver, patience)
        try:
            return await self._exchange(kept, request, receiver, patience)
        except ConnectionLost as lost:
            if not lost.unanswered:
                raise
            try:
                fresh = await self._connect()
            except EngineUnreachable:
                raise lost from None
        return await self._exchange(fresh, request, receiver, patience)

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._open):
            connection.close()

    async def _exchange(self, connection: Connection, request: bytes, receiver: Receiver, patience: Patience) -> None:
        try:
            await connection.exchange(request, receiver, patience)
        finally:  # a client that left just as its answer came to the end costs no connection
            if connection.reusable:
                connection.idle_since = asyncio.get_running_loop().time()
                self._idle.append(connection)

    def _kept(self) -> Connection | None:
        if not self._idle:
            return None
        if asyncio.get_running_loop().time() - self._idle[-1].idle_since < KEEP:
            return self._idle.pop()
        for old in self._idle:  # the youngest is too old, so all are
            old.close()
        self._idle.clear()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context() if self._tls else None
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(self._make, self._host, self._port, ssl=context)
        except OSError as error:  # a time-out is one too
            raise EngineUnreachable(f"The engine can't be reached ({type(error).__name__}).") from error
        self._open.add(connection)
        return connection

    def _make(self) -> Connection:
        return Connection(self._forget)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


def _lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
