"""What ends a stream, what is an error, and how the router writes one itself, by endpoint."""

import json
from typing import Any

import pytest

from serve.errors import EngineFailed, EngineSilent, shaped
from serve.proxy.dialect import DIALECTS

ENDS = {
    "chat": b"data: [DONE]\n\n",
    "completions": b"data: [DONE]\n\n",
    "responses": b'event: response.completed\ndata: {"response":{}}\n\n',
    "messages": b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
}
ERRORS = {
    "chat": b'data: {"error": {"message": "no"}}\n\n',
    "completions": b'data: {"error": {"message": "no"}}\n\n',
    "responses": b'event: error\ndata: {"type":"error"}\n\n',
    "messages": b'event: error\ndata: {"type":"error","error":{}}\n\n',
}
OUTPUT = {
    "chat": b'data: {"choices":[{"delta":{"content":"data: [DONE] event: error"}}]}\n\n',
    "completions": b'data: {"choices":[{"text":"{\\"error\\":1}"}]}\n\n',
    "responses": b'event: response.output_text.delta\ndata: {"delta":"event: response.completed\\n"}\n\n',
    "messages": b'event: content_block_delta\ndata: {"delta":{"text":"event: message_stop\\n"}}\n\n',
}


@pytest.mark.parametrize("endpoint", DIALECTS)
def test_tells_ends_errors_and_output_apart(endpoint: str) -> None:
    dialect = DIALECTS[endpoint]
    told = [(dialect.is_end(event), dialect.is_error(event)) for event in (ENDS[endpoint], ERRORS[endpoint])]
    assert told == [(True, False), (False, True)]
    assert not dialect.is_end(OUTPUT[endpoint])
    assert not dialect.is_error(OUTPUT[endpoint])
    assert not dialect.is_count(OUTPUT[endpoint])


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed", "cancelled"])
def test_a_response_may_end_in_several_ways(end: str) -> None:
    assert DIALECTS["responses"].is_end(f"event: response.{end}\ndata: {{}}\n\n".encode())
    assert not DIALECTS["responses"].is_end(b"event: response.completed.more\ndata: {}\n\n")


@pytest.mark.parametrize("endpoint", DIALECTS)
def test_its_own_error_event_is_one_event_and_told_as_an_error(endpoint: str) -> None:
    event = DIALECTS[endpoint].failure(EngineFailed("two\n\nlines"), 3)
    assert (event.count(b"\n\n"), event[-2:]) == (1, b"\n\n")
    data: dict[str, Any] = json.loads(event.partition(b"data: ")[2])
    assert data["error"]["message"] == "two\n\nlines"
    if endpoint in ("responses", "messages"):
        assert DIALECTS[endpoint].is_error(event)
        assert data["type"] == "error"
    assert data.get("sequence_number") == (3 if endpoint == "responses" else None)


def test_anthropics_names_follow_the_status() -> None:
    assert shaped(EngineFailed("x"), "/v1/messages")["error"]["type"] == "api_error"
    assert shaped(EngineSilent("x"), "/v1/messages/count_tokens")["error"]["type"] == "timeout_error"
    assert "type" not in shaped(EngineFailed("x"), "/v1/messages2")
