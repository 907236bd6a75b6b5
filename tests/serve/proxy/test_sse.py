"""Cutting a stream into events."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.proxy.sse import Splitter, data

STREAM = 'data: {"text":"a"}\n\n: ping\n\ndata: 你好\r\n\r\ndata: x\ndata: y\n\ndata: [DONE]\n\n'.encode()


def cut(stream: bytes, cuts: list[int]) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    events: list[bytes] = []
    bounds = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(bounds):
        events += splitter.feed(stream[start:end])
    return events, splitter.rest()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_gives_the_same_events_wherever_the_chunks_are_cut(cuts: list[int]) -> None:
    assert cut(STREAM, cuts) == cut(STREAM, [])


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_loses_and_adds_no_byte(stream: bytes, cuts: list[int]) -> None:
    events, rest = cut(stream, [min(position, len(stream)) for position in cuts])
    assert b"".join(events) + rest == stream


def test_keeps_an_unfinished_event_back() -> None:
    splitter = Splitter()
    assert list(splitter.feed(b"data: a\n\ndata: b\n")) == [b"data: a\n\n"]
    assert splitter.rest() == b"data: b\n"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(b"data: x\n\n", b"x", id="one line"),
        pytest.param(b"data:x\n\n", b"x", id="without a space"),
        pytest.param(b"event: e\ndata: x\ndata: y\n\n", b"x\ny", id="several lines"),
        pytest.param(b": ping\n\n", b"", id="a comment"),
    ],
)
def test_reads_the_data_of_an_event(event: bytes, expected: bytes) -> None:
    assert data(event) == expected
