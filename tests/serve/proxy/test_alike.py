"""What is alike in a stream's events, held against the look at each of them that it saves."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serve.proxy.alike import Alike
from serve.proxy.dialect import DIALECTS
from serve.proxy.fingerprint import Stamp
from serve.proxy.sse import Marks

CHAT = DIALECTS["chat"]
INSIDE = (*CHAT.inside, Stamp.MARK)
MARKS = Marks(CHAT.starts, INSIDE)

PIECES = (
    b'data: {"id":"chatcmpl-1","choices":[', b'data: {"choices":', b"data: ", b'data: {"error"', b"data: [DONE]",
    b'{"index":0,"delta":{"content":"', b'"}', b',"finish_reason":', b"null", b'"stop"', b'"finish_reason', b'":"',
    b'":', b'"choices', b'"choices":', b"[]", b"]", b"[", b"}", b',"logprobs":null', b"a", b" b", b'"', b":", b"\n",
    b"\r", b"\n\n",
)  # fmt: skip
MADE = st.lists(st.sampled_from(PIECES), max_size=6).map(lambda pieces: b"".join(pieces) + b"\n\n")


def said(word: str, finish_reason: str | None = None) -> bytes:
    """Write one event as vLLM does."""
    choice = {"index": 0, "delta": {"content": word}, "logprobs": None, "finish_reason": finish_reason}
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: %s\n\n" % json.dumps(event, separators=(",", ":")).encode()


class Counted(Marks):
    """Marks that know how often they were looked for."""

    looks = 0

    def plain(self, chunk: bytes) -> int:
        self.looks += 1
        return super().plain(chunk)


@given(st.lists(MADE, max_size=8), MADE)
@example([b'data: {"choices":{"a":"b"}}\n\n', b'data: {"choices":{"c":"d"}}\n\n'], b'data: {"choices":[]}\n\n')
@example([said("a"), said("b")], b'data: {"choices":[]}\n\n')
@example([said("a"), said("b")], said("c", "stop"))
@example([said("a"), said("b")], said('"choices":[]'))
@example([said("a"), said("b")], said("c") + said("d"))
@example([said("a"), said("b")], said("c").replace(b'c"', b'c","choices":[],"x":"'))
@example([said("a"), said("ab")], said("a"))
def test_says_what_a_look_at_the_event_says(before: Sequence[bytes], event: bytes) -> None:
    alike = Alike(MARKS)
    assert [alike.plain(each) for each in [*before, event]] == [MARKS.plain(each) for each in [*before, event]]


@given(st.text(), st.text(), st.text(), st.sampled_from([None, "stop", "length"]))
def test_whatever_is_said_between_a_head_and_a_tail(one: str, two: str, three: str, reason: str | None) -> None:
    alike, events = Alike(MARKS), [said(one), said(two), said(three, reason), said(one)]
    assert [alike.plain(event) for event in events] == [MARKS.plain(event) for event in events]


@given(st.lists(st.binary(max_size=4), min_size=2, max_size=4), st.sampled_from(INSIDE), st.data())
def test_a_mark_is_seen_wherever_head_and_tail_meet_it(words: list[bytes], mark: bytes, data: st.DataObject) -> None:
    """A head may end in the middle of a mark, a tail begin in it: whatever lies between may be what completes it."""
    cut, end = sorted(data.draw(st.tuples(*[st.integers(0, len(mark))] * 2)))
    events = [b'data: {"id":"chat",%b%b%b}\n\n' % (mark[:cut], word, mark[end:]) for word in [*words, mark[cut:end]]]
    alike = Alike(MARKS)
    assert [alike.plain(event) for event in events] == [MARKS.plain(event) for event in events]


def test_events_that_are_alike_are_not_looked_through() -> None:
    counted = Counted(CHAT.starts, INSIDE)
    alike = Alike(counted)
    assert all(
        alike.plain(said(word)) for word in ["", "Yes", ", ", "it", " is", " so", ".", " It", " will", " be"] * 10
    )
    assert counted.looks < 10


@pytest.mark.parametrize("other", [said("c", "stop"), b"data: [DONE]\n\n", b'data: {"choices":[]}\n\n'], ids=repr)
def test_what_marks_an_event_is_seen_after_many_that_are_alike(other: bytes) -> None:
    alike = Alike(MARKS)
    for number in range(100):
        assert alike.plain(said(f" {number}")) == 1
    assert alike.plain(other) == 0


def test_gives_up_where_events_have_nothing_in_common() -> None:
    """So that a stream whose events all differ doesn't pay for the likeness that it hasn't."""
    counted = Counted(CHAT.starts, INSIDE)
    alike = Alike(counted)
    for number in range(50):
        event = b'data: {"%d":%d,"choices":[{}]}\n\n' % (number, number)
        assert alike.plain(event) == 1
    assert counted.looks == 50
