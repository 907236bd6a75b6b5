"""Requests for a simulated box: every prompt of a file, drawn at random, so many at a time, in a closed loop."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from serve.bench.prompts import TASKS, load
from serve.errors import ConfigError

_COMMON = 4  # times that prose comes for each other task: most of what people ask


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many requests to send, how many of them at once."""

    requests: int
    concurrency: int


async def send(url: str, traffic: Traffic, rng: random.Random, progress: Callable[[int, int], None]) -> None:
    """Send it all. Raises ConfigError if the router refuses a request."""
    prompts = [prompt.text for prompt in load(TASKS) for _ in range(_COMMON if prompt.task == "prose" else 1)]
    chosen = [rng.choice(prompts) for _ in range(traffic.requests)]
    done = 0

    async def work(client: aiohttp.ClientSession) -> None:
        nonlocal done
        while chosen:
            payload = {"messages": [{"role": "user", "content": chosen.pop()}]}
            async with client.post(f"{url}/v1/chat/completions", json=payload) as response:
                if response.status != 200:
                    raise ConfigError(f"the router answered {response.status}: {(await response.text())[:200]}")
                await response.read()
            done += 1
            progress(done, traffic.requests)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as client:
        workers = [asyncio.create_task(work(client)) for _ in range(traffic.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)  # else asyncio prints what nobody looked at
