"""Lanes with several engines: who gets a request, and who stands in. The engines are doubles that break when told."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row
from tests.serve import double
from tests.serve.double import Behaviour, Engine, Exchange, metric, until
from tests.serve.page.test_live import listening
from tests.serve.proxy.test_relay import FAULTS

QUESTION = {"role": "user", "content": "Please tell me what a computer program is."}
ANSWER = {"role": "assistant", "content": "A list of orders."}


@dataclass
class Fleet:
    """A router whose lane `mtp` has the first two engines, and whose lane `body` has the third."""

    client: httpx2.Client
    engines: tuple[Engine, ...]

    def chat(self, *messages: dict[str, str], **more: Any) -> httpx2.Response:
        return self.client.post("/v1/chat/completions", json={"messages": [*messages] or [QUESTION], **more})

    def got(self) -> list[int]:
        return [len(engine.got) for engine in self.engines]

    def ready(self) -> dict[str, int]:
        counts: dict[str, dict[str, int]] = self.client.get("/readyz").json()["engines"]
        return {lane: count["ready"] for lane, count in counts.items()}

    def down(self, *engines: Engine) -> None:
        left = sum(self.ready().values()) - len(engines)
        for engine in engines:
            engine.healthy = False
        until(lambda: sum(self.ready().values()) == left)


def name(engine: Engine) -> str:
    return engine.url.removeprefix("http://")


TABLE = (Row("*", "*", (Candidate("mtp", 2.5, 90.0), Candidate("body", None, 60.0))),)


@contextlib.contextmanager
def routed(loop: double.Loop, *, direct: bool = True, shared: bool = False, **settings: Any) -> Iterator[Fleet]:
    """Run a router before three engines; with `shared` both lanes are on the first two."""
    with contextlib.ExitStack() as stack:
        first, second, third = (stack.enter_context(double.engine(loop)) for _ in range(3))
        pair = (first.url, second.url)
        lanes = (Lane("mtp", pair, "mtp", 2), Lane("body", pair if shared else third.url))
        wanted = double.settings(lanes, TABLE, **settings)
        url = stack.enter_context(double.router(loop, wanted, direct=direct))
        client = stack.enter_context(httpx2.Client(base_url=url, timeout=20))
        fleet = Fleet(client, (first, second, third))
        until(lambda: fleet.ready() == {"mtp": 2, "body": 2 if shared else 1})
        yield fleet


@pytest.fixture(params=[True, False], ids=["direct", "plain"])
def fleet(request: pytest.FixtureRequest, loop: double.Loop) -> Iterator[Fleet]:
    with routed(loop, direct=request.param) as running:
        yield running


def slowly(seconds: float) -> Behaviour:
    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await double.answer(exchange)

    return answer


def together(fleet: Fleet, requests: int) -> None:
    """Let the engines answer only once so many requests have come in all."""

    async def answer(exchange: Exchange) -> None:
        while sum(fleet.got()) < requests:
            await asyncio.sleep(0.01)
        await double.answer(exchange)

    for engine in fleet.engines:
        engine.behaviour = answer


def at_once(fleet: Fleet, requests: int, *, first: int = 0, **more: Any) -> list[httpx2.Response]:
    """Ask so many different questions at the same time, about the numbers from the first one on."""
    numbers = range(first, first + requests)
    messages = [{"role": "user", "content": f"Please explain the number {number} to me."} for number in numbers]
    with ThreadPoolExecutor(requests) as pool:
        return list(pool.map(lambda message: fleet.chat(message, **more), messages))


def test_a_burst_is_spread_evenly(fleet: Fleet) -> None:
    together(fleet, 20)
    assert {response.headers["x-polydraft-lane"] for response in at_once(fleet, 20)} == {"mtp"}
    assert fleet.got() == [10, 10, 0]


def test_requests_that_come_in_one_moment_see_each_other(loop: double.Loop) -> None:
    """All of them are decided before the first of them has reached its engine, as after a busy turn of the loop."""
    with routed(loop) as fleet:
        url = httpx2.URL(fleet.client.base_url)
        raw = b'{"messages":[{"role":"user","content":"%03d"}]}'

        async def burst() -> None:
            pairs = [await asyncio.open_connection(url.host, url.port) for _ in range(30)]
            for number, (_, writer) in enumerate(pairs):
                payload = raw % number
                head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x.local\r\nconnection: close\r\ncontent-length: "
                writer.write(b"%b%d\r\n\r\n%b" % (head, len(payload), payload))
            for reader, writer in pairs:
                assert b" 200 OK" in await reader.read()
                writer.close()

        together(fleet, 30)
        asyncio.run(burst())
        assert fleet.got() == [15, 15, 0]


def test_a_conversation_stays_where_its_prefix_is_until_that_engine_has_clearly_more_to_do(fleet: Fleet) -> None:
    for _ in range(3):
        fleet.chat(QUESTION)
    fleet.chat(QUESTION, ANSWER, QUESTION)
    home, other = sorted(fleet.engines[:2], key=lambda engine: -len(engine.got))
    assert (len(home.got), len(other.got)) == (4, 0)
    home.behaviour = slowly(1.5)
    with ThreadPoolExecutor(8) as pool:
        same = [pool.submit(fleet.chat, QUESTION, ANSWER, QUESTION) for _ in range(8)]
        statuses = [each.result().status_code for each in same]
    assert statuses == [200] * 8
    assert len(other.got) > 0


def test_a_conversation_whose_engine_is_gone_stays_where_it_went_instead(fleet: Fleet) -> None:
    fleet.chat(QUESTION)
    home, other = sorted(fleet.engines[:2], key=lambda engine: -len(engine.got))
    fleet.down(home)
    assert fleet.chat(QUESTION, ANSWER, QUESTION).headers["x-polydraft-reason"] == "measured"
    home.healthy = True
    until(lambda: fleet.ready()["mtp"] == 2)
    fleet.chat(QUESTION, ANSWER, QUESTION)
    assert (len(home.got), len(other.got)) == (1, 2)


def test_a_lane_is_ready_while_one_of_its_engines_is(fleet: Fleet) -> None:
    first, second, _ = fleet.engines
    fleet.down(first)
    assert fleet.client.get("/readyz").json() == {
        "ready": True,
        "lanes": {"mtp": True, "body": True},
        "engines": {"mtp": {"ready": 1, "all": 2}, "body": {"ready": 1, "all": 1}},
    }
    text = fleet.client.get("/metrics").text
    up = [metric(text, "polydraft_engine_up", lane="mtp", engine=name(each)) for each in (first, second)]
    assert up == [0, 1]
    fleet.down(second)
    response = fleet.chat()
    assert (response.headers["x-polydraft-lane"], response.headers["x-polydraft-reason"]) == ("body", "fallback")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_another_engine_of_the_lane_stands_in_before_the_first_byte(
    fleet: Fleet, fault: Behaviour, stream: bool
) -> None:
    fleet.chat(QUESTION)
    home, other = sorted(fleet.engines[:2], key=lambda engine: -len(engine.got))
    home.behaviour = fault
    response = fleet.chat(QUESTION, stream=stream)
    assert (response.status_code, len(other.got), len(fleet.engines[2].got)) == (200, 1, 0)
    assert (response.headers["x-polydraft-lane"], response.headers["x-polydraft-reason"]) == ("mtp", "measured")
    home.behaviour, before = double.answer, len(home.got)
    fleet.chat(QUESTION, ANSWER, QUESTION)
    assert (len(home.got), len(other.got)) == (before, 2), "the conversation is where it was answered"


def test_another_lane_stands_in_when_all_engines_of_the_lane_refuse(fleet: Fleet) -> None:
    async def unready(exchange: Exchange) -> None:
        await exchange.whole({"error": "loading"}, 503)

    for engine in fleet.engines[:2]:
        engine.behaviour = unready
    response = fleet.chat()
    assert (response.status_code, fleet.got()) == (200, [1, 1, 1])
    assert (response.headers["x-polydraft-lane"], response.headers["x-polydraft-reason"]) == ("body", "fallback")


def test_a_request_that_broke_two_engines_breaks_no_third(fleet: Fleet) -> None:
    for engine in fleet.engines:
        engine.behaviour = FAULTS["reset"]
    assert (fleet.chat().status_code, fleet.got()) == (502, [1, 1, 0])


def test_a_forced_lane_goes_to_its_other_engine_but_to_no_other_lane(fleet: Fleet) -> None:
    for engine in fleet.engines[:2]:
        engine.behaviour = FAULTS["503"]
    assert (fleet.chat(model="demo@mtp").status_code, fleet.got()) == (503, [1, 1, 0])


def test_the_breaker_is_each_engine_s_own(loop: double.Loop) -> None:
    with routed(loop, breaker_failures=2, breaker_pause=60) as fleet:
        first, second, _ = fleet.engines
        first.behaviour = FAULTS["reset"]
        for number in range(20):
            assert fleet.chat({"role": "user", "content": f"What is {number}?"}).status_code == 200
        assert fleet.ready()["mtp"] == 1
        text = fleet.client.get("/metrics").text
        states = [metric(text, "polydraft_breaker_open", lane="mtp", engine=name(each)) for each in (first, second)]
        assert states == [1, 0]
        assert fleet.chat().headers["x-polydraft-lane"] == "mtp"


def test_the_line_is_each_engine_s_own(loop: double.Loop) -> None:
    """Of five at once, two engines with one place and nobody waiting take two, the other lane's engine one."""
    with routed(loop, max_running=1, max_waiting=0) as fleet:
        for engine in fleet.engines:
            engine.behaviour = slowly(2.0)
        lanes = Counter(response.headers["x-polydraft-lane"] for response in at_once(fleet, 5) if response.is_success)
        assert lanes == {"mtp": 2, "body": 1}
        assert fleet.got() == [1, 1, 1]


