"""Byte for byte: a payload sent through the router is answered as the same engine answers it, but for ids and times."""

import itertools
import json
import re
from typing import Any

import httpx2
import pytest

from tests.stack.one_engine import Served

pytestmark = pytest.mark.engine

TRIES = 6
"""How many tokens share an event depends on the moment, so a stream may be cut otherwise, though seldom."""

QUESTION = "What is speculative decoding?"
TURNS = [{"role": "user", "content": QUESTION}]
GREEDY = {"temperature": 0, "max_tokens": 8}
PARAMETERS = {"type": "object", "properties": {"x": {"enum": ["y"]}}, "required": ["x"]}
TOOL = {"type": "function", "function": {"name": "look", "parameters": PARAMETERS, "strict": True}}
SCHEMA = {"name": "it", "schema": {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="  # noqa: E501
SHOWN: dict[str, dict[str, Any]] = {
    "a picture": {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    "a sound": {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    "a film": {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
}
"""What the demo's body refuses, since it sees and hears nothing: these get as far as the engine's own refusal."""


def shown(part: dict[str, Any], kind: str = "text") -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": kind, "text": QUESTION}, part]}]


CALLED = [
    *TURNS,
    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "look", "input": {"x": "y"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "rain"}]},
]
CLAUDES_PICTURE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL.partition(",")[2]},
}
CLAUDES = {"name": "look", "input_schema": PARAMETERS, "strict": True}
CALL = {
    "tools": [{"type": "function", "name": "look", "parameters": PARAMETERS, "strict": True}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
}
THOUGHT = {"structured_outputs": {"regex": "Here is my thought process:ab Here is my response:cd"}}

CHAT: dict[str, dict[str, Any]] = {
    "plain": {},
    "with system": {"messages": [{"role": "system", "content": "Be brief."}, *TURNS]},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "two choices": {"n": 2, "temperature": 0.8, "seed": 7},
    "tool must be called": {"tools": [TOOL], "tool_choice": "required", "max_tokens": 80},
    "tool by name": {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look"}}},
    "tool may be called": {"tools": [TOOL]},
    "JSON schema": {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    "regex": {"structured_outputs": {"regex": "[a-c]{3}"}},
    "stop": {"stop": ["de"], "include_stop_str_in_output": True},
    "token ids": {"return_token_ids": True},
    "a thought": {**THOUGHT, "max_tokens": 40},
    "thinking": {"reasoning_effort": "high", "chat_template_kwargs": {"enable_thinking": True}},
    **{name: {"messages": shown(part)} for name, part in SHOWN.items()},
    "too many tokens": {"max_tokens": 100_000},
    "a wrong type": {"temperature": "hot"},
    "unknown fields": {"nobody": {"knows": [1, 2.50, None, "\ud800é"]}},
}
COMPLETION: dict[str, dict[str, Any]] = {
    "plain": {"prompt": "The"},
    "echo and logprobs": {"prompt": "The", "echo": True, "logprobs": 2},
    "two prompts": {"prompt": ["The", "A computer"]},
    "token ids as prompt": {"prompt": [1, 2737, 91]},
    "two choices": {"prompt": "The", "n": 2, "temperature": 0.8, "seed": 7},
    "suffix, which vLLM refuses": {"prompt": "The", "suffix": "end"},
}
RESPONSE: dict[str, dict[str, Any]] = {
    "plain": {"input": QUESTION},
    "items": {"input": [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]},
    "instructions": {"input": QUESTION, "instructions": "Be brief.", "metadata": {"model": "demo"}},
    "tool must be called": {"input": QUESTION, **CALL, "max_output_tokens": 80},
    "JSON schema": {"input": QUESTION, "text": {"format": {"type": "json_schema", **SCHEMA}}},
    "a thought": {"input": QUESTION, **THOUGHT, "max_output_tokens": 40},
    "effort": {"input": QUESTION, "reasoning": {"effort": "low"}},
    "a picture": {"input": shown({"type": "input_image", "image_url": PIXEL, "detail": "auto"}, "input_text")},
    "goes on from what isn't there": {"input": QUESTION, "previous_response_id": "resp_none"},
    "too many tokens": {"input": QUESTION, "max_output_tokens": 100_000},
}
MESSAGE: dict[str, dict[str, Any]] = {
    "plain": {},
    "system": {"system": [{"type": "text", "text": "Be brief."}]},
    "tool must be called": {"tools": [CLAUDES], "tool_choice": {"type": "any"}, "max_tokens": 80},
    "tool was called": {"tools": [CLAUDES], "messages": CALLED},
    "stop sequence": {"stop_sequences": ["de"]},
    "adaptive thinking": {"thinking": {"type": "adaptive"}},
    "JSON schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA["schema"]}}},
    "a picture": {"messages": shown(CLAUDES_PICTURE)},
    "an unknown role": {"messages": [{"role": "nobody", "content": "x"}]},
    "too many tokens": {"max_tokens": 100_000},
}
COUNT: dict[str, tuple[str, dict[str, Any]]] = {
    "a message's tokens": ("/v1/messages/count_tokens", {"messages": TURNS, "tools": [CLAUDES]}),
    "a wrong message's tokens": ("/v1/messages/count_tokens", {"messages": "x"}),
    "a text": ("/tokenize", {"prompt": "hello", "return_token_strs": True}),
    "a picture's tokens": ("/v1/messages/count_tokens", {"messages": shown(CLAUDES_PICTURE)}),
    "a picture": ("/tokenize", {"messages": shown(SHOWN["a picture"])}),
    "a chat": ("/tokenize", {"messages": TURNS, "add_generation_prompt": False}),
    "neither": ("/tokenize", {}),
    "tokens": ("/detokenize", {"tokens": [1, 2737, 91]}),
    "a token that isn't": ("/detokenize", {"tokens": [-1]}),
}
MADE_UP = re.compile(rb'"(id|item_id|call_id|signature)":"[^"]*"|"(created|created_at|completed_at)":[0-9.]+')
TIMED = re.compile(rb'"[a-z_]+_ms":[0-9.e-]+|"tokens_per_second":[0-9.e-]+')


SHOWS = {
    ("/v1/chat/completions", "tool must be called"): b'"tool_calls":[{',
    ("/v1/chat/completions", "a thought"): b'"reasoning":"',
    ("/v1/responses", "tool must be called"): b'"type":"function_call"',
    ("/v1/responses", "a thought"): b'"type":"reasoning_text"',
    ("/v1/messages", "tool must be called"): b'"type":"tool_use"',
}
"""What a whole answer must have in it for its comparison to be worth something."""


def cases(path: str, payloads: dict[str, dict[str, Any]], fixed: dict[str, Any]) -> list[Any]:
    called = "chat" if "chat" in path else path.split("/")[-1]
    asked = list(itertools.product(payloads, STREAMS.items()))
    if called in ("chat", "completions"):
        asked += itertools.product(["plain", "two choices"], USAGE.items())
    return [
        pytest.param(
            path,
            {**fixed, **payloads[name], **stream},
            b"" if stream else SHOWS.get((path, name), b""),
            id=f"{called}, {name}, {how}",
        )
        for name, (how, stream) in asked
    ]


STREAMS: dict[str, dict[str, Any]] = {"whole": {}, "streamed": {"stream": True}}
USAGE: dict[str, dict[str, Any]] = {
    "with usage": {"stream": True, "stream_options": {"include_usage": True}},
    "with usage in all events": {
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    },
    "without usage": {"stream": True, "stream_options": {"include_usage": False, "continuous_usage_stats": True}},
}
GENERATING = [
    *cases("/v1/chat/completions", CHAT, {"messages": TURNS, **GREEDY}),
    *cases("/v1/completions", COMPLETION, GREEDY),
    *cases("/v1/responses", RESPONSE, {"temperature": 0, "max_output_tokens": 8}),
    *cases("/v1/messages", MESSAGE, {"messages": TURNS, **GREEDY}),
]
COUNTING = [
    pytest.param(path, payload, b"", id=f"{path.split('/')[-1]}, {name}") for name, (path, payload) in COUNT.items()
]


def known(raw: bytes, payload: dict[str, Any]) -> bytes:
    """Blank what differs between any two answers: ids and times, and in which order several choices' events come."""
    raw = TIMED.sub(b"", MADE_UP.sub(rb'"\1\2"', raw))
    if payload.get("n", 1) == 1 and not isinstance(payload.get("prompt"), list):
        return raw
    return b"\n\n".join(sorted(raw.split(b"\n\n"), key=lambda event: choice(bytes(event))))


def choice(event: bytes) -> int:
    found = re.search(rb'"choices":\[\{"index":(\d)', event)
    return int(found[1]) if found else 9


def answer(url: str, path: str, payload: dict[str, Any]) -> tuple[int, str, bytes]:
    """What came: status, type of content, bytes."""
    raw = json.dumps({"model": "demo", **payload})
    got = httpx2.post(url + path, content=raw, headers={"content-type": "application/json"}, timeout=120)
    return got.status_code, got.headers["content-type"], got.content


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        pytest.param(path, {**payload, "max_tokens": 8}, id=f"{path}, {name}")
        for path, kinds in (("/v1/chat/completions", CHAT), ("/v1/responses", RESPONSE), ("/v1/messages", MESSAGE))
        for name, payload in kinds.items()
        if name in SHOWN
    ],
)
def test_what_a_body_cannot_see_is_refused_by_the_engine_itself(
    served: Served, path: str, payload: dict[str, Any]
) -> None:
    status, _, raw = answer(served.router, path, payload)
    assert status == 400
    assert b"multimodal" in raw or b"image" in raw or b"audio" in raw or b"video" in raw


@pytest.mark.parametrize(("path", "payload", "shows"), [*GENERATING, *COUNTING])
def test_the_router_gives_the_engines_bytes(served: Served, path: str, payload: dict[str, Any], shows: bytes) -> None:
    for _ in range(TRIES):
        direct, routed = (answer(url, path, payload) for url in (served.engine, served.router))
        if known(direct[2], payload) == known(routed[2], payload):
            break
    assert routed[:2] == direct[:2]
    assert known(routed[2], payload).decode() == known(direct[2], payload).decode()
    assert shows in routed[2]


DRAFTED = [
    pytest.param("/v1/chat/completions", {"messages": TURNS, **GREEDY}, id="chat"),
    pytest.param("/v1/completions", {"prompt": "The", **GREEDY}, id="completions"),
    pytest.param("/v1/responses", {"input": QUESTION, "max_output_tokens": 8, "temperature": 0}, id="responses"),
    pytest.param("/v1/messages", {"messages": TURNS, **GREEDY}, id="messages"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("path", "payload"), DRAFTED)
def test_a_lane_by_name_gives_its_drafters_bytes_under_that_name(
    served: Served, path: str, payload: dict[str, Any], stream: bool
) -> None:
    """`metrics`, too, is the engine's, where its endpoint has it: what the drafter did on this very answer."""
    asked = {**payload, "stream": stream}
    for _ in range(TRIES):
        _, _, routed = answer(served.router, path, {**asked, "model": "demo@eagle3"})
        lane = {"lane": "eagle3", "draft_tokens": 3}
        direct = answer(served.engine, path, {**asked, "vllm_xargs": lane})[2]
        expected = direct.replace(b'"model":"demo"', b'"model":"demo@eagle3"')
        if known(routed, payload) == known(expected, payload):
            break
    assert expected != direct or b'"model"' not in direct
    assert known(routed, payload).decode() == known(expected, payload).decode()
    if path in ("/v1/chat/completions", "/v1/completions") and not stream:
        assert json.loads(routed)["metrics"]["speculative_decoding"]["lane"] == "eagle3"


def test_a_stored_response_is_given_again_and_gone_on_from(served: Served) -> None:
    asked = {"input": QUESTION, "max_output_tokens": 8, "temperature": 0}
    made = json.loads(answer(served.router, "/v1/responses", asked)[2])
    path = f"/v1/responses/{made['id']}"
    got = [httpx2.get(url + path) for url in (served.engine, served.router)]
    assert got[0].content == got[1].content
    assert got[1].json()["output"] == made["output"]
    status, _, raw = answer(served.router, "/v1/responses", {**asked, "previous_response_id": made["id"]})
    assert (status, json.loads(raw)["previous_response_id"]) == (200, made["id"])
    refused = [httpx2.post(f"{url}{path}/cancel") for url in (served.engine, served.router)]
    assert (refused[1].status_code, refused[1].content) == (refused[0].status_code, refused[0].content)


def test_a_response_in_the_background_can_be_cancelled(served: Served) -> None:
    asked = {"input": QUESTION, "max_output_tokens": 900, "background": True, "ignore_eos": True}  # long enough
    made = json.loads(answer(served.router, "/v1/responses", asked)[2])
    assert made["status"] == "queued"
    path = f"{served.router}/v1/responses/{made['id']}"
    assert httpx2.post(f"{path}/cancel", timeout=60).json()["status"] == "cancelled"
    assert httpx2.get(path).json()["status"] == "cancelled"
