"""The wire, against an engine double that answers and breaks on purpose."""

import asyncio
import json
import socket
import struct
import time
from typing import Any

import httpx2
import openai
import pytest

from serve.routing.lane import Lane
from tests.serve import double
from tests.serve.double import Engine, Exchange, metric, until

ENGLISH = [{"role": "user", "content": "Please tell me what a computer program is."}]
CHINESE = [{"role": "user", "content": "请告诉我什么是计算机程序。"}]


def chat(client: httpx2.Client, messages: list[dict[str, str]], **more: Any) -> httpx2.Response:
    return client.post("/v1/chat/completions", json={"messages": messages, **more})


def events(response: httpx2.Response) -> list[str]:
    return [line.removeprefix("data: ") for line in response.text.splitlines() if line]


def test_goes_to_the_lane_of_the_answers_language(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    response = chat(client, CHINESE)
    assert (len(body.got), len(mtp.got)) == (0, 1)
    assert response.headers["x-polydraft-lane"] == "mtp"
    assert response.headers["x-polydraft-language"] == "zh-Hans"
    assert response.headers["x-polydraft-reason"] == "measured"


def test_a_whole_answer_reaches_the_client_byte_for_byte(client: httpx2.Client, body: Engine) -> None:
    raw = b'{ "id":"x","choices":[] ,"usage":{"prompt_tokens":1},"odd":[1e400,"\\u00e9"]}'

    async def odd(exchange: Exchange) -> None:
        await exchange.head(200, "application/json", f"content-length: {len(raw)}")
        await exchange.send(raw)

    body.behaviour = odd
    assert chat(client, ENGLISH).content == raw


def test_unknown_fields_reach_the_engine(client: httpx2.Client, body: Engine) -> None:
    extra = {"brand_new": {"deep": [1, None, "字"]}, "n": 1, "temperature": 0.3, "seed": 12345678901234567890}
    chat(client, ENGLISH, **extra)
    assert body.got[0].payload == {"messages": ENGLISH, "model": "demo", **extra}


def test_strips_the_usage_chunk_that_only_the_router_asked_for(client: httpx2.Client, body: Engine) -> None:
    got = events(chat(client, ENGLISH, stream=True))
    assert body.got[0].payload["stream_options"]["include_usage"] is True
    assert [json.loads(event)["choices"][0]["delta"]["content"] for event in got[:-1]] == ["hel", "lo"]
    assert got[-1] == "[DONE]"


def test_keeps_the_usage_chunk_that_the_client_asked_for(client: httpx2.Client) -> None:
    got = events(chat(client, ENGLISH, stream=True, stream_options={"include_usage": True}))
    assert json.loads(got[-2])["usage"] == double.USAGE


def test_a_chunk_does_not_wait_for_the_next(client: httpx2.Client, body: Engine) -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.event(double.delta("first"))
        await asyncio.sleep(1.5)
        await exchange.end_stream()

    body.behaviour = slow
    started = time.monotonic()
    with client.stream("POST", "/v1/chat/completions", json={"messages": ENGLISH, "stream": True}) as response:
        chunks = response.iter_bytes()
        assert b"first" in next(chunks)
        assert time.monotonic() - started < 1
        assert b"".join(chunks) == b"data: [DONE]\n\n"


def test_an_event_cut_in_the_middle_of_a_character_comes_through(client: httpx2.Client, body: Engine) -> None:
    raw = f"data: {json.dumps(double.delta('字🦊'), ensure_ascii=False)}\n\n".encode()

    async def cut(exchange: Exchange) -> None:
        await exchange.start_stream()
        for start in range(0, len(raw), 5):
            await exchange.chunk(raw[start : start + 5])
            await asyncio.sleep(0.002)
        await exchange.end_stream()

    body.behaviour = cut
    assert chat(client, ENGLISH, stream=True).content == raw + b"data: [DONE]\n\n"


def test_an_engines_refusal_is_the_clients_answer(client: httpx2.Client, body: Engine) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.whole({"error": {"message": "no", "type": "BadRequestError", "code": 400}}, 400)

    body.behaviour = refuse
    response = chat(client, ENGLISH, stream=True)
    assert (response.status_code, response.json()["error"]["message"]) == (400, "no")
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", end="refused") == 1)


async def reset(exchange: Exchange) -> None:
    """Break the connection as a crashed process does: with a reset, not a farewell."""
    linger = struct.pack("ii", 1, 0)
    exchange.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    exchange.writer.close()


async def unready(exchange: Exchange) -> None:
    await exchange.whole({"error": "loading"}, 503)


async def broken(exchange: Exchange) -> None:
    await exchange.whole({"error": {"message": "EngineDeadError"}}, 500)


async def elsewhere(exchange: Exchange) -> None:
    await exchange.head(302, "text/plain", "location: /version", "content-length: 0")


FAULTS = {"reset": reset, "503": unready, "500": broken, "302": elsewhere}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_another_lane_stands_in_before_the_first_byte(
    client: httpx2.Client, body: Engine, mtp: Engine, fault: double.Behaviour, stream: bool
) -> None:
    body.behaviour = fault
    response = chat(client, ENGLISH, stream=stream)
    assert response.status_code == 200
    assert response.headers["x-polydraft-lane"] == "mtp"
    assert response.headers["x-polydraft-reason"] == "fallback"
    assert len(mtp.got) == 1


def test_a_forced_lane_is_not_replaced(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    body.behaviour = reset
    response = chat(client, ENGLISH, model="demo@body")
    assert (response.status_code, response.json()["error"]["code"]) == (502, "engine_failed")
    assert mtp.got == []


def test_when_every_engine_breaks_the_client_is_told(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    body.behaviour = mtp.behaviour = reset
    response = chat(client, ENGLISH)
    assert (response.status_code, response.json()["error"]["type"]) == (502, "server_error")


def test_an_engine_that_dies_in_mid_stream_makes_the_official_client_raise(client: httpx2.Client, body: Engine) -> None:
    async def die(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.event(double.delta("one"))
        await asyncio.sleep(0.05)
        await reset(exchange)

    body.behaviour = die
    official = openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0)
    stream = official.chat.completions.create(model="demo", messages=ENGLISH, stream=True)  # type: ignore[arg-type]
    texts = []
    with pytest.raises(openai.APIError, match="broke off"):
        texts += [chunk.choices[0].delta.content for chunk in stream]  # type: ignore[union-attr]
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", end="failed", lane="body") == 1)


def test_an_engine_that_falls_silent_is_given_up(loop: double.Loop, body: Engine) -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.event(double.delta("one"))
        await exchange.closed.wait()

    body.behaviour = silent
    lanes = (Lane("body", body.url),)
    with double.router(loop, double.settings(lanes, silence_timeout=0.3)) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        response = chat(client, ENGLISH, stream=True)
    assert json.loads(events(response)[-1])["error"]["code"] == "engine_silent"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_client_that_leaves_aborts_the_engines_request(client: httpx2.Client, mtp: Engine, stream: bool) -> None:
    aborted = []

    async def endless(exchange: Exchange) -> None:
        if stream:
            await exchange.start_stream()
            await exchange.event(double.delta("one"))
        await asyncio.wait_for(exchange.closed.wait(), 5)
        aborted.append(time.monotonic())
        exchange.writer.close()

    mtp.behaviour = endless
    with pytest.raises(httpx2.ReadTimeout):
        client.post("/v1/chat/completions", json={"messages": CHINESE, "stream": stream}, timeout=0.3).read()
    left = time.monotonic()
    until(lambda: bool(aborted), 3)
    assert aborted[0] - left < 1
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", end="aborted") == 1)
    text = client.get("/metrics").text
    assert metric(text, "polydraft_in_flight_requests", lane="mtp") == 0
    assert metric(text, "polydraft_unmeasured_requests_total", lane="mtp") == 1


def test_counts_what_the_engine_reported(client: httpx2.Client) -> None:
    chat(client, CHINESE)
    chat(client, CHINESE, stream=True)
    keys = {"lane": "mtp", "language": "zh-Hans"}
    finished = {**keys, "reason": "measured", "end": "complete"}
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", **finished) == 2)
    text = client.get("/metrics").text
    assert metric(text, "polydraft_num_spec_steps_total", **keys) == 12
    assert metric(text, "polydraft_num_draft_tokens_total", **keys) == 24
    assert metric(text, "polydraft_num_accepted_draft_tokens_total", **keys) == 16
    assert metric(text, "polydraft_num_accepted_draft_tokens_per_pos_total", **keys, position="0") == 10
    assert metric(text, "polydraft_num_accepted_draft_tokens_per_pos_total", **keys, position="1") == 6
    assert metric(text, "polydraft_completion_tokens_total", **keys) == 30
    assert metric(text, "polydraft_time_to_first_token_seconds_count", **keys) == 2
    assert metric(text, "polydraft_decode_rate_count", **keys) == 2
    assert metric(text, "polydraft_unmeasured_requests_total", **keys) == 0


def test_a_request_without_a_report_is_unmeasured(client: httpx2.Client, mtp: Engine) -> None:
    async def several(exchange: Exchange) -> None:
        await exchange.whole({"choices": [], "usage": double.USAGE, "metrics": None})

    mtp.behaviour = several
    chat(client, CHINESE, n=2)
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", lane="mtp") == 1)
    text = client.get("/metrics").text
    assert metric(text, "polydraft_unmeasured_requests_total", lane="mtp", language="zh-Hans") == 1
    assert metric(text, "polydraft_num_spec_steps_total", lane="mtp") == 0


def test_a_refusal_inside_a_stream_is_no_answer(client: httpx2.Client, mtp: Engine) -> None:
    """vLLM refuses a streamed request with status 200 and an error event."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.event({"error": {"message": "no", "code": 400}})
        await exchange.end_stream()

    mtp.behaviour = refuse
    assert '"no"' in chat(client, CHINESE, stream=True).text
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", lane="mtp", end="refused") == 1)
    text = client.get("/metrics").text
    assert metric(text, "polydraft_unmeasured_requests_total", lane="mtp") == 0


@pytest.mark.parametrize(("silent", "stays_up"), [(2, True), (30, False)], ids=["two probes", "many probes"])
def test_a_busy_engine_may_leave_a_few_probes_unanswered(
    loop: double.Loop, body: Engine, silent: int, stays_up: bool
) -> None:
    lanes = (Lane("body", body.url),)
    wanted = double.settings(lanes, probe_timeout=0.1)
    with double.router(loop, wanted) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        body.silent_probes = silent
        seen = []
        for _ in range(40):
            seen.append(client.get("/readyz").status_code)
            time.sleep(0.025)
    assert (503 not in seen) is stays_up


def test_a_stream_that_ends_too_early_is_an_error(client: httpx2.Client, mtp: Engine) -> None:
    async def cut_short(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.event(double.delta("one"))
        await exchange.chunk(b'data: {"choices":[{"ind')
        await exchange.send(b"0\r\n\r\n")

    mtp.behaviour = cut_short
    got = events(chat(client, CHINESE, stream=True))
    assert json.loads(got[-1])["error"]["code"] == "engine_failed"
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", lane="mtp", end="failed") == 1)


def test_an_engine_that_fails_in_mid_answer_leaves_it_unmeasured(client: httpx2.Client, mtp: Engine) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.event(double.delta("one"))
        await exchange.event({"error": {"message": "EngineDeadError", "code": 500}})
        await exchange.end_stream()

    mtp.behaviour = fail
    chat(client, CHINESE, stream=True)
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", lane="mtp", end="failed") == 1)
    assert metric(client.get("/metrics").text, "polydraft_unmeasured_requests_total", lane="mtp") == 1


def test_a_whole_answer_may_take_longer_than_the_limit_of_silence(loop: double.Loop, body: Engine) -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.8)
        await double.answer(exchange)

    body.behaviour = slow
    wanted = double.settings((Lane("body", body.url),), silence_timeout=0.2)
    with double.router(loop, wanted) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        assert chat(client, ENGLISH).status_code == 200


def test_when_no_engine_is_ready_the_client_is_told_when_to_come_back(
    client: httpx2.Client, body: Engine, mtp: Engine
) -> None:
    body.behaviour = mtp.behaviour = unready
    response = chat(client, ENGLISH)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "lane_not_ready")
    assert response.headers["retry-after"]
