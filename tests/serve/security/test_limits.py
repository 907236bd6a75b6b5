"""What one connection may take, over a real socket: bytes, headers, time, and connections in all."""

import asyncio
import json
import select
import socket
import time
from contextlib import ExitStack

import httpx2
import pytest

from tests.serve import double
from tests.serve.double import Engine, Exchange, metric, until
from tests.serve.security.conftest import CHAT, PAYLOAD, RAW, Start, ask, connected, hear, post

SHORT = {"head_timeout": 0.5, "payload_timeout": 1.0}
SWEEP = 1.0  # seconds that a limit may be exceeded by: half a second between two looks, and a busy machine


def padded(size: int) -> bytes:
    """A request whose head has this size, by its own count: target, names and values, four bytes a header."""
    bare = post(CHAT, "x-pad: ")
    head = bare.removesuffix(RAW)
    own = len(head) - len("POST  HTTP/1.1\r\n\r\n")
    return post(CHAT, "x-pad: " + "a" * (size - own))


def test_a_head_as_large_as_it_may_be_is_taken_and_a_larger_one_is_not(start: Start, body: Engine) -> None:
    with start(max_head_bytes=4096) as url:
        assert ask(url, padded(4096)).statuses == [200]
        heard = ask(url, padded(4097))
        assert (heard.statuses, heard.error["code"]) == ([431], "head_too_large")
        assert len(body.got) == 1


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (b"GET / HTTP/1.1\r\nhost: a\r\nx-pad: ", b"x" * 1000),
        (b"GET / HTTP/1.1\r\nhost: a\r\n", b"x: y\r\n" * 100),
        (b"", b"\r\n" * 500),
        (b"GET /", b"x" * 1000),
    ],
    ids=["one header", "many headers", "empty lines", "a target"],
)
def test_a_head_without_an_end_is_cut_off_at_the_limit(start: Start, begun: bytes, piece: bytes) -> None:
    with start(max_head_bytes=4096, max_headers=10_000) as url, connected(url) as connection:
        connection.sendall(begun)
        for _ in range(8):
            connection.sendall(piece)
            time.sleep(0.02)
        assert hear(connection).statuses == [431]


def test_as_many_headers_as_there_may_be_are_taken_and_one_more_is_not(start: Start, body: Engine) -> None:
    with start(max_headers=10) as url:
        more = [f"x-{number}: 1" for number in range(8)]
        assert ask(url, post(CHAT, *more)).statuses == [200]
        assert ask(url, post(CHAT, *more, "x-8: 1")).statuses == [431]


def test_a_head_that_trickles_in_is_given_up(start: Start) -> None:
    with start(**SHORT) as url, connected(url) as connection:
        for sent, byte in enumerate(b"GET /version HTTP/1.1\r\nhost: a\r\n" + b"x-slow: 1\r\n" * 100):  # noqa: B007
            connection.sendall(bytes([byte]))
            if select.select([connection], [], [], 0.05)[0]:
                break
        assert hear(connection).statuses == [408]
        assert sent < (SHORT["head_timeout"] + SWEEP) / 0.05


def test_a_head_that_stops_is_told_why(start: Start) -> None:
    with start(**SHORT) as url, connected(url) as connection:
        connection.sendall(b"GET /version HTTP/1.1\r\nhost: a\r\n")
        heard = hear(connection)
        assert (heard.statuses, heard.error["code"]) == ([408], "request_timeout")
        assert heard.seconds < SHORT["head_timeout"] + SWEEP


def test_a_connection_that_says_nothing_is_closed_without_a_word(start: Start) -> None:
    with start(**SHORT) as url, connected(url) as connection:
        heard = hear(connection)
    assert (heard.raw, heard.closed) == (b"", True)
    assert heard.seconds < SHORT["head_timeout"] + SWEEP


@pytest.mark.parametrize(
    "begun",
    [
        post().removesuffix(RAW[-5:]),
        post().removesuffix(RAW),
        b"POST /v1/route HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5",
    ],
    ids=["part of it", "none of it", "chunked"],
)
def test_a_payload_that_stops_is_given_up(start: Start, body: Engine, begun: bytes) -> None:
    with start(**SHORT) as url, connected(url) as connection:
        connection.sendall(begun)
        heard = hear(connection)
        assert (heard.statuses, heard.error["code"]) == ([408], "request_timeout")
        assert heard.seconds < SHORT["payload_timeout"] + SWEEP
        assert hear(connection).closed
        assert httpx2.get(f"{url}/healthz").status_code == 200
    assert body.got == []


@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/route"])
def test_a_payload_that_stops_has_one_line_in_the_log(
    start: Start, body: Engine, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with start(**SHORT) as url, caplog.at_level("INFO", logger="polydraft.access"):
        caplog.clear()
        assert ask(url, post(path, "x-request-id: late").removesuffix(RAW[-5:])).statuses == [408]
        until(lambda: len(caplog.records) > 0)
        time.sleep(0.3)
        text = httpx2.get(f"{url}/metrics").text
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "polydraft.access"]
    assert [line["request_id"] for line in lines] == ["late"]
    assert metric(text, "polydraft_refused_requests_total", code="request_timeout") == 1


