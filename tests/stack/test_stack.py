"""The main job, on real engines: a lane by language, the same text in every lane, and the truth about acceptance."""

import itertools
import json
import re
import subprocess
import threading
import time
from typing import Any

import httpx2
import pytest

from serve.bench.prompts import DEMO, load
from serve.deploy import profile as profiles
from tests.serve.double import metric, until
from tests.stack.running import Stack

pytestmark = pytest.mark.engine

LANES = ("body", "mtp", "eagle3")
PROMPTS = {
    language: [prompt.text for prompt in prompts]
    for language, prompts in itertools.groupby(load(DEMO), key=lambda prompt: prompt.language)
}
EXPECTED = {"en": "eagle3", "zh-Hans": "mtp", "ru": "body"}


def chat(stack: Stack, text: str, **more: Any) -> httpx2.Response:
    payload = {"messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 64, **more}
    response = stack.client.post("/v1/chat/completions", json=payload)
    assert response.status_code == 200, response.text
    return response


def text_of(response: httpx2.Response) -> str:
    content: str = response.json()["choices"][0]["message"]["content"]
    return content


@pytest.mark.parametrize(("language", "lane"), EXPECTED.items(), ids=EXPECTED)
def test_each_language_takes_the_lane_that_the_measured_table_puts_first(
    stack: Stack, language: str, lane: str
) -> None:
    cells = {cell.language: cell for cell in profiles.load_named("cpu").served.cells}
    row = cells[language.partition("-")[0]].lanes
    assert row[0].lane == lane
    assert row[0].decode_rate == max(candidate.decode_rate or 0 for candidate in row)
    for prompt in PROMPTS[language]:
        response = chat(stack, prompt, max_tokens=8)
        assert response.headers["x-polydraft-language"] == language
        assert response.headers["x-polydraft-lane"] == lane
        assert response.headers["x-polydraft-reason"] == "measured"


@pytest.mark.parametrize("language", PROMPTS)
def test_greedy_text_is_the_same_in_every_lane(stack: Stack, language: str) -> None:
    for prompt in PROMPTS[language][:4]:
        texts = {lane: text_of(chat(stack, prompt, model=f"polydraft-demo@{lane}", max_tokens=160)) for lane in LANES}
        assert texts["mtp"] == texts["body"], prompt
        assert texts["eagle3"] == texts["body"], prompt
        assert texts["body"].strip()


def test_greedy_text_is_the_same_when_lanes_work_at_once(stack: Stack) -> None:
    prompts = [texts[0] for texts in PROMPTS.values()]
    alone = {prompt: text_of(chat(stack, prompt)) for prompt in prompts}
    together: dict[tuple[str, str], str] = {}

    def ask(prompt: str, lane: str) -> None:
        together[prompt, lane] = text_of(chat(stack, prompt, model=f"polydraft-demo@{lane}"))

    threads = [threading.Thread(target=ask, args=pair) for pair in itertools.product(prompts, LANES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {(prompt, lane): alone[prompt] for prompt, lane in itertools.product(prompts, LANES)}


@pytest.mark.parametrize("lane", LANES)
def test_the_official_client_gets_the_same_text_streamed_and_whole(stack: Stack, lane: str) -> None:
    client, prompt = stack.openai(), PROMPTS["en"][0]
    asked: dict[str, Any] = {
        "model": f"polydraft-demo@{lane}",
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": 48,
    }
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert all(chunk.choices for chunk in chunks), "the usage chunk was not asked for"
    with_usage = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert with_usage[-1].usage == whole.usage
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 48


@pytest.mark.parametrize("lane", LANES)
def test_the_official_client_continues_a_text(stack: Stack, lane: str) -> None:
    client = stack.openai()
    asked: dict[str, Any] = {"model": f"polydraft-demo@{lane}", "prompt": "The", "temperature": 0, "max_tokens": 24}
    whole = client.completions.create(**asked).choices[0].text
    assert "".join(chunk.choices[0].text for chunk in client.completions.create(**asked, stream=True)) == whole
    assert whole == client.completions.create(**{**asked, "model": "polydraft-demo@body"}).choices[0].text


def test_events_are_the_engines_own_but_for_the_usage_chunk(stack: Stack) -> None:
    payload = {
        "model": "polydraft-demo",
        "messages": [{"role": "user", "content": PROMPTS["en"][0]}],
        "temperature": 0,
        "max_tokens": 24,
        "stream": True,
    }
    direct = httpx2.post(f"{stack.engines['eagle3']}/v1/chat/completions", json=payload, timeout=60).text
    routed = chat(stack, PROMPTS["en"][0], max_tokens=24, stream=True).text
    assert read(routed) == read(direct)


def read(stream: str) -> tuple[str, set[str], str]:
    """Take a stream apart: its text, the kinds of events it is made of, and how it ends.

    How many steps' tokens vLLM puts into one event depends on the moment, and so do id and time; a fingerprint stands
    on the last event before `[DONE]`, which is the usage chunk wherever there is one.
    """
    *events, end = [event.removeprefix("data: ") for event in stream.split("\n\n") if event]
    text, kinds = "", set()
    for event in events:
        parsed = json.loads(event)
        text += parsed["choices"][0]["delta"].pop("content")
        for field in ("id", "created", "system_fingerprint"):
            parsed.pop(field, None)
        kinds.add(json.dumps(parsed))
    return text, kinds, end


def theirs(text: str) -> list[float]:
    names = ("num_drafts", "num_draft_tokens", "num_accepted_tokens")
    per_pos = "vllm:spec_decode_num_accepted_tokens_per_pos_total"
    totals = [metric(text, f"vllm:spec_decode_{name}_total") for name in names]
    return totals + [metric(text, per_pos, position=str(position)) for position in range(4)]


def ours(text: str, lane: str, language: str) -> list[float]:
    names = ("num_spec_steps", "num_draft_tokens", "num_accepted_draft_tokens")
    keys = {"lane": lane, "language": language}
    per_pos = "polydraft_num_accepted_draft_tokens_per_pos_total"
    totals = [metric(text, f"polydraft_{name}_total", **keys) for name in names]
    return totals + [metric(text, per_pos, **keys, position=str(position)) for position in range(4)]


@pytest.mark.parametrize(("lane", "language"), [("eagle3", "en"), ("mtp", "zh-Hans"), ("mtp", "ru")])
def test_over_measured_requests_our_counts_are_vllms_own(stack: Stack, lane: str, language: str) -> None:
    def count() -> tuple[list[float], list[float]]:
        engine = httpx2.get(f"{stack.engines[lane]}/metrics").text
        return theirs(engine), ours(stack.client.get("/metrics").text, lane, language)

    before = count()
    finished = requests(stack, lane)
    for number, prompt in enumerate(PROMPTS[language][:4]):
        chat(stack, prompt, model=f"polydraft-demo@{lane}", temperature=0.7 * (number % 2), stream=number < 2)
    until(lambda: requests(stack, lane) == finished + 4)
    time.sleep(0.5)  # vLLM publishes its counters after it has answered
    after = count()
    vllms, mine = ([b - a for a, b in zip(*pair, strict=True)] for pair in zip(before, after, strict=True))
    assert vllms[0] > 0
    assert mine == vllms


def requests(stack: Stack, lane: str) -> float:
    text = stack.client.get("/metrics").text
    return metric(text, "polydraft_requests_total", lane=lane, reason="forced", end="complete")


def test_several_choices_are_counted_as_unmeasured(stack: Stack) -> None:
    def unmeasured() -> float:
        text = stack.client.get("/metrics").text
        return metric(text, "polydraft_unmeasured_requests_total", lane="eagle3", language="en")

    before = unmeasured()
    assert len(chat(stack, PROMPTS["en"][0], n=2, temperature=0.7).json()["choices"]) == 2
    until(lambda: unmeasured() == before + 1)


def test_a_client_that_leaves_frees_the_engine(stack: Stack) -> None:
    def running() -> float:
        return metric(httpx2.get(f"{stack.engines['eagle3']}/metrics").text, "vllm:num_requests_running")

    payload = {"messages": [{"role": "user", "content": PROMPTS["en"][0]}], "max_tokens": 1500, "stream": True}
    with stack.client.stream("POST", "/v1/chat/completions", json={**payload, "ignore_eos": True}) as response:
        chunks = response.iter_bytes()
        assert next(chunks)
        until(lambda: running() == 1)
    until(lambda: running() == 0, 5)
    until(lambda: metric(stack.client.get("/metrics").text, "polydraft_in_flight_requests", lane="eagle3") == 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("parameter", [{"min_p": 0.1}, {"logit_bias": {"65": 1}}], ids=["min_p", "logit_bias"])
def test_what_a_speculating_engine_refuses_is_answered_by_the_body(
    stack: Stack, parameter: dict[str, Any], stream: bool
) -> None:
    """The engine itself must still refuse it: once it doesn't, the rule has to go."""
    asked = {"messages": [{"role": "user", "content": PROMPTS["en"][0]}], "temperature": 0.7, "max_tokens": 8}
    refused = httpx2.post(f"{stack.engines['mtp']}/v1/chat/completions", json={**asked, **parameter}, timeout=60)
    assert refused.status_code == 400
    response = chat(stack, PROMPTS["en"][0], temperature=0.7, max_tokens=8, stream=stream, **parameter)
    assert (response.headers["x-polydraft-lane"], response.headers["x-polydraft-reason"]) == ("body", "sampling")
    assert "not yet supported" not in response.text
    forced = stack.client.post("/v1/chat/completions", json={**asked, **parameter, "model": "polydraft-demo@mtp"})
    assert (forced.status_code, forced.json()["error"]["param"]) == (400, next(iter(parameter)))


def test_route_says_what_a_request_gets(stack: Stack) -> None:
    for language, lane in EXPECTED.items():
        payload = {"messages": [{"role": "user", "content": PROMPTS[language][0]}]}
        explained = stack.client.post("/v1/route", json=payload).json()
        assert (explained["lane"], explained["language"], explained["reason"]) == (lane, language, "measured")
        assert all(candidate["ready"] and candidate["decode_rate"] for candidate in explained["candidates"])


def test_the_engines_are_the_vllm_that_was_pinned(stack: Stack) -> None:
    assert set(stack.client.get("/version").json()["vllm"].values()) == {"0.32.0"}


def test_the_access_log_holds_no_prompt(stack: Stack) -> None:
    answered = chat(stack, PROMPTS["en"][0], max_tokens=4).headers["x-request-id"]
    until(lambda: answered in stack.router_log.read_text())
    log = stack.router_log.read_text()
    (line,) = [line for line in map(json.loads, log.splitlines()) if line.get("request_id") == answered]
    assert {"lane", "language", "reason", "status", "endpoint"} <= set(line)
    assert PROMPTS["en"][0] not in log


def test_the_printed_curl_lines_get_what_they_promise(stack: Stack) -> None:
    lines = [line.strip() for line in stack.said.read_text().splitlines() if line.strip().startswith(("# ", "curl "))]
    promises = dict(zip(lines[1::2], lines[::2], strict=True))
    assert len(promises) >= 2
    for command, promise in promises.items():
        answer = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120, check=True).stdout
        lane = re.search(r"x-polydraft-lane: (\S+)", answer)
        assert lane is not None
        assert lane[1] in promise
        assert "x-polydraft-reason: measured" in answer
