"""The fingerprint stands where the engine would have put it, and nothing waits once it is known."""

import pytest

from serve.proxy.fingerprint import Fingerprint, Stamp

WRITTEN = b'"system_fingerprint":"vllm-0.32.0-6555287e"'
TEXT = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"a}"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}\n\n'
STAMPED = LAST.replace(b"}\n\n", b"," + WRITTEN + b"}\n\n")
USAGE = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":1},' + WRITTEN + b"}\n\n"
END = b"data: [DONE]\n\n"


def passed(fingerprint: Fingerprint, *events: bytes) -> list[bytes]:
    stamp = Stamp(fingerprint)
    return [stamp.read(event, usage=event == USAGE) for event in events]


def test_the_first_stream_of_an_engine_waits_for_the_usage_chunk() -> None:
    assert passed(Fingerprint(), TEXT, LAST, USAGE, END) == [TEXT, b"", STAMPED, END]


def test_later_streams_wait_for_nothing() -> None:
    known = Fingerprint()
    known.learn(USAGE)
    assert passed(known, TEXT, LAST, USAGE, END) == [TEXT, STAMPED, b"", END]
    assert passed(known, LAST, TEXT, LAST, USAGE) == [STAMPED, TEXT, STAMPED, b""], "each choice has a last event"


@pytest.mark.parametrize("following", [TEXT, END, b'data: {"error":{}}\n\n'], ids=["text", "end", "error"])
def test_whatever_comes_instead_of_the_usage_chunk_comes_after_what_waited(following: bytes) -> None:
    assert passed(Fingerprint(), LAST, following) == [b"", LAST + following]


def test_two_choices_of_a_first_stream_keep_their_order() -> None:
    assert passed(Fingerprint(), LAST, LAST, USAGE) == [b"", LAST, STAMPED]


def test_an_engine_without_a_fingerprint_gets_none() -> None:
    usage = b'data: {"choices":[]}\n\n'
    stamp = Stamp(Fingerprint())
    assert [stamp.read(LAST, usage=False), stamp.read(usage, usage=True)] == [b"", LAST]


def test_a_restarted_engines_fingerprint_is_learned_anew() -> None:
    known = Fingerprint()
    known.learn(USAGE)
    known.learn(USAGE.replace(b"6555287e", b"0"))
    assert known.written == b'"vllm-0.32.0-0"'


@pytest.mark.parametrize("event", [b"", STAMPED, b"data: x\r\n\r\n"], ids=["nothing", "has one", "no JSON"])
def test_what_has_one_or_is_no_event_stays_as_it_is(event: bytes) -> None:
    known = Fingerprint()
    known.learn(USAGE)
    assert known.stamped(event) == event
