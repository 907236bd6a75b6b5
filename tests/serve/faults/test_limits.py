"""How much an engine gets, which failures count against it, and what a slow client costs."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest

from serve.routing import language
from serve.routing.lane import Lane
from tests.serve import double
from tests.serve.double import Engine, Exchange, metric, until
from tests.serve.faults.conftest import ENGLISH, SHORT, Routed, routed
from tests.serve.faults.faults import reset, stall

BOTH = pytest.mark.parametrize("direct", [True, False], ids=["direct", "plain"])


def held(gate: threading.Event) -> double.Behaviour:
    async def behave(exchange: Exchange) -> None:
        while not gate.is_set() and not exchange.closed.is_set():
            await asyncio.sleep(0.01)
        await double.answer(exchange)

    return behave


@BOTH
def test_a_full_engine_leaves_a_request_to_another_and_then_refuses(loop: double.Loop, direct: bool) -> None:
    gate = threading.Event()
    with routed(loop, direct=direct, max_running=1, max_waiting=1) as router, ThreadPoolExecutor(8) as pool:
        router.body.behaviour = router.mtp.behaviour = held(gate)
        first = []
        for number in range(4):  # two run and two wait, one each an engine
            first.append(pool.submit(router.chat, stream=False))
            until(lambda number=number: router.held() == number + 1)  # type: ignore[misc]
        refused = router.chat(stream=True)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "engine_busy")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (len(router.body.got), len(router.mtp.got)) == (1, 1)
        assert metric(router.client.get("/metrics").text, "polydraft_busy_requests_total") == 1
        gate.set()
        lanes = [future.result().headers["x-polydraft-lane"] for future in first]
        assert lanes == ["body", "body", "mtp", "mtp"]
        router.settled()


@BOTH
def test_a_client_that_leaves_the_line_frees_its_place(loop: double.Loop, direct: bool) -> None:
    gate = threading.Event()
    with routed(loop, direct=direct, max_running=1, max_waiting=1) as router, ThreadPoolExecutor(2) as pool:
        router.body.behaviour = held(gate)
        running = pool.submit(router.chat, stream=False, model="demo@body")
        until(lambda: router.held() == 1)
        for _ in range(5):  # with a place that isn't freed, the second one would be refused
            payload = {"messages": ENGLISH, "model": "demo@body"}
            with pytest.raises(httpx2.ReadTimeout):
                router.client.post("/v1/chat/completions", json=payload, timeout=0.1)
            until(lambda: router.held() == 1)
        gate.set()
        assert running.result().status_code == 200
        assert len(router.body.got) == 1
        router.settled()


@BOTH
def test_an_engine_that_keeps_failing_is_left_alone(loop: double.Loop, direct: bool) -> None:
    with routed(loop, direct=direct, breaker_failures=3, breaker_pause=0.5) as router:
        router.body.behaviour = reset
        for _ in range(10):
            assert router.chat(stream=False).headers["x-polydraft-lane"] == "mtp"
        assert len(router.body.got) == 3
        assert router.client.get("/readyz").json()["lanes"] == {"body": False, "mtp": True}
        assert router.breakers_open() == {"body": 1, "mtp": 0}
        router.body.behaviour = double.answer
        until(lambda: router.chat(stream=False).headers["x-polydraft-lane"] == "body", 3)
        assert router.breakers_open() == {"body": 0, "mtp": 0}


@BOTH
def test_client_errors_do_not_count_against_an_engine(loop: double.Loop, direct: bool) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.whole({"error": {"message": "too long"}}, 400)

    async def poisoned(exchange: Exchange) -> None:
        await exchange.whole({"error": {"message": "I choke on this request"}}, 500)

    with routed(loop, direct=direct, breaker_failures=3) as router:
        router.body.behaviour = router.mtp.behaviour = refuse
        assert [router.chat(stream=False).status_code for _ in range(20)] == [400] * 20
        router.body.behaviour = router.mtp.behaviour = poisoned
        assert [router.chat(stream=False).status_code for _ in range(20)] == [502] * 20
        assert (len(router.body.got), len(router.mtp.got)) == (40, 20)
        assert router.client.get("/readyz").json()["lanes"] == {"body": True, "mtp": True}


def test_an_error_that_another_engine_does_not_make_counts(loop: double.Loop) -> None:
    async def ill(exchange: Exchange) -> None:
        await exchange.whole({"error": {"message": "EngineDeadError"}}, 500)

    with routed(loop, direct=True, breaker_failures=3) as router:
        router.body.behaviour = ill
        assert [router.chat(stream=False).status_code for _ in range(10)] == [200] * 10
        assert len(router.body.got) == 3


@BOTH
def test_a_request_that_breaks_engines_breaks_two_at_most(loop: double.Loop, direct: bool) -> None:
    with (
        double.engine(loop) as first,
        double.engine(loop) as second,
        double.engine(loop) as third,
    ):
        engines = [first, second, third]
        lanes = tuple(Lane(name, engine.url) for name, engine in zip("abc", engines, strict=True))
        with double.router(loop, double.settings(lanes), direct=direct) as url, httpx2.Client(base_url=url) as client:
            until(lambda: all(client.get("/readyz").json()["lanes"].values()))
            for engine in engines:
                engine.behaviour = reset
            response = client.post("/v1/chat/completions", json={"messages": ENGLISH})
            assert response.status_code == 502
            assert [len(engine.got) for engine in engines] == [1, 1, 0]


@BOTH
def test_a_request_that_kills_engines_kills_two_at_most(loop: double.Loop, direct: bool) -> None:
    async def die(exchange: Exchange) -> None:
        dying = next(engine for engine in engines if exchange in engine.got)
        assert dying.server
        dying.server.close()
        await reset(exchange)

    with (
        double.engine(loop) as first,
        double.engine(loop) as second,
        double.engine(loop) as third,
    ):
        engines = [first, second, third]
        lanes = tuple(Lane(name, engine.url) for name, engine in zip("abc", engines, strict=True))
        # No probe between: what is known of the engines is what the request finds.
        wanted = double.settings(lanes, probe_interval=60)
        with double.router(loop, wanted, direct=direct) as url, httpx2.Client(base_url=url) as client:
            until(lambda: all(client.get("/readyz").json()["lanes"].values()))
            for lane in "abc":  # so that a connection of each is kept
                named = {"x-polydraft-lane": lane}
                assert client.post("/v1/chat/completions", json={"messages": ENGLISH}, headers=named).is_success
            for engine in engines:
                engine.behaviour = die
            assert client.post("/v1/chat/completions", json={"messages": ENGLISH}).status_code == 502
            assert [len(engine.got) for engine in engines] == [2, 2, 1]


@BOTH
def test_a_long_prefill_is_pinged_through(loop: double.Loop, direct: bool) -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.5)
        await exchange.start_stream()
        await asyncio.sleep(0.5)
        await exchange.event(double.delta("one"))
        await asyncio.sleep(0.5)
        await exchange.end_stream()

    with routed(loop, direct=direct, ping_interval=0.2) as router:
        router.body.behaviour = slow
        response = router.chat(stream=True)
        event = "data: " + json.dumps(double.delta("one"), separators=(",", ":"))
        blocks = response.text.split("\n\n")
        assert [block for block in blocks if block != ": ping"] == [event, "data: [DONE]", ""]
        assert blocks.index(event) >= 3
        assert blocks.index("data: [DONE]") - blocks.index(event) >= 2
        assert list(router.official()) == ["one"]


@BOTH
def test_a_whole_answer_is_not_pinged(loop: double.Loop, direct: bool) -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.5)
        await double.answer(exchange)

    with routed(loop, direct=direct, ping_interval=0.1) as router:
        router.body.behaviour = slow
        assert router.chat(stream=False).json()["choices"][0]["message"]["content"] == "hello"


@BOTH
@pytest.mark.parametrize("status", [400, 500])
def test_a_refusal_after_a_ping_makes_the_official_client_raise(loop: double.Loop, direct: bool, status: int) -> None:
    async def refuse_late(exchange: Exchange) -> None:
        await asyncio.sleep(0.5)
        await exchange.whole({"error": {"message": "no, the engine says", "code": status}}, status)

    with routed(loop, direct=direct, ping_interval=0.1) as router:
        router.body.behaviour = router.mtp.behaviour = refuse_late
        with pytest.raises(openai.APIError, match="engine"):
            list(router.official())
        assert len(router.mtp.got) == (1 if status == 500 else 0)
        router.settled()


@BOTH
def test_a_slow_reader_holds_the_engine_back_and_loses_nothing(loop: double.Loop, direct: bool) -> None:
    total, size = 400, 100_000
    sent = []

    async def flood(exchange: Exchange) -> None:
        await exchange.start_stream()
        for number in range(total):
            await exchange.event(double.delta(f"{number:06}" + "x" * size))
            sent.append(number)
        await exchange.end_stream()

    with routed(loop, direct=direct, silence_timeout=SHORT) as router:
        router.body.behaviour = flood
        address = (str(router.client.base_url.host), int(router.client.base_url.port or 0))
        payload = json.dumps({"messages": ENGLISH, "stream": True}).encode()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            client.connect(address)
            head = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
            client.sendall(f"{head}content-length: {len(payload)}\r\n\r\n".encode() + payload)
            seen = -1
            while len(sent) != seen:  # until nothing moves any more
                seen = len(sent)
                time.sleep(2 * SHORT)
            assert seen < total // 2  # what the kernel's buffers and ours hold; forty megabytes don't fit
            raw = b"".join(iter(lambda: client.recv(1 << 20), b""))
        numbers = [int(part[:6]) for part in raw.split(b'"content":"')[1:]]
        assert numbers == list(range(total))
        assert b"data: [DONE]" in raw
        router.settled()


def test_a_thousand_clients_that_leave_leave_nothing_behind(loop: double.Loop) -> None:
    with routed(loop, direct=True, max_running=50) as router:

        async def endless(exchange: Exchange) -> None:
            await exchange.start_stream()
            while not exchange.closed.is_set():
                await exchange.event(double.delta("x"))
                await asyncio.sleep(0.01)

        router.body.behaviour = router.mtp.behaviour = endless
        loop.call(_leave(str(router.client.base_url), 1_000, 0.03))
        router.settled()
        until(lambda: router.ended("aborted") == 1_000)
        until(lambda: len(router.body.connections) <= 1)


@BOTH
def test_clients_that_leave_at_once_are_counted_too(loop: double.Loop, direct: bool) -> None:
    with routed(loop, direct=direct) as router:
        router.body.behaviour = router.mtp.behaviour = stall
        loop.call(_leave(str(router.client.base_url), 100, 0))
        router.settled()
        until(lambda: router.ended("aborted") == 100)


async def _leave(url: str, number: int, after: float) -> None:
    """Begin as many requests, a hundred at a time, and leave each after so many seconds, or a little later."""
    payload = json.dumps({"messages": ENGLISH, "stream": True}).encode()
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(payload)}\r\n\r\n".encode()
    room = asyncio.Semaphore(100)

    async def one(index: int) -> None:
        async with room:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(head + payload)
            await asyncio.sleep(after + after * (index % 10) / 3)
            writer.close()

    await asyncio.gather(*(one(index) for index in range(number)))


def test_gauges_name_what_runs_and_what_waits(loop: double.Loop, body: Engine) -> None:
    gate = threading.Event()
    body.behaviour = held(gate)
    wanted = double.settings((Lane("body", body.url),), max_running=1)
    with double.router(loop, wanted) as url, httpx2.Client(base_url=url) as client, ThreadPoolExecutor(3) as pool:
        until(lambda: client.get("/readyz").status_code == 200)
        for _ in range(3):
            pool.submit(client.post, "/v1/chat/completions", json={"messages": ENGLISH})

        def gauge(name: str) -> float:
            return metric(client.get("/metrics").text, f"polydraft_{name}_requests", lane="body")

        until(lambda: (gauge("in_flight"), gauge("waiting")) == (1, 2))
        gate.set()
        until(lambda: (gauge("in_flight"), gauge("waiting")) == (0, 0))


def request(*, stream: bool, text: str = "Hello.") -> bytes:
    payload = json.dumps({"messages": [{"role": "user", "content": text}], "stream": stream}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(payload)}\r\n\r\n"
    return head.encode() + payload


def connected(router: Routed) -> socket.socket:
    address = (str(router.client.base_url.host), int(router.client.base_url.port or 0))
    return socket.create_connection(address, timeout=10)


@BOTH
@pytest.mark.parametrize("ahead", ["the next request", "half of it", "more than is kept"])
def test_a_client_that_sends_ahead_and_leaves_is_noticed(loop: double.Loop, direct: bool, ahead: str) -> None:
    following = {"the next request": request(stream=True), "half of it": request(stream=True)[:-9]}
    with routed(loop, direct=direct) as router:
        router.body.behaviour = stall
        with connected(router) as client:
            client.sendall(request(stream=True))
            until(lambda: len(router.body.got) == 1)
            client.sendall(following.get(ahead) or request(stream=True, text="x" * 1_500_000))
            time.sleep(0.2)
            assert not router.body.got[0].closed.is_set()
        until(lambda: router.body.got[0].closed.is_set(), 1)
        router.settled()
        assert len(router.body.got) == 1
        assert router.ended("aborted") == 1


@BOTH
def test_what_is_sent_too_far_ahead_is_dropped(loop: double.Loop, direct: bool) -> None:
    gate = threading.Event()
    with routed(loop, direct=direct) as router:
        router.body.behaviour = held(gate)
        with connected(router) as client:
            client.sendall(request(stream=False))
            until(lambda: len(router.body.got) == 1)
            client.sendall(3 * request(stream=False, text="x" * 100_000))
            time.sleep(0.3)  # all of it is read by then: a connection that is closed on unread bytes is reset
            gate.set()
            raw = b"".join(iter(lambda: client.recv(1 << 16), b""))
        assert raw.count(b"HTTP/1.1 200 ") == 1
        assert b"hello" in raw
        router.settled()
        assert len(router.body.got) == 1


@BOTH
def test_a_client_that_reads_nothing_is_cut_off(loop: double.Loop, direct: bool) -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.start_stream()
        while not exchange.closed.is_set():
            await exchange.event(double.delta("x" * 10_000))

    with routed(loop, direct=direct, client_timeout=SHORT) as router:
        router.body.behaviour = flood
        with connected(router) as client:
            client.sendall(request(stream=True))
            until(lambda: router.body.got != [])
            until(lambda: router.ended("aborted") == 1, 5)
            router.settled()


@BOTH
def test_a_breaker_that_opens_also_turns_away_who_stands_in_line(loop: double.Loop, direct: bool) -> None:
    gate = threading.Event()

    async def fail(exchange: Exchange) -> None:
        while not gate.is_set():
            await asyncio.sleep(0.01)
        await reset(exchange)

    failures = 2
    with routed(loop, direct=direct, max_running=1, breaker_failures=failures) as router:
        router.body.behaviour = fail
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(router.chat, stream=False, model="demo@body") for _ in range(8)]
            until(lambda: router.held() == len(asked))
            gate.set()
            statuses = sorted(future.result().status_code for future in asked)
        assert statuses == [502] * failures + [503] * (len(asked) - failures)
        assert len(router.body.got) == failures


@BOTH
def test_a_full_engine_counts_more_than_one_that_is_down(loop: double.Loop, direct: bool) -> None:
    async def not_ready(exchange: Exchange) -> None:
        await exchange.whole({}, 503)

    gate = threading.Event()
    with routed(loop, direct=direct, max_running=1, max_waiting=0) as router, ThreadPoolExecutor(1) as pool:
        router.body.behaviour, router.mtp.behaviour = held(gate), not_ready
        running = pool.submit(router.chat, stream=False)
        until(lambda: len(router.body.got) == 1)
        refused = router.chat(stream=False)
        gate.set()
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "engine_busy")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert running.result().status_code == 200


@BOTH
def test_another_lane_answers_a_client_that_has_had_pings_alone(loop: double.Loop, direct: bool) -> None:
    async def late(exchange: Exchange) -> None:
        await asyncio.sleep(SHORT)
        await reset(exchange)

    with routed(loop, direct=direct, ping_interval=0.1) as router:
        router.body.behaviour = late
        response = router.chat(stream=True)
        assert response.headers["x-polydraft-lane"] == "body"  # as things stood with the first ping
        assert response.text.startswith(": ping\n\n")
        assert response.text.endswith("data: [DONE]\n\n")
        assert "error" not in response.text
        assert len(router.mtp.got) == 1
        router.settled()


@BOTH
@pytest.mark.parametrize("end", ["complete", "broken"])
def test_an_engines_own_error_event_is_the_only_one(loop: double.Loop, direct: bool, end: str) -> None:
    async def err(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.event(double.delta("one"))
        await exchange.event({"error": {"message": "boom", "type": "InternalServerError", "code": 500}})
        await asyncio.sleep(0.05)
        await (exchange.send(b"0\r\n\r\n") if end == "complete" else reset(exchange))

    with routed(loop, direct=direct) as router:
        router.body.behaviour = err
        response = router.chat(stream=True)
        assert response.text.count('"error"') == 1
        assert "boom" in response.text
        router.settled()
        assert router.ended("failed") == 1


def test_an_engines_version_is_asked_for_anew_when_it_comes_back(loop: double.Loop) -> None:
    with routed(loop, direct=True) as router:

        def version() -> str | None:
            known: str | None = router.client.get("/version").json()["vllm"]["body"]
            return known

        until(lambda: version() == "0.0.double")
        router.body.healthy = False
        until(lambda: version() is None)
        router.body.version = "0.0.later"
        router.body.healthy = True
        until(lambda: version() == "0.0.later")


def test_a_long_payload_is_read_beside_the_streams_that_run(
    loop: double.Loop, body: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    identify, threads = language.load(), []

    def noting(text: str) -> Sequence[tuple[str, float]]:
        threads.append(threading.get_ident())
        return identify(text)

    monkeypatch.setattr(double, "_identify", lambda: noting)
    with double.router(loop, double.settings((Lane("body", body.url),))) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        serving = loop.call(_thread())
        for times, aside in ((1, False), (40_000, True)):
            threads.clear()
            text = "Ce matin il pleuvait encore sur la ville. "
            payload = {"messages": [{"role": "user", "content": text * times}]}
            assert client.post("/v1/chat/completions", json=payload, timeout=20).status_code == 200
            assert threads
            assert {thread != serving for thread in threads} == {aside}


async def _thread() -> int:
    return threading.get_ident()
