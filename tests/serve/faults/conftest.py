"""Fixtures of the fault tests: a router with short time-outs that lives through many faults, and what it holds."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest

from serve.routing.lane import Lane
from tests.serve import double
from tests.serve.double import Engine, metric, until

SHORT = 0.4
"""Seconds of the short time-outs."""
ENGLISH = [{"role": "user", "content": "Please tell me what a computer program is."}]


@dataclass
class Routed:
    """A router with lanes `body`, preferred, and `mtp`, and their engines."""

    client: httpx2.Client
    body: Engine
    mtp: Engine
    loop: double.Loop

    def chat(self, *, stream: bool, **more: Any) -> httpx2.Response:
        payload = {"messages": ENGLISH, "stream": stream, **more}
        return self.client.post("/v1/chat/completions", json=payload)

    def official(self) -> Iterator[str]:
        """Give what a stream says to the official client, which raises what it raises."""
        client = openai.OpenAI(base_url=f"{self.client.base_url}/v1", api_key="none", max_retries=0)
        messages: Any = ENGLISH
        stream: Any = client.chat.completions.create(model="demo", messages=messages, stream=True)
        return (chunk.choices[0].delta.content for chunk in stream)

    def settled(self) -> None:
        """Wait until nothing is held for any request: no place, no task, no connection that isn't idle."""
        until(lambda: self._gauges() == (0, 0))
        until(lambda: self._tasks() == [])

    def held(self) -> float:
        """How many requests run or wait."""
        return sum(self._gauges())

    def ended(self, end: str) -> float:
        return metric(self.client.get("/metrics").text, "polydraft_requests_total", end=end)

    def breakers_open(self) -> dict[str, float]:
        text = self.client.get("/metrics").text
        return {lane: metric(text, "polydraft_breaker_open", lane=lane) for lane in ("body", "mtp")}

    def _gauges(self) -> tuple[float, float]:
        text = self.client.get("/metrics").text
        return metric(text, "polydraft_in_flight_requests"), metric(text, "polydraft_waiting_requests")

    def _tasks(self) -> list[str]:
        names = self.loop.call(_task_names())
        return [name for name in names if name.startswith(("Relay.", "AsgiClient.", "RequestResponseCycle."))]


async def _task_names() -> list[str]:
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    return [getattr(coroutine, "__qualname__", "") for coroutine in coroutines]


@contextmanager
def routed(loop: double.Loop, *, direct: bool, **settings: Any) -> Iterator[Routed]:
    """Run a router before two engines."""
    with double.engine(loop) as body, double.engine(loop) as mtp:
        lanes = (Lane("body", body.url), Lane("mtp", mtp.url, "mtp", 2))
        wanted = double.settings(lanes, **settings)
        with double.router(loop, wanted, direct=direct) as url, httpx2.Client(base_url=url, timeout=20) as client:
            until(lambda: client.get("/readyz").json()["lanes"] == {"body": True, "mtp": True})
            yield Routed(client, body, mtp, loop)


@pytest.fixture(scope="module", params=[True, False], ids=["direct", "plain"])
def _router(request: pytest.FixtureRequest, loop: double.Loop) -> Iterator[Routed]:
    times = {"first_byte_timeout": SHORT, "silence_timeout": SHORT, "whole_timeout": 2 * SHORT}
    with routed(loop, direct=request.param, breaker_failures=100_000, **times) as running:
        yield running


@pytest.fixture
def router(_router: Routed) -> Iterator[Routed]:
    """The module's router, with engines that are well; at the end nothing may be left of what a test did."""
    for engine in (_router.body, _router.mtp):
        engine.behaviour = double.answer
        engine.got.clear()
    yield _router
    _router.settled()
