"""One connection to an engine, byte by byte, on a transport that only remembers."""

import asyncio
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.errors import EngineFailed, EngineSilent
from serve.proxy.connection import MAX_HEAD_BYTES, Connection, ConnectionLost, Head, Patience, Source

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n4\r\nabcd\r\n3;ext=1\r\nefg\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-A: b\r\n\r\nabcdefg"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SIZED
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\nX-A: b\r\n\r\nabcdefg"
ENDLESS = b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nabcdefg"


LONG = Patience(60, 60)


class Wire:
    """A transport that remembers what was asked of it."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = self.paused = False

    def write(self, raw: bytes) -> None:
        self.written += raw

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Got:
    """A receiver that keeps what it gets."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heads: list[Head] = []
        self.data = b""
        self.lasts: list[bool] = []
        self.source: Source | None = None
        self._error = error

    def on_head(self, head: Head, source: Source) -> Exception | None:
        self.heads.append(head)
        self.source = source
        return self._error

    def on_data(self, chunk: bytes, *, last: bool = False) -> None:
        self.data += chunk
        self.lasts.append(last)


class Exchanged:
    """A connection, its transport, and one exchange that runs on it."""

    def __init__(self, got: Got | None = None, patience: Patience = LONG) -> None:
        self.wire, self.got = Wire(), got or Got()
        self.forgotten: list[Connection] = []
        self.connection = Connection(self.forgotten.append)
        self.connection.connection_made(cast(asyncio.Transport, self.wire))
        self.task = asyncio.ensure_future(self.connection.exchange(b"request", self.got, patience))

    async def feed(self, *pieces: bytes) -> None:
        await asyncio.sleep(0)
        for piece in pieces:
            self.connection.data_received(piece)


def cut(raw: bytes, cuts: list[int]) -> list[bytes]:
    return [raw[start:end] for start, end in pairwise([0, *sorted(cuts), len(raw)]) if end > start]


@given(st.sampled_from([CHUNKED, SIZED, INTERIM, CLOSING]), st.lists(st.integers(0, 60), max_size=8))
def test_an_answer_is_the_same_wherever_it_is_cut(raw: bytes, cuts: list[int]) -> None:
    async def exchange() -> Exchanged:
        running = Exchanged()
        await running.feed(*cut(raw, [min(position, len(raw)) for position in cuts]))
        await running.task
        return running

    done = asyncio.run(exchange())
    assert (done.wire.written, done.got.data) == (b"request", b"abcdefg")
    assert [(head.status, head.headers["x-a"]) for head in done.got.heads] == [(200, "b")]
    assert done.connection.reusable is (raw is not CLOSING)


def run(scenario: Any) -> Any:
    return asyncio.run(scenario())


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def exchange() -> Exchanged:
        running = Exchanged()
        await running.feed(ENDLESS)
        running.connection.eof_received()
        await running.task
        return running

    done = run(exchange)
    assert done.got.data == b"abcdefg"
    assert not done.connection.reusable


@pytest.mark.parametrize(("cut", "lasts"), [(len(CHUNKED), [True]), (-5, [False]), (-14, [False, True])])
def test_the_last_of_the_content_is_known_as_such_where_the_end_comes_with_it(cut: int, lasts: list[bool]) -> None:
    async def exchange() -> Exchanged:
        running = Exchanged()
        await running.feed(CHUNKED[:cut], CHUNKED[cut:])
        await running.task
        return running

    assert run(exchange).got.lasts == lasts


@pytest.mark.parametrize("length", range(0, len(CHUNKED), 7))
def test_a_connection_that_is_lost_before_the_end_is_an_error(length: int) -> None:
    async def exchange() -> ConnectionLost:
        running = Exchanged()
        await running.feed(*([CHUNKED[:length]] if length else []))
        running.connection.connection_lost(None)
        with pytest.raises(ConnectionLost) as lost:
            await running.task
        assert running.forgotten == [running.connection]
        return lost.value

    assert run(exchange).unanswered is (length == 0)


