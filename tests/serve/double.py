"""Servers for tests of the wire: a router on loopback, and an engine double that answers as told, or breaks as told.

The double speaks HTTP by hand, since the faults it has to make (a reset in mid-answer, silence, half an event) are what
every HTTP server takes care not to do.
"""

import asyncio
import contextlib
import functools
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvloop
from prometheus_client.parser import text_string_to_metric_families

from serve import app, otel
from serve import server as serving
from serve.routing import language
from serve.routing.lane import Lane
from serve.routing.policy import Row
from serve.settings import Settings

T = TypeVar("T")
Behaviour = Callable[["Exchange"], Awaitable[None]]

SPECULATIVE = {
    "acceptance_histogram": [1, 2, 3],
    "num_spec_steps": 6,
    "num_accepted_draft_tokens": 8,
    "num_draft_tokens": 12,
}
METRICS = {"queue_time_ms": 1.0, "time_to_first_token_ms": 9.0, "generation_time_ms": 100.0}
USAGE = {"prompt_tokens": 5, "completion_tokens": 15, "total_tokens": 20}


@dataclass
class Exchange:
    """One request that the double got, and the connection to answer on."""

    path: str
    headers: dict[str, str]
    payload: dict[str, Any]
    writer: asyncio.StreamWriter
    closed: asyncio.Event
    raw: bytes

    async def head(self, status: int, content_type: str, *more: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", *more, "", ""]
        await self.send("\r\n".join(lines).encode())

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def whole(self, answer: object, status: int = 200) -> None:
        raw = json.dumps(answer).encode()
        await self.head(status, "application/json", f"content-length: {len(raw)}")
        await self.send(raw)

    async def start_stream(self) -> None:
        await self.head(200, "text/event-stream; charset=utf-8", "transfer-encoding: chunked")

    async def chunk(self, raw: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(raw), raw))

    async def event(self, answer: object) -> None:
        await self.chunk(b"data: " + json.dumps(answer, separators=(",", ":")).encode() + b"\n\n")

    async def end_stream(self) -> None:
        await self.chunk(b"data: [DONE]\n\n")
        await self.send(b"0\r\n\r\n")


async def answer(exchange: Exchange) -> None:
    """Answer as a speculating vLLM does, whole or streamed."""
    metrics = {**METRICS, "speculative_decoding": SPECULATIVE}
    if not exchange.payload.get("stream"):
        choices = [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]
        return await exchange.whole({"id": "x", "choices": choices, "usage": USAGE, "metrics": metrics})
    await exchange.start_stream()
    for text in ("hel", "lo"):
        await exchange.event(delta(text))
    options = exchange.payload.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        await exchange.event({"id": "x", "choices": [], "usage": USAGE, "metrics": metrics})
    return await exchange.end_stream()


def delta(text: str) -> dict[str, Any]:
    return {"id": "x", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}


@dataclass
class Engine:
    """An engine double: answers by `behaviour`, remembers what it was asked."""

    url: str = ""
    behaviour: Behaviour = answer
    healthy: bool = True
    silent_probes: int = 0
    version: str = "0.0.double"
    context: int = 300_000
    metrics: bytes = b""
    scrapes: int = 0
    got: list[Exchange] = field(default_factory=list)
    connections: set[asyncio.StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    await self._serve(await _read(reader, writer), reader)
        finally:  # whatever a test's behaviour raises, the engine can still be closed
            writer.close()
            self.connections.discard(writer)

    async def _serve(self, exchange: Exchange, reader: asyncio.StreamReader) -> None:
        if exchange.path == "/health":
            if self.silent_probes > 0:
                self.silent_probes -= 1
                await asyncio.sleep(1)
            return await exchange.whole({}, 200 if self.healthy else 503)
        if exchange.path == "/version":
            return await exchange.whole({"version": self.version})
        if exchange.path == "/v1/models":
            return await exchange.whole({"object": "list", "data": [{"id": "demo", "max_model_len": self.context}]})
        if exchange.path == "/metrics":
            self.scrapes += 1
            await exchange.head(200, "text/plain; version=0.0.4", f"content-length: {len(self.metrics)}")
            return await exchange.send(self.metrics)
        self.got.append(exchange)
        watch = asyncio.create_task(_watch(reader, exchange.closed))
        try:
            await self.behaviour(exchange)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        return None


async def _watch(reader: asyncio.StreamReader, closed: asyncio.Event) -> None:
    """Set `closed` when the other side goes; it sends nothing while it waits for an answer."""
    with contextlib.suppress(ConnectionError):
        if not await reader.read(1):
            closed.set()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    payload = json.loads(raw) if raw else {}
    return Exchange(head[0].split(" ")[1], headers, payload, writer, asyncio.Event(), raw)


class Loop:
    """The shipped event loop in a thread, for servers that synchronous tests talk to."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(90)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextmanager
def engine(loop: Loop) -> Iterator[Engine]:
    """Run an engine double."""
    double = Engine()
    server = double.server = loop.call(_listen(double))
    double.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield double
    finally:
        loop.call(_close(server, double))


async def _listen(double: Engine) -> asyncio.Server:
    return await asyncio.start_server(double.connected, "127.0.0.1", 0, limit=2**20)


async def _close(server: asyncio.Server, double: Engine) -> None:
    server.close()
    for connection in list(double.connections):
        connection.close()
    while double.connections:
        await asyncio.sleep(0.01)


_identify = functools.cache(language.load)


def settings(lanes: tuple[Lane, ...], table: tuple[Row, ...] = (), **more: Any) -> Settings:
    """Settings for a router of these lanes, independent of the environment."""
    short = {"probe_interval": 0.05, "drain_timeout": 2}
    return Settings(model="demo", lanes=lanes, table=table or (Row("*", "*", ()),), **{**short, **more})


@contextmanager
def router(
    loop: Loop, wanted: Settings, *, direct: bool = True, traces: otel.Traces | None = None, port: int = 0
) -> Iterator[str]:
    """Run a router; gives its base URL. Without `direct` it answers everything through ASGI."""
    stack = contextlib.AsyncExitStack()
    url = loop.call(stack.enter_async_context(_serving(wanted, direct, traces, port)))
    try:
        yield url
    finally:
        loop.call(stack.aclose())


@asynccontextmanager
async def _serving(wanted: Settings, direct: bool, traces: otel.Traces | None, port: int) -> AsyncIterator[str]:
    async with app.running(wanted, _identify(), traces) as application:
        if not direct:
            application.state.direct = {}
        server = serving.Server(serving.config(wanted, application))
        with contextlib.suppress(AttributeError):
            server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        listener = serving.listener(("127.0.0.1", port))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"{'https' if wanted.tls_cert_file else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition that another thread makes true; fails the test if it doesn't come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition didn't come true"
        time.sleep(0.02)


def metric(text: str, name: str, **labels: str) -> float:
    """Add up the samples of a Prometheus exposition that have these labels; 0 if none has."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())