def test_lanes_may_share_several_engines(loop: double.Loop) -> None:
    """Two Sparks with one engine each, every lane on both."""
    with routed(loop, shared=True) as fleet:
        together(fleet, 10)
        at_once(fleet, 10)
        assert fleet.got() == [5, 5, 0]
        together(fleet, 20)
        at_once(fleet, 10, first=10, model="demo@body")
        assert fleet.got() == [10, 10, 0]
        asked = Counter(each.payload["vllm_xargs"]["lane"] for engine in fleet.engines for each in engine.got)
        assert asked == {"mtp": 10, "body": 10}


def test_engines_that_all_lanes_share_can_be_told_to_draft_less(loop: double.Loop) -> None:
    asked = {"model": "demo@mtp", "vllm_xargs": {"draft_tokens": 1}}
    with routed(loop, shared=True) as fleet:
        assert fleet.chat(**asked).status_code == 200
        (got,) = [each.payload["vllm_xargs"] for engine in fleet.engines for each in engine.got]
        assert got == {"lane": "mtp", "draft_tokens": 1}
    with routed(loop) as fleet:
        assert fleet.chat(**asked).status_code == 400


def test_what_is_in_flight_is_told_by_engine(loop: double.Loop) -> None:
    with routed(loop) as fleet, ThreadPoolExecutor(4) as pool:
        for engine in fleet.engines:
            engine.behaviour = slowly(1.5)
        running = [pool.submit(fleet.chat, {"role": "user", "content": str(number)}) for number in range(4)]
        until(lambda: sum(fleet.got()) == 4)
        text = fleet.client.get("/metrics").text
        names = [name(engine) for engine in fleet.engines[:2]]
        assert [metric(text, "polydraft_in_flight_requests", lane="mtp", engine=each) for each in names] == [2, 2]
        explained = fleet.client.post("/v1/route", json={"messages": [QUESTION]}).json()
        assert explained["engine"] in names
        assert [each.result().status_code for each in running] == [200] * 4


