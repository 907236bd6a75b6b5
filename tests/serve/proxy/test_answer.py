"""A stream on its way to the client: cut anywhere, it is the same stream, and the same is known of it."""

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serve.errors import EngineFailed
from serve.proxy.answer import Answer
from serve.proxy.client import Headers
from serve.proxy.connection import Head
from serve.proxy.dialect import DIALECTS, Dialect
from serve.proxy.fingerprint import Fingerprint, Stamp
from serve.proxy.progress import Progress
from serve.proxy.sse import Marks
from serve.routing.lane import Lane
from serve.routing.policy import Decision

HEAD = Head(200, {"content-type": "text/event-stream; charset=utf-8"})
CHAT = [
    b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"one"}}]}',
    'data: {"choices":[{"index":0,"delta":{"content":"字🦊"}}]}'.encode(),
    b'data: {"choices":[{"delta":{"content":"data: [DONE]\\n\\n{\\"error\\""}}]}',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}',
    b'data: {"choices":[{"delta":{},"finish_reason":"length"}],"system_fingerprint":"fp"}',
    b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":15},"system_fingerprint":"vllm"}',
    b'data: {"error":{"message":"no"}}',
    b"data: [DONE]",
    b": ping",
]
RESPONSES = [
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"a"}',
    b'event: response.completed\ndata: {"response":{"usage":{"input_tokens":5,"output_tokens":15}}}',
    b'event: response.failed\ndata: {"response":{}}',
    b'event: error\ndata: {"type":"error"}',
]
MESSAGES = [
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"a"}}',
    b'event: message_delta\ndata: {"usage":{"output_tokens":15}}',
    b'event: message_stop\ndata: {"type":"message_stop"}',
    b'event: error\ndata: {"type":"error","error":{}}',
]
MADE = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}
BREAKS = [b"\n\n", b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r"]


class Collected:
    """A client that keeps what it gets."""

    def __init__(self) -> None:
        self.started = self.paused = self.gone = self.ended = False
        self.blocks: list[bytes] = []

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        assert not self.started
        self.started = True

    def write(self, raw: bytes) -> None:
        assert self.started
        assert raw
        self.blocks.append(raw)

    def end(self, raw: bytes = b"") -> None:
        assert not self.ended
        self.blocks += [raw] if raw else []
        self.ended = True


def relayed(
    chunks: list[bytes], dialect: Dialect, *, stamped: bool = False, known_last: bool = False
) -> tuple[bytes, Progress, bool]:
    """Pass chunks on; gives what the client got, what is known, and whether the stream was taken for complete."""
    client, progress = Collected(), Progress(0.0, Lane("body", "http://engine"), Decision("body", "default", ()))
    stamp = Stamp(Fingerprint()) if stamped else None
    answer = Answer(client, progress, dialect, lambda: 1.0, list, model=None, stamp=stamp)
    assert answer.on_head(HEAD, source=None) is None  # type: ignore[arg-type]
    for chunk in chunks:
        answer.on_data(chunk, last=chunk is chunks[-1] and known_last)
    try:
        answer.finish()
    except EngineFailed:
        assert not client.ended
    return b"".join(client.blocks), progress, client.ended


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, bytes, list[int]]:
    endpoint = draw(st.sampled_from(sorted(MADE)))
    events = draw(st.lists(st.tuples(st.sampled_from(MADE[endpoint]), st.sampled_from(BREAKS)), max_size=8))
    stream = b"".join([event + end for event, end in events]) + draw(
        st.sampled_from([b"", b"data: {", b"data: [DONE]"])
    )
    return endpoint, stream, draw(st.lists(st.integers(0, len(stream)), max_size=12))


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds) if end > start]


