"""The load: keep-alive connections that send one request after another, and note when each byte came."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httptools

from tests.bench.relay.upstream import CHUNK_BYTES, LATER

REQUESTS = Path(__file__).parents[2] / "data" / "requests" / "dev.jsonl"
_TURNS = 20
"""Texts that a language must have to make a conversation of."""
_WRITTEN = re.compile(rb'"written": ?(\d{19})')


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is asked: `payload_bytes` long, by so many connections at once; `chunks` of 0 is a whole answer."""

    name: str
    connections: int
    payload_bytes: int
    chunks: int = 0
    pace_ms: int = 0


@dataclass(slots=True)
class Tally:
    """What came: times in microseconds. `errors` counts answers that weren't what was asked for."""

    requests: int = 0
    chunks: int = 0
    errors: int = 0
    total_us: list[float] = field(default_factory=list)
    first_us: list[float] = field(default_factory=list)
    delay_us: list[float] = field(default_factory=list)


def payloads(scenario: Scenario, number: int) -> Iterator[bytes]:
    """Give payloads without end, `number` of them different: real requests, joined to a conversation of the length.

    A conversation stays in its language, as people do; languages come as often as in the requests.
    """
    texts = _texts()
    spoken = [language for language, own in texts.items() for _ in own if len(own) >= _TURNS]
    made = [_payload(scenario, texts[spoken[index * 37 % len(spoken)]], index) for index in range(number)]
    return itertools.cycle(made)


def _texts() -> dict[str, list[str]]:
    """Give what users said, by the language of the answer that they expect."""
    texts: dict[str, list[str]] = {}
    for line in REQUESTS.read_text(encoding="utf-8").splitlines():
        request = json.loads(line)
        chat = request["payload"].get("messages")
        if chat and isinstance(chat[-1].get("content"), str):
            texts.setdefault(request["language"], []).append(chat[-1]["content"])
    return texts


def _payload(scenario: Scenario, texts: list[str], index: int) -> bytes:
    messages: list[dict[str, str]] = []
    payload: dict[str, Any] = {"model": "demo", "messages": messages, "user": f"{index}"}
    payload |= {"max_tokens": scenario.chunks or 16, "seed": scenario.pace_ms}
    if scenario.chunks:
        payload["stream"] = True
    room = scenario.payload_bytes - len(json.dumps(payload))
    for turn in itertools.count():
        text = texts[(index * 37 + turn) % len(texts)]
        message = {"role": "assistant" if turn % 2 else "user", "content": text}
        room -= len(json.dumps(message, ensure_ascii=False).encode()) + 2
        if room < 0 and turn % 2 == 1:
            break
        messages.append(message)
        if room < 0:
            break
    return json.dumps(payload, ensure_ascii=False).encode()


class Connection(asyncio.Protocol):
    """One connection of the load."""

    def __init__(self, scenario: Scenario, sent: Iterator[bytes], tally: Tally, until: float) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._scenario, self._sent, self._tally, self._until = scenario, sent, tally, until

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._tally.errors += 1
            self.ended.set_result(None)

    def _ask(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._first = 0.0
        self._length = 0
        self._tail = b""
        raw = next(self._sent)
        self._started = time.perf_counter()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: load/1\r\naccept: */*\r\n"
        head += b"accept-encoding: identity\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(raw)
        self._transport.write(head + raw)

    def data_received(self, data: bytes) -> None:
        if self._scenario.chunks:
            now = time.monotonic_ns()
            written = _WRITTEN.findall(data)
            self._tally.delay_us.extend((now - int(at) + LATER) / 1_000 for at in written)
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if not self._first:
            self._first = time.perf_counter()
        self._length += len(body)
        self._tail = body[-16:]

    def on_message_complete(self) -> None:
        now, tally, scenario = time.perf_counter(), self._tally, self._scenario
        tally.requests += 1
        tally.chunks += scenario.chunks
        tally.total_us.append((now - self._started) * 1e6)
        tally.first_us.append((self._first - self._started) * 1e6)
        right = self._tail.endswith(b"[DONE]\n\n") or not scenario.chunks
        right &= self._length >= (scenario.chunks * CHUNK_BYTES * 0.8 or 1_000)
        tally.errors += not (right and self._parser.get_status_code() == 200)
        if now < self._until:
            asyncio.get_running_loop().call_soon(self._ask)
        else:
            self.ended.set_result(None)
            self._transport.close()


async def drive(port: int, scenario: Scenario, sent: Iterator[bytes], seconds: float) -> Tally:
    """Load a port for so long, and until the last answer has come."""
    tally = Tally()
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(scenario, sent, tally, until), "127.0.0.1", port)
        for _ in range(scenario.connections)
    ]
    await asyncio.wait_for(asyncio.gather(*(connection.ended for _, connection in made)), seconds + 30)
    return tally