def test_the_page_shows_every_engine_of_a_lane_by_its_name(fleet: Fleet) -> None:
    first, second, third = fleet.engines
    fleet.down(first)
    fleet.chat()
    with listening(str(fleet.client.base_url).rstrip("/")) as events:
        shown = next(events)
    states = [(each["name"], each["lanes"], each["state"]) for each in shown["engines"]]
    assert states == [(name(first), ["mtp"], "down"), (name(second), ["mtp"], "up"), (name(third), ["body"], "up")]
    assert [lane["ready"] for lane in shown["lanes"]] == [True, True]
    explained = fleet.client.get("/v1/live/decisions/1").json()
    assert (explained["lane"], explained["engine"]) == ("mtp", name(second))


def test_a_stored_response_is_asked_of_the_engine_that_holds_it(fleet: Fleet) -> None:
    def holding(mine: str) -> Behaviour:
        async def answer(exchange: Exchange) -> None:
            known = exchange.path.endswith(mine) or exchange.payload.get("previous_response_id") == mine
            await exchange.whole({"of": mine}, 200 if known else 404)

        return answer

    for number, engine in enumerate(fleet.engines):
        engine.behaviour = holding(f"resp_{number}")
    for number in range(3):
        got = fleet.client.get(f"/v1/responses/resp_{number}")
        assert (got.status_code, got.json()) == (200, {"of": f"resp_{number}"})
        for _ in range(3):
            more = {"input": "And now?", "previous_response_id": f"resp_{number}"}
            assert fleet.client.post("/v1/responses", json=more).json() == {"of": f"resp_{number}"}


