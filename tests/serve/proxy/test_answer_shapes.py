"""What the client gets of each endpoint's stream, wherever it is cut: fingerprint, names and counts are right."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serve.proxy.answer import Answer
from serve.proxy.connection import Head
from serve.proxy.dialect import DIALECTS
from serve.proxy.fingerprint import Fingerprint, Stamp
from serve.proxy.progress import Progress
from serve.routing.lane import Lane
from serve.routing.policy import Decision

BODY = Lane("body", "http://engine")
WRITTEN = '"system_fingerprint":"vllm-1"'
STREAM = Head(200, {"content-type": "text/event-stream; charset=utf-8"})


class Reader:
    """A client that keeps what it gets, and a source that nobody holds back."""

    started = paused = gone = False

    def __init__(self) -> None:
        self.got = b""

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], length: int | None = None) -> None:
        self.started = True

    def write(self, raw: bytes) -> None:
        self.got += raw

    def end(self, raw: bytes = b"") -> None:
        self.got += raw

    def pause(self) -> None:
        raise AssertionError

    def resume(self) -> None:
        raise AssertionError


def event(payload: dict[str, Any], name: str = "") -> str:
    data = f"data: {json.dumps(payload, separators=(',', ':'))}\n\n"
    return f"event: {name}\n{data}" if name else data


def chunk(text: str, end: str | None) -> dict[str, Any]:
    return {"model": "demo", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": end}]}


USAGE = {"model": "demo", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
TEXTS = [event(chunk("a", None)), event(chunk('"choices":[]', None)), event(chunk("data: [DONE]\n\n", None))]
CHAT = [*TEXTS, event(chunk("b", "stop")), event({**USAGE, "system_fingerprint": "vllm-1"}), "data: [DONE]\n\n"]
CHAT_SEEN = [*TEXTS, event({**chunk("b", "stop"), "system_fingerprint": "vllm-1"}), CHAT[-1]]
RESPONSE = {"model": "demo", "usage": {"input_tokens": 1, "output_tokens": 2}}
RESPONSES = [
    event({"type": "response.created", "response": {"model": "demo"}}, "response.created"),
    event({"type": "response.output_text.delta", "delta": 'event: error\n"model":"x"'}, "response.output_text.delta"),
    event({"type": "response.completed", "response": RESPONSE}, "response.completed"),
]
MESSAGES = [
    event({"type": "message_start", "message": {"model": "demo"}}, "message_start"),
    event({"type": "content_block_delta", "delta": {"text": "a"}}, "content_block_delta"),
    event({"type": "message_delta", "usage": {"input_tokens": 1, "output_tokens": 2}}, "message_delta"),
    event({"type": "message_stop"}, "message_stop"),
]
CASES = {"chat": (CHAT, CHAT_SEEN), "responses": (RESPONSES, RESPONSES), "messages": (MESSAGES, MESSAGES)}


@given(
    st.sampled_from(sorted(CASES)),
    st.lists(st.integers(0, 5_000), max_size=12),
    st.booleans(),
    st.sampled_from([None, "demo@mtp"]),
)
def test_the_client_gets_what_the_engine_would_have_given(
    endpoint: str, places: list[int], known: bool, model: str | None
) -> None:
    sent, seen = ("".join(events).encode() for events in CASES[endpoint])
    fingerprint = Fingerprint()
    if known:
        fingerprint.learn(WRITTEN.encode())
    stamp = Stamp(fingerprint) if endpoint == "chat" else None
    client, progress = Reader(), Progress(0.0, BODY, Decision("body", "default", ()))
    answer = Answer(client, progress, DIALECTS[endpoint], lambda: 1.0, list, model=model, stamp=stamp)
    assert answer.on_head(STREAM, client) is None
    cuts = sorted({0, len(sent), *(place % len(sent) for place in places)})
    for start, end in itertools.pairwise(cuts):
        answer.on_data(sent[start:end], last=end == cuts[-1])
    answer.finish()
    assert client.got == (seen.replace(b'"model":"demo"', b'"model":"%s"' % model.encode()) if model else seen)
    assert (progress.end, progress.events) == ("complete", len(CASES[endpoint][0]))
    assert (progress.report.prompt_tokens, progress.report.completion_tokens) == (1, 2)
