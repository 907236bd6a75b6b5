"""One simulated answer as its engine decodes it: how many tokens each step gives, and how long each takes.

Times are the box's own: a simulation that runs faster than life reports what the box would have reported.
"""

import asyncio
import math
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.sim.box import Box


@dataclass
class Seats:
    """How many requests an engine works on at once, how many it does, and how many times faster than life it is."""

    limit: int
    speed: float
    running: int = 0
    waiting: int = 0
    free: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self) -> float:
        """Wait for a seat; gives the box's seconds that this took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.waiting += 1
        try:
            async with self.free:
                await self.free.wait_for(lambda: self.running < self.limit)
                self.running += 1
        finally:
            self.waiting -= 1
        return (loop.time() - began) * self.speed

    async def leave(self) -> None:
        """Give a seat back."""
        async with self.free:
            self.running -= 1
            self.free.notify()


@dataclass
class Work:
    """One answer: what is wanted, and what came of it. Seconds are the box's."""

    lane: Lane
    cell: Cell
    prompt_tokens: int
    tokens: int
    queued: float = 0.0
    first: float = 0.0
    spent: float = 0.0
    done: int = 0
    drafted: int = 0
    accepted: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    circling: bool = False

    @property
    def batch(self) -> float:
        """How many requests the engine worked on, on average."""
        return sum(self.batches) / len(self.batches) if self.batches else 1.0

    def metrics(self) -> dict[str, Any]:
        """Say what vLLM says of one request with --enable-per-request-metrics and its acceptance `detailed`."""
        decoded = self.done - 1
        whole = self.first + self.spent
        return {
            "time_to_first_token_ms": self.first * 1000,
            "generation_time_ms": self.spent * 1000,
            "queue_time_ms": self.queued * 1000,
            "mean_itl_ms": self.spent / decoded * 1000 if decoded > 0 else None,
            "tokens_per_second": self.done / whole if whole > 0 else None,
            "speculative_decoding": self._acceptance() if self.lane.drafts else None,
        }

    def _acceptance(self) -> dict[str, Any]:
        steps, accepted = len(self.accepted), sum(self.accepted)
        return {
            "mean_acceptance_length": 1 + accepted / steps if steps else 1.0,
            "draft_acceptance_rate": accepted / self.drafted if self.drafted else 0.0,
            "acceptance_histogram": [self.accepted.count(number) for number in range(self.lane.draft_tokens + 1)],
            "num_spec_steps": steps,
            "num_accepted_draft_tokens": accepted,
            "num_draft_tokens": self.drafted,
            "num_spec_tokens": self.lane.draft_tokens,
            "per_step_accepted": self.accepted,
            "per_step_drafted": [self.lane.draft_tokens] * steps,
        }


async def decode(work: Work, box: Box, seats: Seats, rng: random.Random) -> AsyncGenerator[int, None]:
    """Decode an answer in the box's time; gives how many tokens come at each step."""
    work.queued = await seats.take()
    try:
        clock = _Clock(seats.speed)
        survival = box.survival(work.lane, work.cell, rng.gauss(0, box.answers.acceptance))
        pace = math.exp(rng.gauss(0, box.answers.time))
        work.first = box.prefill(work.prompt_tokens) + box.step(work.lane, seats.running) * pace
        await clock.until(work.first)
        work.done = 1
        yield 1
        while work.done < work.tokens:
            work.batches.append(seats.running)
            work.spent += box.step(work.lane, seats.running) * pace
            await clock.until(work.first + work.spent)
            came = min(work.tokens - work.done, 1 + _draft(work, survival, rng))
            work.done += came
            yield came
    finally:
        await seats.leave()


def _draft(work: Work, survival: tuple[float, ...], rng: random.Random) -> int:
    """Draft for one step; gives how many drafts were accepted."""
    if not work.lane.drafts:
        return 0
    got = 0
    while got < len(survival) and rng.random() < survival[got]:
        got += 1
    work.accepted.append(got)
    work.drafted += work.lane.draft_tokens
    return got


class _Clock:
    """Sleeps until a time of the box has come; what one sleep overshoots, the next one makes up for."""

    def __init__(self, speed: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._began, self._speed = self._loop.time(), speed

    async def until(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, self._began + seconds / self._speed - self._loop.time()))