def test_versions_are_told_by_engine_and_of_a_lane_where_its_engines_agree(fleet: Fleet) -> None:
    until(lambda: None not in fleet.client.get("/version").json()["engines"].values())
    told = fleet.client.get("/version").json()
    assert told["engines"] == {name(engine): "0.0.double" for engine in fleet.engines}
    assert told["vllm"] == {"mtp": "0.0.double", "body": "0.0.double"}
    fleet.down(fleet.engines[0])
    until(lambda: fleet.client.get("/version").json()["vllm"] == {"mtp": None, "body": "0.0.double"})


def test_a_client_may_force_one_of_a_lane_s_engines(fleet: Fleet) -> None:
    for number in (1, 0, 1):
        before = fleet.got()
        forced = {"x-polydraft-lane": "mtp", "x-polydraft-engine": name(fleet.engines[number])}
        answer = fleet.client.post("/v1/chat/completions", json={"messages": [QUESTION]}, headers=forced)
        assert (answer.status_code, answer.headers["x-polydraft-reason"]) == (200, "forced")
        assert [now - then for now, then in zip(fleet.got(), before, strict=True)] == [number == 0, number == 1, False]


def test_no_other_engine_stands_in_for_one_that_was_forced(fleet: Fleet) -> None:
    first = fleet.engines[0]
    forced = {"x-polydraft-lane": "mtp", "x-polydraft-engine": name(first)}
    first.behaviour = FAULTS["reset"]
    broken = fleet.client.post("/v1/chat/completions", json={"messages": [QUESTION]}, headers=forced)
    assert broken.status_code >= 500
    assert fleet.got()[1:] == [0, 0]
    fleet.down(first)
    down = fleet.client.post("/v1/chat/completions", json={"messages": [QUESTION]}, headers=forced)
    assert (down.status_code, name(first) in down.text) == (503, True)


@pytest.mark.parametrize(
    ("lane", "said"), [("mtp", "they are 127.0.0.1:"), (None, "force the lane too")], ids=["another's", "no lane"]
)
def test_an_engine_that_the_lane_hasn_t_is_refused(fleet: Fleet, lane: str | None, said: str) -> None:
    forced = {"x-polydraft-engine": name(fleet.engines[2]), **({"x-polydraft-lane": lane} if lane else {})}
    refused = fleet.client.post("/v1/chat/completions", json={"messages": [QUESTION]}, headers=forced)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "engine_not_found")
    assert said in refused.json()["error"]["message"]


def test_route_names_all_engines_of_the_lane(fleet: Fleet) -> None:
    explained = fleet.client.post("/v1/route", json={"messages": [QUESTION]}).json()
    assert explained["engines"] == {name(engine): True for engine in fleet.engines[:2]}
