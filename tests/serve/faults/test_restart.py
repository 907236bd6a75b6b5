"""Two routers as processes, restarted one after the other under load: no request is lost, and each ends with code 0."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

import httpx2
import pytest

from tests.serve import double
from tests.serve.double import Engine, Exchange, until
from tests.serve.faults.conftest import ENGLISH
from tests.stack.running import free_port

ROOT = Path(__file__).resolve().parents[3]


class Addressed(Protocol):
    """An engine, double or real."""

    @property
    def url(self) -> str:
        """Its base URL."""


class Process:
    """A router as a process, on one port for good."""

    def __init__(self, engine: Addressed, **settings: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._environment = {
            **os.environ,
            "POLYDRAFT_MODEL": "demo",
            "POLYDRAFT_LANES": json.dumps([{"name": "body", "upstream": engine.url}]),
            "POLYDRAFT_PORT": str(port),
            "POLYDRAFT_PROBE_INTERVAL": "0.1",
            **settings,
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "serve", "serve"]
        self.running = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL)

    def stop(self) -> int:
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(20)

    def ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx2.TransportError:
            return False


class Balancer(threading.Thread):
    """Clients that keep connections, and turn to a router that was ready a moment ago."""

    def __init__(self, routers: list[Process], **asked: Any) -> None:
        super().__init__(daemon=True)
        self._asked = {"messages": ENGLISH, **asked}
        self.results: Counter[str] = Counter()
        self._routers, self._ready, self._stop = routers, list(routers), threading.Event()
        self._clients = [threading.Thread(target=self._ask, args=(number,), daemon=True) for number in range(8)]

    def run(self) -> None:
        for client in self._clients:
            client.start()
        while not self._stop.wait(0.1):
            self._ready = [router for router in self._routers if router.ready()] or self._ready

    def finish(self) -> Counter[str]:
        self._stop.set()
        for client in self._clients:
            client.join(20)
        return self.results

    def _ask(self, number: int) -> None:
        with httpx2.Client(timeout=20) as client:
            while not self._stop.is_set():
                ready = self._ready
                url = ready[number % len(ready)].url
                try:
                    payload = {**self._asked, "stream": bool(number % 2)}
                    response = client.post(f"{url}/v1/chat/completions", json=payload)
                    right = response.status_code == 200 and ("[DONE]" in response.text or number % 2 == 0)
                    self.results["right" if right else f"{response.status_code} {response.text[-80:]}"] += 1
                except httpx2.TransportError as error:
                    self.results[repr(error)] += 1


def rolled(routers: list[Process], balancer: Balancer) -> Counter[str]:
    """Restart one router after the other behind a balancer; gives what its clients got."""
    for router in routers:
        router.start()
    try:
        for router in routers:
            until(router.ready, 60)
        balancer.start()
        time.sleep(1)
        for router in routers:
            assert router.stop() == 0
            router.start()
            until(router.ready, 60)
            time.sleep(1)
        return balancer.finish()
    finally:
        assert [router.stop() for router in routers] == [0, 0]


async def at_ease(exchange: Exchange) -> None:
    """Take some time, as engines do."""
    await asyncio.sleep(0.05)
    await double.answer(exchange)


def test_a_rolling_restart_under_load_loses_no_request(body: Engine) -> None:
    body.behaviour = at_ease
    routers = [Process(body, POLYDRAFT_DRAIN_DELAY="3") for _ in range(2)]
    results = rolled(routers, Balancer(routers))
    assert results.pop("right") > 100
    assert results == {}


def test_a_router_that_stops_is_not_ready_and_still_answers(body: Engine) -> None:
    router = Process(body, POLYDRAFT_DRAIN_DELAY="1.5")
    router.start()
    until(router.ready, 30)
    with httpx2.Client(base_url=router.url, timeout=20) as client:
        assert client.post("/v1/chat/completions", json={"messages": ENGLISH}).headers.get("connection") is None
        router.running.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503)
        response = client.post("/v1/chat/completions", json={"messages": ENGLISH})
        assert (response.status_code, response.headers["connection"]) == (200, "close")
    assert router.running.wait(20) == 0


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"], ids=["direct", "plain"])
def test_an_answer_that_takes_too_long_is_ended_with_an_error(body: Engine, path: str, stream: bool) -> None:
    async def endless(exchange: Exchange) -> None:
        if exchange.payload.get("stream"):
            await exchange.start_stream()
            await exchange.event(double.delta("one"))
        await asyncio.wait_for(exchange.closed.wait(), 20)
        exchange.writer.close()

    body.behaviour = endless
    router = Process(body, POLYDRAFT_DRAIN_TIMEOUT="1")
    router.start()
    until(router.ready, 30)
    threading.Timer(0.5, router.running.send_signal, [signal.SIGTERM]).start()
    payload = {"messages": ENGLISH, "input": "Hello.", "stream": stream}
    response = httpx2.post(f"{router.url}{path}", json=payload, timeout=20)
    error = json.loads(response.text.strip().splitlines()[-1].removeprefix("data: "))["error"]
    assert (response.status_code, error["code"]) == (200 if stream else 503, "lane_not_ready")
    assert router.running.wait(20) == 0
    assert body.got[0].closed.is_set()
