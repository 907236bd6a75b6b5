"""Reading what a client sends, and refusing what no engine could answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.errors import InvalidPayload
from serve.proxy.payload import MAX_DEPTH, check, endpoint_of, parse
from serve.routing.cell import Endpoint

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(b"", "isn't JSON", id="empty"),
        pytest.param(b"{", "isn't JSON", id="cut off"),
        pytest.param(b'{"a": NaN}', "NaN isn't a number", id="NaN"),
        pytest.param(b'{"a": 1e999}', "1e999 isn't a number", id="beyond a float"),
        pytest.param(b'\xff\xfe{"a"', "isn't UTF-8", id="not UTF-8"),
        pytest.param(b"[1]", "must be a JSON object", id="a list"),
        pytest.param(b'"hi"', "must be a JSON object", id="a string"),
        pytest.param(b'{"a":' * 200 + b"1" + b"}" * 200, "nested deeper", id="deep"),
        pytest.param(b'{"a":' + b"[" * 100_000, "nested deeper", id="deeper than the parser goes"),
        pytest.param(b'{"a":[' + b"[]," * 200_000 + b"1]}", "more than 250000 values", id="wide"),
    ],
)
def test_refuses_what_is_not_one_json_object(raw: bytes, says: str) -> None:
    with pytest.raises(InvalidPayload, match=says):
        parse(raw)


def test_takes_many_brackets_that_are_not_deep() -> None:
    payload = {"messages": [{"role": "user", "content": "[" * 500}] * 200}
    assert parse(json.dumps(payload).encode()) == payload


def test_takes_the_deepest_payload_that_is_allowed_and_no_deeper() -> None:
    at_the_limit = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    parse(at_the_limit)
    with pytest.raises(InvalidPayload, match="nested deeper"):
        parse(b'{"a":' + at_the_limit + b"}")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_unknown_fields_come_through_as_they_are(value: object) -> None:
    payload = {"messages": MESSAGES, "whatever": value}
    assert parse(json.dumps(payload).encode()) == payload


@pytest.mark.parametrize(
    ("payload", "endpoint", "param"),
    [
        pytest.param({}, "chat", "messages", id="no messages"),
        pytest.param({"messages": []}, "chat", "messages", id="empty messages"),
        pytest.param({"messages": "hi"}, "chat", "messages", id="messages is a string"),
        pytest.param({"messages": [1]}, "chat", "messages[0]", id="a message is a number"),
        pytest.param({"messages": [{"content": "hi"}]}, "chat", "messages[0]", id="a message without role"),
        pytest.param({"messages": MESSAGES, "model": 7}, "chat", "model", id="model is a number"),
        pytest.param({"messages": MESSAGES, "stream": "yes"}, "chat", "stream", id="stream is a string"),
        pytest.param({"messages": MESSAGES, "stream_options": []}, "chat", "stream_options", id="stream_options"),
        pytest.param({"messages": MESSAGES, "vllm_xargs": 1}, "chat", "vllm_xargs", id="vllm_xargs"),
        pytest.param({}, "completions", "prompt", id="no prompt"),
        pytest.param({"prompt": ""}, "completions", "prompt", id="empty prompt"),
        pytest.param({"prompt": {"a": 1}}, "completions", "prompt", id="prompt is an object"),
        pytest.param({}, "responses", "input", id="no input"),
        pytest.param({"input": ""}, "responses", "input", id="empty input"),
        pytest.param({"input": 7}, "responses", "input", id="input is a number"),
        pytest.param({"input": "hi", "vllm_xargs": []}, "responses", "vllm_xargs", id="responses' vllm_xargs"),
        pytest.param({"prompt": "hi"}, "messages", "messages", id="no messages for Anthropic"),
        pytest.param({"messages": [1]}, "messages", "messages[0]", id="an Anthropic message is a number"),
    ],
)
def test_names_the_field_that_is_wrong(payload: dict[str, Any], endpoint: Endpoint, param: str) -> None:
    with pytest.raises(InvalidPayload) as refusal:
        check(payload, endpoint)
    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("payload", "endpoint"),
    [
        ({"prompt": "a"}, "completions"),
        ({"input": "a"}, "responses"),
        ({"input": "a", "prompt": {"id": "template"}}, "responses"),
        ({"messages": MESSAGES}, "chat"),
        ({"messages": MESSAGES, "thinking": True}, "chat"),
        ({"messages": MESSAGES, "thinking": {"type": "enabled"}}, "messages"),
        ({"messages": MESSAGES, "system": "Be brief."}, "messages"),
        ({}, "chat"),
    ],
)
def test_tells_what_a_payload_is_for(payload: dict[str, Any], endpoint: Endpoint) -> None:
    assert endpoint_of(payload) == endpoint