def test_time_limits_hold_for_the_second_request_of_a_connection(start: Start, body: Engine) -> None:
    with start(**SHORT) as url, connected(url) as connection:
        connection.sendall(post())
        assert hear(connection).statuses == [200]
        connection.sendall(b"GET /version")
        assert hear(connection).statuses == [408]


@pytest.mark.parametrize("cut", [0, 20, len(post()) - 3], ids=["nothing", "part of a head", "part of a payload"])
def test_no_limit_of_time_ends_an_answer_that_runs(start: Start, body: Engine, cut: int) -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.start_stream()
        for _ in range(5):
            await exchange.event(double.delta("x"))
            await asyncio.sleep(0.6)
        await exchange.end_stream()

    body.behaviour = slow
    behind = post()
    with start(**SHORT) as url, connected(url) as connection:
        connection.sendall(post(payload=json.dumps({**PAYLOAD, "stream": True}).encode()) + behind[:cut])
        heard = hear(connection, until=b"\r\n0\r\n\r\n")
        assert heard.raw.count(b'"content":"x"') == 5
        assert heard.seconds > 2.5
        body.behaviour = double.answer
        connection.sendall(behind[cut:])
        assert hear(connection).statuses == [200]


def test_a_client_that_is_fast_enough_is_never_hurried(start: Start, body: Engine) -> None:
    with start(head_timeout=2, payload_timeout=2) as url, httpx2.Client(base_url=url) as client:
        for _ in range(3):
            assert client.post(CHAT, json=PAYLOAD).status_code == 200
            time.sleep(1)


def test_a_connection_without_a_request_is_kept_for_as_long_as_it_is_set(start: Start) -> None:
    with start(keepalive_timeout=1) as url, connected(url) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert hear(connection, until=b"}").statuses == [200]
        connection.settimeout(10)
        started = time.monotonic()
        assert connection.recv(1) == b""
        assert 0.5 < time.monotonic() - started < 1 + SWEEP + 1


def test_a_client_may_come_back_later_than_balancers_do(open_url: str) -> None:
    with connected(open_url) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert hear(connection, until=b"}").statuses == [200]
        time.sleep(6)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert hear(connection, until=b"}").statuses == [200]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_a_late_or_oversized_request_is_refused_in_the_shape_of_its_api(start: Start, body: Engine, path: str) -> None:
    with start(**SHORT) as url:
        late = ask(url, post(path).removesuffix(RAW[-5:]))
        large = ask(url, f"POST {path} HTTP/1.1\r\nhost: a\r\nx: {'a' * 40_000}".encode())
    for heard, status in ((late, 408), (large, 431)):
        answer = json.loads(heard.raw.rpartition(b"\r\n\r\n")[2])
        assert (heard.statuses, answer["type"]) == ([status], "error")
        assert answer["error"]["type"] == "invalid_request_error"


def test_more_connections_than_allowed_are_turned_away_and_room_is_made_again(start: Start) -> None:
    with start(max_connections=3) as url, ExitStack() as stack:
        held = [stack.enter_context(connected(url)) for _ in range(3)]
        for connection in held:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
            assert hear(connection).statuses == [200]
        heard = ask(url, b"")
        assert (heard.statuses, heard.error["code"]) == ([503], "too_many_connections")
        assert b"retry-after: 1" in heard.raw
        held[0].close()
        until(lambda: ask(url, b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").statuses == [200])
        held[1].sendall(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
        text = hear(held[1]).raw.partition(b"\r\n\r\n")[2].decode()
    assert metric(text, "polydraft_refused_requests_total", code="too_many_connections") >= 1


def test_hundreds_of_slow_clients_keep_nobody_out(start: Start, body: Engine) -> None:
    with start(**SHORT) as url, ExitStack() as stack:
        slow: list[socket.socket] = [stack.enter_context(connected(url)) for _ in range(300)]
        for number, connection in enumerate(slow):
            connection.sendall((b"GET / HTTP/1.1\r\nx", post().removesuffix(RAW), b"")[number % 3])
        for _ in range(5):
            assert ask(url, post()).statuses == [200]
        for connection in slow:
            assert hear(connection).raw[:12] in (b"", b"HTTP/1.1 408")


def test_a_payload_as_large_as_it_may_be_is_taken_and_a_larger_one_is_not(start: Start, body: Engine) -> None:
    with start(max_payload_bytes=5000) as url:
        for size, status in ((5000, 200), (5001, 413)):
            payload = RAW[:-1] + b" " * (size - len(RAW)) + b"}"
            chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(payload), payload)
            head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".encode()
            assert ask(url, post(payload=payload)).statuses == [status]
            assert ask(url, head + chunked).statuses == [status]


@pytest.mark.parametrize(("depth", "status"), [(99, 200), (101, 400)])
def test_a_payload_nested_too_deeply_is_refused(open_url: str, body: Engine, depth: int, status: int) -> None:
    nested = b"[" * (depth - 1) + b"]" * (depth - 1)
    payload = RAW[:-1] + b',"metadata":' + nested + b"}"
    assert ask(open_url, post(payload=payload)).statuses == [status]