@given(streams(), st.booleans(), st.booleans())
@example(("chat", b"data: a\r\n\r\ndata: [DONE]\n\n", []), False, True)
@example(("chat", CHAT[0] + b"\n\n" + CHAT[5] + b"\n\n" + CHAT[7] + b"\n\n", [len(CHAT[0]) + 2]), True, False)
def test_a_stream_is_the_same_wherever_its_chunks_are_cut(
    made: tuple[str, bytes, list[int]], stamped: bool, known_last: bool
) -> None:
    endpoint, stream, cuts = made
    dialect, stamped = DIALECTS[endpoint], stamped and endpoint == "chat"
    got, progress, complete = relayed(cut(stream, cuts), dialect, stamped=stamped, known_last=known_last)
    wanted, known, wanted_complete = relayed([bytes([byte]) for byte in stream], dialect, stamped=stamped)
    assert (got, complete) == (wanted, wanted_complete)
    assert dataclasses.asdict(progress) == dataclasses.asdict(known)


@given(streams())
def test_a_stream_that_nobody_changes_loses_only_half_an_event(made: tuple[str, bytes, list[int]]) -> None:
    endpoint, stream, cuts = made
    got, _, _ = relayed(cut(stream, cuts), DIALECTS[endpoint])
    assert stream.startswith(got)
    assert b"\n\n" not in stream[len(got) :]


@given(streams())
def test_what_counts_as_plain_is_whole_events_without_a_mark(made: tuple[str, bytes, list[int]]) -> None:
    endpoint, stream, _ = made
    dialect = DIALECTS[endpoint]
    marks = Marks(dialect.starts, dialect.inside)
    plain = stream if marks.plain(stream) else stream[: marks.before(stream)]
    _, progress, _ = relayed([bytes([byte]) for byte in plain], dialect)
    assert not progress.done
    assert not progress.error
    assert progress.report == type(progress.report)()
    assert plain == b"" or plain.endswith(b"\n\n")


@pytest.mark.parametrize("last", [CHAT[5], b"data: [DONE]", b'data: {"error":{}}', b"data: half an ev", b"a\rb"])
def test_plain_events_before_one_that_is_not_pass_unread(last: bytes) -> None:
    plain, marks = 3 * (CHAT[0] + b"\n\n"), Marks(DIALECTS["chat"].starts, DIALECTS["chat"].inside)
    assert marks.plain(plain) == 3
    assert marks.plain(plain + last) == 0
    assert marks.before(plain + last) == len(plain)


@pytest.mark.parametrize("event", [CHAT[0], RESPONSES[0], MESSAGES[0]], ids=["chat", "responses", "messages"])
def test_plain_output_passes_without_being_copied(event: bytes) -> None:
    endpoint = next(name for name, events in MADE.items() if event in events)
    chunk = event + b"\n\n"
    client, progress = Collected(), Progress(0.0, Lane("body", "http://engine"), Decision("body", "default", ()))
    answer = Answer(client, progress, DIALECTS[endpoint], lambda: 1.0, list, model=None, stamp=None)
    answer.on_head(HEAD, source=None)  # type: ignore[arg-type]
    answer.on_data(chunk)
    assert client.blocks[0] is chunk


def test_the_end_goes_with_the_last_of_the_content() -> None:
    client, progress = Collected(), Progress(0.0, Lane("body", "http://engine"), Decision("body", "default", ()))
    answer = Answer(client, progress, DIALECTS["chat"], lambda: 1.0, list, model=None, stamp=None)
    answer.on_head(HEAD, source=None)  # type: ignore[arg-type]
    answer.on_data(CHAT[0] + b"\n\n")
    answer.on_data(b"data: [DONE]\n\n", last=True)
    assert client.ended
    answer.finish()
    assert progress.end == "complete"


@pytest.mark.parametrize("last", [CHAT[0] + b"\n\n", b"data: [DONE]\n\ndata: half an ev"], ids=["no end", "half"])
def test_a_last_of_the_content_that_ends_nothing_leaves_the_end_open(last: bytes) -> None:
    """What is wrong with it is for `finish` to say, and for an error event to tell the client."""
    client, progress = Collected(), Progress(0.0, Lane("body", "http://engine"), Decision("body", "default", ()))
    answer = Answer(client, progress, DIALECTS["chat"], lambda: 1.0, list, model=None, stamp=None)
    answer.on_head(HEAD, source=None)  # type: ignore[arg-type]
    answer.on_data(last, last=True)
    assert not client.ended
