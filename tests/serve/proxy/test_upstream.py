"""An engine as the router sees it come and go."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest

from serve.proxy import upstream
from serve.proxy.breaker import Breaker
from serve.proxy.slots import Slots
from serve.proxy.upstream import Timeouts, Upstream
from tests.serve import double
from tests.serve.double import Engine

_PATIENT = Timeouts(connect=1, first_byte=1, silence=1, whole=1, probe=1, probe_interval=0.01)


@pytest.fixture(autouse=True)
def quick_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_START", 0.3)


async def seen(body: Engine, scene: Callable[[Upstream], Coroutine[Any, Any, None]]) -> list[str]:
    """What is told of an engine's returns while a scene is played."""
    told: list[str] = []
    async with aiohttp.ClientSession() as client:
        watched = Upstream(body.url, client, _PATIENT, Slots(1, 1, lambda: 0.0), Breaker(3, 1), {})
        watching = asyncio.create_task(watched.watch(told.append))
        await _until(lambda: watched.healthy)
        await scene(watched)
        await _until(lambda: watched.healthy)
        await asyncio.sleep(0.05)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        watched.close()
    return told


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(("seconds", "returns"), [(0.0, 1), (0.05, 1), (0.6, 2)], ids=["up", "a hiccup", "a start"])
def test_says_when_an_engine_has_been_started_anew(
    loop: double.Loop, body: Engine, seconds: float, returns: int
) -> None:
    """Before the router was there it may have been started too."""

    async def away(watched: Upstream) -> None:
        if seconds:
            body.healthy = False
            await _until(lambda: not watched.healthy)
            await asyncio.sleep(seconds)
            body.healthy = True

    assert loop.call(seen(body, away)) == [body.url] * returns
