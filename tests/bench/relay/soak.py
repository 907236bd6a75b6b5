"""Sends a great many requests through the router, a tenth of which are left half-way, and fails if it keeps memory.

The slope is that of a line through the resident memory since a tenth of the requests were sent, by when caches and
allocator have what they need; it is given per million requests, and per hour at the pace of this run.
"""

import argparse
import asyncio
import functools
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import linear_regression
from typing import cast

import httptools
import uvloop

from tests.bench.relay import peers
from tests.bench.relay.__main__ import engine
from tests.bench.relay.load import Scenario, payloads
from tests.bench.relay.peers import Peer

MOST_MB = 1.0
"""Megabytes that a million requests may leave behind."""
CONNECTIONS = 64
SAMPLES = 50
WHOLE, STREAMED = Scenario("whole", CONNECTIONS, 1_024), Scenario("streamed", CONNECTIONS, 1_024, chunks=5, pace_ms=2)


class Client(asyncio.Protocol):
    """A connection that sends one request, and ends it or leaves it."""

    def __init__(self, raw: bytes, leaves_after: float | None) -> None:
        self.over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._raw, self._leaves_after = raw, leaves_after
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        self._transport.write(head + b"content-length: %d\r\n\r\n" % len(self._raw) + self._raw)
        if self._leaves_after is not None:
            asyncio.get_running_loop().call_later(self._leaves_after, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if not self.over.done():
            self.over.set_result(self._parser.get_status_code() == 200)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(self._leaves_after is not None)


async def work(port: int, sent: Iterator[bytes], numbers: Iterator[int], wrong: list[int]) -> None:
    """Send requests until there are no more numbers."""
    chance = random.Random(0)
    loop = asyncio.get_running_loop()
    for number in numbers:
        leaves = chance.random() / 100 if chance.random() < 0.1 else None
        make = functools.partial(Client, next(sent), leaves)
        _, client = await loop.create_connection(make, "127.0.0.1", port)
        if not await client.over:
            wrong.append(number)


async def soak(peer: Peer, requests: int) -> tuple[list[tuple[float, float]], int]:
    """Send the requests; gives (number sent, megabytes resident) as they went, and how many answers were wrong."""
    pairs = zip(payloads(WHOLE, 3_000), payloads(STREAMED, 3_000), strict=True)
    mixed = itertools.chain.from_iterable(pairs)
    samples: list[tuple[float, float]] = []
    wrong: list[int] = []
    for part in range(SAMPLES):
        numbers = iter(range(part * requests // SAMPLES, (part + 1) * requests // SAMPLES))
        await asyncio.gather(*(work(peer.port, mixed, numbers, wrong) for _ in range(CONNECTIONS)))
        samples.append(((part + 1) * requests / SAMPLES, peer.resident_mb()))
        if part % 10 == 9:
            sys.stderr.write(f"{samples[-1][0]:,.0f} requests, {samples[-1][1]:.1f} MB\n")
    return samples, len(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--requests", type=int, default=1_000_000)
    asked = parser.parse_args()
    ports = [peers.free_port(), peers.free_port()]
    with (
        tempfile.TemporaryDirectory() as place,
        engine(ports),
        peers.started("polydraft", ports, Path(place) / "router", 1) as peer,
    ):
        began = time.monotonic()
        samples, wrong = uvloop.run(soak(peer, asked.requests))
        hours = (time.monotonic() - began) / 3_600
    settled = list(itertools.islice(samples, SAMPLES // 10, None))
    slope = linear_regression(*zip(*settled, strict=True)).slope * 1e6
    hourly = slope * asked.requests / 1e6 / hours
    line = f"{asked.requests:,} requests in {hours * 60:.1f} min, {wrong} wrong answers, {samples[-1][1]:.1f} MB,"
    sys.stdout.write(f"{line} {slope:+.2f} MB a million requests, {hourly:+.2f} MB an hour at this pace\n")
    sys.exit(0 if slope < MOST_MB and not wrong else 1)


if __name__ == "__main__":
    main()
