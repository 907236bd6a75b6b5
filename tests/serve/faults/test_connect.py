"""Engines that can't be reached, or whose connections end when nobody looks."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

from serve.routing.lane import Lane
from tests.serve import double
from tests.serve.double import Engine, Exchange, until
from tests.serve.faults.conftest import ENGLISH, SHORT, routed
from tests.serve.faults.faults import reset

PROBES = 1
"""Connections that health checks keep."""
BOTH = pytest.mark.parametrize("direct", [True, False], ids=["direct", "plain"])


@contextlib.contextmanager
def deaf(port: int) -> Iterator[None]:
    """A port that takes no connection and refuses none: its line of waiting connections is full."""
    with socket.create_server(("127.0.0.1", port), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(address)
        yield
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_an_engine_that_refuses_connections_is_replaced(loop: double.Loop, stream: bool) -> None:
    with routed(loop, direct=True, probe_timeout=5) as router:
        loop.call(_die(router.body))
        response = router.chat(stream=stream)
        assert response.headers["x-polydraft-lane"] == "mtp"
        until(lambda: router.client.get("/readyz").json()["lanes"] == {"body": False, "mtp": True})
        router.settled()


async def _stop_listening(engine: Engine) -> None:
    assert engine.server
    engine.server.close()


async def _die(engine: Engine) -> None:
    """End as a process does: what it listened on and what it had open is closed."""
    await _stop_listening(engine)
    for connection in list(engine.connections):
        connection.close()


@BOTH
def test_an_engine_that_takes_no_connection_is_given_up_after_the_limit(loop: double.Loop, direct: bool) -> None:
    """The engine is well when it is asked for its health, and hangs for every new connection after that."""
    with routed(loop, direct=direct, connect_timeout=SHORT) as router:
        loop.call(_stop_listening(router.body))
        with deaf(int(router.body.url.rpartition(":")[2])):
            started = time.monotonic()
            response = router.chat(stream=False)
            assert SHORT <= time.monotonic() - started < SHORT + 2
            assert response.headers["x-polydraft-lane"] == "mtp"
            router.settled()


@BOTH
def test_a_kept_connection_that_the_engine_closes_is_no_failure(loop: double.Loop, direct: bool) -> None:
    """The engine promises to keep each connection, and closes it just when the next request arrives, or before."""
    taken: dict[int, int] = {}

    async def close_the_second_time(exchange: Exchange) -> None:
        key = id(exchange.writer)
        taken[key] = taken.get(key, 0) + 1
        if taken[key] > 1:
            del taken[key]
            await reset(exchange)
            return
        await double.answer(exchange)

    with routed(loop, direct=direct) as router:
        router.body.behaviour = close_the_second_time
        responses = [router.chat(stream=bool(number % 2)) for number in range(60)]
        assert [response.status_code for response in responses] == [200] * 60
        assert {response.headers["x-polydraft-lane"] for response in responses} == {"body"}
        assert len(router.body.got) > 60  # some requests came twice
        router.settled()


@BOTH
def test_connections_that_are_closed_while_idle_are_forgotten(loop: double.Loop, direct: bool) -> None:
    async def answer_and_close(exchange: Exchange) -> None:
        await double.answer(exchange)
        asyncio.get_running_loop().call_later(0.01, exchange.writer.close)

    with routed(loop, direct=direct) as router:
        router.body.behaviour = answer_and_close
        for pause in (0, 0.005, 0.01, 0.015, 0.05) * 8:
            assert router.chat(stream=False).headers["x-polydraft-lane"] == "body"
            time.sleep(pause)
        until(lambda: len(router.body.connections) <= PROBES)


def test_connections_are_used_again(loop: double.Loop) -> None:
    with routed(loop, direct=True) as router:
        for _ in range(20):
            assert router.chat(stream=True).status_code == 200
        assert len(router.body.connections) <= 1 + PROBES


def test_a_single_engine_that_cannot_be_reached_is_a_502_and_then_a_503(loop: double.Loop, body: Engine) -> None:
    wanted = double.settings((Lane("body", body.url),), probe_timeout=5)
    with double.router(loop, wanted) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        loop.call(_die(body))
        statuses = [client.post("/v1/chat/completions", json={"messages": ENGLISH}).status_code for _ in range(3)]
        assert statuses[0] in (502, 503)
        assert statuses[1:] == [503, 503]
