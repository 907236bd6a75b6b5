"""What the live page costs the relay: a router's CPU time a request without it, with it, and with pages that listen.

    python -m tests.bench.pages --pages 10 --requests 2000 --rounds 7

Routers are processes of their own before an engine that costs nothing. Rounds take turns, so that whatever else the
machine does falls on all alike; CPU time, unlike time, doesn't count what others take.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp

_ENGINE = Path(__file__).parent / "relay" / "upstream.py"
_CONNECTIONS = 16
_PAYLOAD = {"messages": [{"role": "user", "content": "What is a MAC address?"}], "stream": True, "max_tokens": 20}


def cpu(pid: int) -> float:
    """Give the CPU seconds, user and system, that a process has used, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text(encoding="ascii").split()[0]) for each in threads) / 1e9


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    """Run a process; gives its id."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def router(engine: int, port: int, *, page: bool) -> contextlib.AbstractContextManager[int]:
    """Run a router with two lanes."""
    lanes = [
        {"name": "body", "upstream": f"http://127.0.0.1:{engine}"},
        {"name": "mtp", "upstream": f"http://localhost:{engine}", "method": "mtp", "draft_tokens": 2},
    ]
    environment = {
        "POLYDRAFT_MODEL": "demo",
        "POLYDRAFT_LANES": json.dumps(lanes),
        "POLYDRAFT_PORT": str(port),
        "POLYDRAFT_PAGE": str(page),
    }
    return running([sys.executable, "-m", "serve", "serve"], environment)


async def load(url: str, requests: int) -> None:
    """Send streamed requests over a few connections."""
    left = iter(range(requests))
    async with aiohttp.ClientSession() as client:

        async def work() -> None:
            for _ in left:
                async with client.post(f"{url}/v1/chat/completions", json=_PAYLOAD) as response:
                    assert response.status == 200
                    await response.read()

        await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))


@asynccontextmanager
async def listening(url: str, pages: int) -> AsyncIterator[list[int]]:
    """Hold so many streams of the page open; gives how many bytes each has read."""
    read = [0] * pages

    async def listen(number: int) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(f"{url}/v1/live") as response:
            assert response.status == 200
            async for chunk in response.content.iter_any():
                read[number] += len(chunk)

    tasks = [asyncio.create_task(listen(number)) for number in range(pages)]
    await asyncio.sleep(1.5)
    try:
        yield read
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measured(url: str, pid: int, requests: int) -> tuple[float, float]:
    """Give the CPU microseconds a request, and the seconds that the load took."""
    began, used = time.monotonic(), cpu(pid)
    await load(url, requests)
    return (cpu(pid) - used) / requests * 1e6, time.monotonic() - began


async def ready(url: str) -> None:
    """Wait until a router's lanes are up."""
    async with aiohttp.ClientSession() as client:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(f"{url}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.2)


async def compare(bare: tuple[str, int], paged: tuple[str, int], wanted: argparse.Namespace) -> None:
    """Take turns and print medians."""
    found: dict[str, list[float]] = {"page switched off": [], "page on, nobody looks": [], "pages open": []}
    idle = []
    for url, pid in (bare, paged):
        await ready(url)
        await measured(url, pid, wanted.requests)  # warms caches up
    for _ in range(wanted.rounds):
        found["page switched off"].append((await measured(*bare, wanted.requests))[0])
        found["page on, nobody looks"].append((await measured(*paged, wanted.requests))[0])
        async with listening(paged[0], wanted.pages) as read:
            found["pages open"].append((await measured(*paged, wanted.requests))[0])
            used, began = cpu(paged[1]), time.monotonic()
            await asyncio.sleep(5)
            idle.append((cpu(paged[1]) - used) / (time.monotonic() - began))
            assert all(read), "a page read nothing"
    for name, values in found.items():
        spread = f"{min(values):.0f} to {max(values):.0f}"
        print(f"{name:24} {statistics.median(values):7.0f} us of CPU a request ({spread})")  # noqa: T201
    print(f"{wanted.pages} pages without load: {statistics.median(idle):.2%} of a core")  # noqa: T201


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    wanted = parser.parse_args()
    engine, bare, paged = free_port(), free_port(), free_port()
    with (
        running([sys.executable, str(_ENGINE), str(engine)], {}),
        router(engine, bare, page=False) as bare_pid,
        router(engine, paged, page=True) as paged_pid,
    ):
        urls = (f"http://127.0.0.1:{bare}", bare_pid), (f"http://127.0.0.1:{paged}", paged_pid)
        asyncio.run(compare(*urls, wanted))


if __name__ == "__main__":
    main()
