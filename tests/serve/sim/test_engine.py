"""A simulated engine over HTTP: what it says is read by the code that reads vLLM."""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from serve.proxy import sse, vllm
from serve.proxy.dialect import CHAT
from serve.routing.cell import Cell, Endpoint
from serve.routing.lane import Lane
from serve.routing.sample import Sample
from serve.sim import figures
from serve.sim.box import Box
from serve.sim.engine import Engine, Nature
from serve.sim.filler import circling, filler
from serve.sim.work import Seats, Work
from tests.serve.double import metric

LANES = (Lane("mtp", "", "mtp", 4), Lane("body", ""))
MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]


def english(payload: Mapping[str, Any], endpoint: Endpoint) -> Cell:
    return Cell("en", "prose", endpoint, False)


def asked(
    ask: Callable[[aiohttp.ClientSession, str], Coroutine[Any, Any, Any]],
    works: list[Work] | None = None,
    limit: int = 8,
) -> Any:
    """Ask a simulated engine something; gives what the coroutine gives."""

    async def run() -> Any:
        box = Box(figures.load("gb10", "vanilla"), "vanilla", LANES)
        nature = Nature(box, "demo", english, (works if works is not None else []).append, random.Random(1))
        runner = web.AppRunner(Engine(nature, LANES, Seats(limit, 200)).application())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession() as client:
                return await ask(client, url)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "demo", "messages": MESSAGES, "max_tokens": 60, "ignore_eos": True, **more}


def posted(payload: Any, path: str = "/v1/chat/completions") -> tuple[int, bytes]:
    async def ask(client: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        async with client.post(url + path, data=raw) as response:
            return response.status, await response.read()

    answer: tuple[int, bytes] = asked(ask)
    return answer


def test_a_whole_answer_reports_what_the_drafter_did() -> None:
    status, raw = posted(chat())
    report = vllm.report(json.loads(raw))
    assert (status, report.completion_tokens) == (200, 60)
    assert report.acceptance is not None
    assert report.acceptance.num_draft_tokens == 4 * report.acceptance.num_spec_steps
    assert 1.5 < (report.acceptance.acceptance_length or 0) < 4.5
    assert report.generation_time is not None
    box = Box(figures.load("gb10", "vanilla"), "vanilla", LANES)
    step = report.generation_time / report.acceptance.num_spec_steps
    assert step == pytest.approx(box.step(LANES[0], 1), rel=0.15)  # its own pace scatters by 3 %


def test_the_body_reports_no_acceptance_and_one_token_a_step() -> None:
    status, raw = posted(chat(vllm_xargs={"lane": "body", "draft_tokens": 0}))
    report = vllm.report(json.loads(raw))
    assert (status, report.acceptance) == (200, None)
    assert report.generation_time is not None
    assert 59 / report.generation_time == pytest.approx(35, rel=0.15)


def test_a_stream_ends_with_the_usage_chunk_that_was_asked_for() -> None:
    _, raw = posted(chat(stream=True, stream_options={"include_usage": True}))
    events = list(sse.Splitter().feed(raw))
    assert CHAT.is_end(events[-1])
    assert CHAT.is_count(events[-2])
    assert vllm.report(vllm.decode(sse.data(events[-2]))).acceptance is not None
    deltas = [json.loads(sse.data(event))["choices"][0]["delta"] for event in events[:-2]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert sum(len(delta["content"].split()) for delta in deltas) == 60


def test_a_stream_has_no_usage_chunk_unasked() -> None:
    _, raw = posted(chat(stream=True))
    assert not any(CHAT.is_count(event) for event in sse.Splitter().feed(raw))


def test_raw_completions_are_text() -> None:
    status, raw = posted({"model": "demo", "prompt": "Once", "max_tokens": 5}, "/v1/completions")
    assert status == 200
    assert json.loads(raw)["choices"][0]["text"].strip()


@pytest.mark.parametrize(
    ("payload", "status"),
    [(chat(model="other"), 404), (b"{", 400), (b"[]", 400), (chat(max_tokens="many"), 400)],
    ids=["model", "cut", "list", "tokens"],
)
def test_refuses_what_it_cant_read(payload: Any, status: int) -> None:
    answered, raw = posted(payload)
    assert answered == status
    assert json.loads(raw)["error"]["message"]


def test_requests_beyond_its_seats_wait_and_say_so() -> None:
    works: list[Work] = []

    async def ask(client: aiohttp.ClientSession, url: str) -> None:
        async def one() -> None:
            async with client.post(f"{url}/v1/chat/completions", json=chat()) as response:
                await response.read()

        await asyncio.gather(*(one() for _ in range(3)))

    asked(ask, works, limit=2)
    assert sorted(work.queued > 0.1 for work in works) == [False, False, True]
    assert max(work.batch for work in works) <= 2
    assert max(work.batch for work in works) > 1.3


def test_its_metrics_are_vllms_and_count_what_was_left_half_way() -> None:
    async def ask(client: aiohttp.ClientSession, url: str) -> str:
        async with client.post(f"{url}/v1/chat/completions", json=chat()) as response:
            await response.read()
        async with client.post(f"{url}/v1/chat/completions", json=chat(stream=True, max_tokens=4000)) as response:
            await response.content.readany()
        async with client.get(f"{url}/health") as health, client.get(f"{url}/v1/models") as models:
            assert health.status == 200
            assert (await models.json())["data"][0]["id"] == "demo"
        await asyncio.sleep(0.1)
        async with client.get(f"{url}/metrics") as response:
            return await response.text()

    text = asked(ask)
    assert metric(text, "vllm:num_requests_running") == 0
    assert metric(text, "vllm:generation_tokens_total") > 60
    accepted = metric(text, "vllm:spec_decode_num_accepted_tokens_total")
    assert metric(text, "vllm:spec_decode_num_accepted_tokens_per_pos_total") == accepted > 0
    assert metric(text, "vllm:spec_decode_num_draft_tokens_total") == 4 * metric(
        text, "vllm:spec_decode_num_drafts_total"
    )


def test_drafts_as_many_tokens_as_it_is_told_and_no_more_than_the_lane_does() -> None:
    for drafts, told in ((1, 1), (2, 2), (4, 4), (9, 4), (0, 4)):
        _, raw = posted(chat(vllm_xargs={"lane": "mtp", "draft_tokens": drafts}))
        reported = json.loads(raw)["metrics"]["speculative_decoding"]
        assert reported["num_spec_tokens"] == told
        assert reported["num_draft_tokens"] == told * reported["num_spec_steps"]
        assert len(reported["acceptance_histogram"]) == told + 1


def test_words_in_circles_are_heard_as_such() -> None:
    for language in ("en", "zh-Hans", "ja", "fi"):
        for write, repeats in (
            (circling, True),
            (lambda name, _, tokens: filler(name, tokens, random.Random(1)), False),
        ):
            heard = Sample()
            heard.add(json.dumps({"content": write(language, 0, 300)}, separators=(",", ":")).encode())
            assert heard.repeats() is repeats
    assert circling("en", 3, 4) == circling("en", 0, 7).removeprefix(circling("en", 0, 3))
