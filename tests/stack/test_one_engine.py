"""One real engine behind two lanes of the router: each request is drafted for as it asks, whatever clients send."""

import concurrent.futures
from typing import Any

import httpx2
import openai
import pytest

from tests.serve.double import metric
from tests.stack.one_engine import Served

pytestmark = pytest.mark.engine

QUESTION = [{"role": "user", "content": "What is speculative decoding?"}]
REFUSED = {"lane": "medusa"}


def ask(served: Served, lane: str, **more: Any) -> dict[str, Any]:
    payload = {"model": "demo", "messages": QUESTION, "temperature": 0, "max_tokens": 48, **more}
    headers = {"x-polydraft-lane": lane}
    answer = httpx2.post(f"{served.router}/v1/chat/completions", json=payload, headers=headers, timeout=120)
    assert (answer.status_code, answer.headers["x-polydraft-lane"]) == (200, lane), answer.text
    return dict(answer.json())


def text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def test_each_lane_drafts_as_it_says_and_answers_the_same(served: Served) -> None:
    body, drafted = ask(served, "body"), ask(served, "eagle3")
    assert text(body) == text(drafted)
    measured = [answer["metrics"]["speculative_decoding"] for answer in (body, drafted)]
    assert [each["lane"] for each in measured] == ["body", "eagle3"]
    assert measured[0]["num_draft_tokens"] == 0
    assert measured[1]["num_accepted_draft_tokens"] > 0


def test_streams_of_both_lanes_at_once(served: Served) -> None:
    client = openai.OpenAI(base_url=f"{served.router}/v1", api_key="none", max_retries=0, timeout=120)

    def stream(lane: str) -> str:
        chunks = client.chat.completions.create(
            model=f"demo@{lane}",
            messages=[{"role": "user", "content": "What is speculative decoding?"}],
            temperature=0,
            max_tokens=48,
            stream=True,
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(stream, ["body", "eagle3"] * 3))
    assert set(answers) == {text(ask(served, "body"))}


@pytest.mark.parametrize("parameter", [{"min_p": 0.2, "temperature": 0.8}, {"logit_bias": {"5": 1}}], ids=str)
def test_what_cannot_be_verified_is_served_by_the_body(served: Served, parameter: dict[str, Any]) -> None:
    """Straight to the engine, which stock vLLM would refuse on; past the router, which would choose the body."""
    payload = {"model": "demo", "messages": QUESTION, "max_tokens": 8, "vllm_xargs": {"lane": "eagle3"}, **parameter}
    answer = httpx2.post(f"{served.engine}/v1/chat/completions", json=payload, timeout=120)
    assert answer.status_code == 200, answer.text
    assert answer.json()["metrics"]["speculative_decoding"]["num_draft_tokens"] == 0


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        ("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 8}),
        ("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 8, "stream": True}),
        ("/v1/completions", {"prompt": "A", "max_tokens": 8}),
        ("/v1/completions", {"prompt": "A", "max_tokens": 8, "stream": True}),
        ("/v1/responses", {"input": "A", "max_output_tokens": 8}),
        ("/v1/messages", {"messages": QUESTION, "max_tokens": 8}),
    ],
    ids=["chat", "chat stream", "completions", "completions stream", "responses", "messages"],
)
@pytest.mark.parametrize(
    "asked",
    [REFUSED, {"lane": 5}, {"lane": ["body"]}, {"lane": "eagle3", "draft_tokens": 4}, {"draft_tokens": "2"}],
    ids=str,
)
def test_a_lane_that_cannot_be_had_is_a_400(served: Served, path: str, payload: dict[str, Any], asked: Any) -> None:
    answer = httpx2.post(f"{served.engine}{path}", json={"model": "demo", **payload, "vllm_xargs": asked}, timeout=60)
    assert answer.status_code == 400, answer.text
    assert "vllm_xargs" in answer.text


def test_the_counters_by_lane_add_up_to_vllms(served: Served) -> None:
    ask(served, "eagle3", vllm_xargs={"mine": 1})
    exposed = httpx2.get(f"{served.engine}/metrics", timeout=60).text
    for counted in ("num_drafts", "num_draft_tokens", "num_accepted_tokens", "num_accepted_tokens_per_pos"):
        ours = metric(exposed, f"polydraft:spec_decode_{counted}_total")
        assert ours == metric(exposed, f"vllm:spec_decode_{counted}_total") > 0, counted
        assert metric(exposed, f"polydraft:spec_decode_{counted}_total", lane="body") == 0