@pytest.mark.parametrize(
    "raw",
    [b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", CHUNKED.replace(b"3;", b"zz;"), SIZED.replace(b": 7", b": -7")],
)
def test_what_is_not_http_is_given_up(raw: bytes) -> None:
    async def exchange() -> Exchanged:
        running = Exchanged()
        await running.feed(raw)
        with pytest.raises(EngineFailed):
            await running.task
        return running

    assert run(exchange).wire.closed


def test_a_head_without_end_is_given_up() -> None:
    async def exchange() -> None:
        running = Exchanged()
        lines = (b"x-%d: %s\r\n" % (number, b"v" * 1_000) for number in range(MAX_HEAD_BYTES // 1_000 + 2))
        await running.feed(b"HTTP/1.1 200 OK\r\n", *lines)
        with pytest.raises(EngineFailed, match="too long a head"):
            await running.task

    run(exchange)


def test_what_the_receiver_returns_ends_the_exchange() -> None:
    async def exchange() -> Exchanged:
        running = Exchanged(Got(error=EngineFailed("no")))
        await running.feed(SIZED)
        with pytest.raises(EngineFailed, match="no"):
            await running.task
        return running

    done = run(exchange)
    assert (done.got.data, done.wire.closed) == (b"", True)


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\n", SIZED, b"x"])
def test_a_connection_that_says_more_than_it_was_asked_is_not_used_again(surplus: bytes) -> None:
    async def exchange() -> Exchanged:
        running = Exchanged()
        await running.feed(SIZED)
        await running.task
        running.connection.data_received(surplus)
        return running

    done = run(exchange)
    assert done.wire.closed
    assert done.got.data == b"abcdefg"


def test_two_answers_in_one_piece_are_not_trusted() -> None:
    async def exchange() -> Exchanged:
        running = Exchanged()
        await running.feed(SIZED + SIZED)
        await running.task
        return running

    done = run(exchange)
    assert (done.got.data, done.wire.closed) == (b"abcdefg", True)


def test_a_connection_is_not_kept_paused() -> None:
    async def exchange() -> Exchanged:
        running = Exchanged()
        await running.feed(SIZED[:-3])
        assert running.got.source
        running.got.source.pause()
        assert running.wire.paused
        running.connection.data_received(SIZED[-3:])
        await running.task
        return running

    done = run(exchange)
    assert (done.wire.paused, done.connection.reusable) == (False, True)


def test_cancelling_closes_the_connection() -> None:
    async def exchange() -> Exchanged:
        running = Exchanged()
        await running.feed(SIZED[:-3])
        running.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running.task
        return running

    assert run(exchange).wire.closed


@pytest.mark.parametrize(
    ("sent", "patience", "message"),
    [
        pytest.param(b"", Patience(0.05, 60), "said nothing", id="no head"),
        pytest.param(ENDLESS[:-7], Patience(0.05, 60), "said nothing", id="a head alone"),
        pytest.param(ENDLESS, Patience(60, 0.05), "stopped sending", id="then no more"),
    ],
)
def test_silence_has_limits(sent: bytes, patience: Patience, message: str) -> None:
    async def exchange() -> Exchanged:
        running = Exchanged(patience=patience)
        await running.feed(*([sent] if sent else []))
        with pytest.raises(EngineSilent, match=message):
            await asyncio.wait_for(running.task, 2)
        return running

    assert run(exchange).wire.closed


def test_each_byte_starts_the_limit_of_silence_again() -> None:
    async def exchange() -> Exchanged:
        running = Exchanged(patience=Patience(60, 0.1))
        await running.feed(SIZED[:-7])
        for byte in b"abcdefg":
            running.connection.data_received(bytes([byte]))
            await asyncio.sleep(0.04)
        await running.task
        return running

    assert run(exchange).got.data == b"abcdefg"


def test_a_pause_of_ours_is_no_silence_of_the_engine() -> None:
    async def exchange() -> Exchanged:
        running = Exchanged(patience=Patience(60, 0.05))
        await running.feed(SIZED[:-3])
        running.connection.pause()
        await asyncio.sleep(0.2)
        running.connection.resume()
        running.connection.data_received(SIZED[-3:])
        await running.task
        return running

    assert run(exchange).got.data == b"abcdefg"


def test_a_fault_of_the_receivers_is_not_blamed_on_the_engine() -> None:
    class Faulty(Got):
        def on_data(self, chunk: bytes, *, last: bool = False) -> None:
            raise ZeroDivisionError

    async def exchange() -> Exchanged:
        running = Exchanged(Faulty())
        await running.feed(SIZED)
        with pytest.raises(ZeroDivisionError):
            await running.task
        return running

    assert run(exchange).wire.closed
