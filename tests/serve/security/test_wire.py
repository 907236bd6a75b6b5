"""HTTP as an attacker writes it: read in one way or refused, and never a second request out of one."""

import json
import socket

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serve import double
from tests.serve.double import Engine, until
from tests.serve.security.conftest import CHAT, PAYLOAD, RAW, ask, connected, hear, post

HEAD = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\n".encode()
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
WHOLE = b"%x\r\n%s\r\n0\r\n\r\n" % (len(RAW), RAW)
SMUGGLED = b"GET /version HTTP/1.1\r\nhost: a\r\n\r\n"
LENGTH = b"content-length: %d\r\n" % len(RAW)


def test_what_the_cases_below_are_made_of_is_answered(open_url: str, body: Engine) -> None:
    for raw in (HEAD + LENGTH + b"\r\n" + RAW, CHUNKED + WHOLE):
        assert ask(open_url, raw).statuses == [200]
    assert [exchange.payload["messages"] for exchange in body.got] == [PAYLOAD["messages"]] * 2


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(HEAD + LENGTH + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", id="length, then chunks"),
        pytest.param(HEAD + b"transfer-encoding: chunked\r\n" + LENGTH + b"\r\n0\r\n\r\n", id="chunks, then length"),
        pytest.param(HEAD + LENGTH + LENGTH + b"\r\n" + RAW, id="the same length twice"),
        pytest.param(HEAD + b"content-length: 0\r\n" + LENGTH + b"\r\n" + RAW, id="two lengths"),
        pytest.param(HEAD + b"content-length: 0, 5\r\n\r\n", id="a list of lengths"),
        pytest.param(HEAD + b"content-length: +5\r\n\r\nabcde", id="a length with a sign"),
        pytest.param(HEAD + b"content-length: 0x5\r\n\r\nabcde", id="a length in hexadecimal"),
        pytest.param(HEAD + b"content-length: 18446744073709551621\r\n\r\nabcde", id="a length beyond 64 bits"),
        pytest.param(HEAD + b"content-length : 5\r\n\r\nabcde", id="a space before the colon"),
        pytest.param(HEAD + b"x-a: b\r\n c: d\r\n" + LENGTH + b"\r\n" + RAW, id="a folded header"),
        pytest.param(HEAD + b"x-a: b\rcontent-length: 0\r\n\r\n", id="a bare carriage return"),
        pytest.param(HEAD + b"x-a: b\x00c\r\n\r\n", id="a NUL"),
        pytest.param(HEAD.replace(b"\r\n", b"\n") + b"\n", id="line feeds alone"),
        pytest.param(HEAD + b": empty\r\n\r\n", id="a header without a name"),
        pytest.param(HEAD + b"transfer-encoding: xchunked\r\n\r\n" + WHOLE, id="an unknown coding"),
        pytest.param(HEAD + b"transfer-encoding: chunked, identity\r\n\r\n" + WHOLE, id="chunked isn't last"),
        pytest.param(HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n" + WHOLE, id="two codings"),
        pytest.param(HEAD + b"transfer-encoding: \x0bchunked\r\n\r\n" + WHOLE, id="a vertical tab"),
        pytest.param(HEAD + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n" + WHOLE, id="chunked twice"),
        pytest.param(CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + WHOLE, id="chunks in HTTP/1.0"),
        pytest.param(CHUNKED + b"-1\r\nab\r\n0\r\n\r\n", id="a negative chunk"),
        pytest.param(CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n", id="a chunk with 0x"),
        pytest.param(CHUNKED + b"10000000000000002\r\nab\r\n0\r\n\r\n", id="a chunk beyond 64 bits"),
        pytest.param(CHUNKED + b"2\nab\n0\n\n", id="chunks ended by line feeds"),
        pytest.param(CHUNKED + b"2\r\nabc0\r\n\r\n", id="a chunk longer than it says"),
        pytest.param(CHUNKED + b"2;a\nab\r\n0\r\n\r\n", id="a line feed in an extension"),
        pytest.param(CHUNKED + b"2\r\nab\r\n0\r\ncontent-length: 3\r\n\r\n", id="a length in the trailer"),
        pytest.param(b"GET /version HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /version HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", id="two hosts"),
        pytest.param(b"GET /version HTTP/1.2\r\nhost: a\r\n\r\n", id="HTTP/1.2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
        pytest.param(b"GET /a\tb HTTP/1.1\r\nhost: a\r\n\r\n", id="a tab in the path"),
        pytest.param("GET /é HTTP/1.1\r\nhost: a\r\n\r\n".encode(), id="UTF-8 in the path"),
        pytest.param(b"GET http://a HTTP/1.1\r\nhost: a\r\n\r\n", id="a target without a path"),
        pytest.param(b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n", id="CONNECT"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS on a plain port"),
    ],
)
def test_an_ambiguous_request_gets_400_and_nothing_behind_it_is_read(open_url: str, body: Engine, raw: bytes) -> None:
    heard = ask(open_url, raw + SMUGGLED)
    assert heard.statuses == [400]
    assert heard.error["code"] == "malformed_request"
    assert body.got == []


def test_pipelined_requests_are_answered_in_their_order(open_url: str, body: Engine) -> None:
    heard = ask(open_url, SMUGGLED + post() + SMUGGLED + b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n" + SMUGGLED)
    assert heard.statuses == [200, 200, 200, 404, 200]


def test_a_bad_request_behind_one_that_runs_does_not_end_up_in_its_answer(open_url: str, body: Engine) -> None:
    async def slow(exchange: double.Exchange) -> None:
        await exchange.start_stream()
        await exchange.event(double.delta("begun"))
        await exchange.closed.wait()

    body.behaviour = slow
    streamed = json.dumps({**PAYLOAD, "stream": True}).encode()
    with connected(open_url) as connection:
        connection.sendall(post(payload=streamed))
        hear(connection, until=b"begun")
        connection.sendall(b"rubbish\r\n\r\n")
        heard = hear(connection)
    assert heard.closed
    assert b"HTTP/1.1" not in heard.raw
    until(lambda: body.got[0].closed.is_set())


def test_oversized_chunk_extensions_are_cut_off(open_url: str, body: Engine) -> None:
    with connected(open_url) as connection:
        connection.sendall(CHUNKED + b"1;a=")
        connection.sendall(b"x" * 2**20)
        heard = hear(connection)
        assert heard.statuses == [400]
        assert "frame" in heard.error["message"]
        connection.sendall(b"x" * 2**20 + b"\r\na\r\n0\r\n\r\n" + SMUGGLED)  # read and dropped, for a while
        assert hear(connection).raw == b""
    assert body.got == []


def test_a_payload_in_the_smallest_chunks_is_taken(open_url: str, body: Engine) -> None:
    small = b"".join(b"1\r\n%c\r\n" % byte for byte in RAW) + b"0\r\n\r\n"
    payload = RAW.replace(b'"messages"', b'"user": "%s", "messages"' % (b"u" * 2**16))
    many = b"".join(b"1\r\n%c\r\n" % byte for byte in payload) + b"0\r\n\r\n"
    assert ask(open_url, CHUNKED + small).statuses == [200]
    assert ask(open_url, CHUNKED + many).statuses == [200]


@pytest.mark.parametrize("streamed", [True, False])
def test_http_1_0_gets_no_chunks_and_an_answer_that_ends_with_its_connection(
    open_url: str, body: Engine, streamed: bool
) -> None:
    raw = post(payload=json.dumps({**PAYLOAD, "stream": streamed}).encode())
    heard = ask(open_url, raw.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    head, _, content = heard.raw.partition(b"\r\n\r\n")
    assert (heard.statuses, heard.closed) == ([200], True)
    assert b"transfer-encoding" not in head
    if streamed:
        assert content.startswith(b"data: {")
        assert content.endswith(b"data: [DONE]\n\n")
    else:
        assert json.loads(content)["choices"]


def test_trailers_are_no_headers(open_url: str, body: Engine) -> None:
    trailer = WHOLE.removesuffix(b"\r\n") + b"x-polydraft-lane: nothing\r\nx-request-id: late\r\n\r\n"
    heard = ask(open_url, CHUNKED + trailer)
    assert heard.statuses == [200]
    assert b"late" not in heard.raw


def test_headers_of_this_hop_end_here(open_url: str, body: Engine) -> None:
    hop = ["te: trailers", "keep-alive: 5", "proxy-authorization: Basic x", "x-foo: 1", "trailer: x"]
    trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    ask(open_url, post(CHAT, "connection: x-foo, keep-alive", *hop, trace))
    ask(open_url, post(CHAT, "connection: x-request-id, close", "x-request-id: mine"))
    allowed = {"host", "accept-encoding", "content-type", "content-length", "x-request-id", "traceparent"}
    assert set(body.got[0].headers) <= allowed
    assert body.got[1].headers["x-request-id"] != "mine"


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "h2c, websocket"])
def test_an_offer_to_change_the_protocol_is_left_alone(open_url: str, body: Engine, upgrade: str) -> None:
    """Java's HTTP client offers h2c with every request; its payload must not be taken for HTTP/2."""
    offer = ("connection: Upgrade, HTTP2-Settings", f"upgrade: {upgrade}", "http2-settings: AAMAAABkAAQAAP__")
    heard = ask(open_url, post(CHAT, *offer) + SMUGGLED)
    assert heard.statuses == [200, 200]
    assert body.got[0].payload["messages"] == PAYLOAD["messages"]


def test_offers_in_one_segment_are_read_one_after_another(
    open_url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    offer = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
    with connected(open_url) as connection:
        connection.sendall(offer * 1500)
        assert hear(connection).statuses[0] == 200
    assert ask(open_url, SMUGGLED).statuses == [200]
    assert "Traceback" not in caplog.text + capfd.readouterr().err


def test_a_message_in_many_segments_is_the_same_message(open_url: str, body: Engine) -> None:
    offer = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__")
    for raw in (post(), CHUNKED + WHOLE, post(CHAT, *offer)):
        with connected(open_url) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for first in range(0, len(raw), 7):
                connection.sendall(raw[first : first + 7])
            assert hear(connection).statuses == [200]


@pytest.mark.parametrize(
    "path",
    [
        "/reset_prefix_cache", "/sleep", "/wake_up", "/collective_rpc", "/server_info", "/start_profile", "/load",
        "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/invocations", "/ping", "/health", "/is_sleeping",
        "/v1/../sleep", "/v1/responses/../../sleep", "/v1/responses/..%2f..%2fsleep", "/v1/responses/%2e%2e/cancel",
        "/v1/responses/a%0d%0aGET%20/sleep", "/v1/responses/a%0d%0a?x=b", "/v1/responses/a%3fb",
        "/v1/models/..%2f..%2fsleep",
        "//sleep", "/./sleep", "http://127.0.0.1/sleep", "/v1/chat/completions/../../../sleep", "/%73leep", "*",
        "/sleep;/v1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_path_leads_to_an_engines_own_endpoints(open_url: str, body: Engine, method: str, path: str) -> None:
    raw = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(RAW)}\r\n\r\n".encode() + RAW
    heard = ask(open_url, raw)
    assert len(heard.statuses) == 1
    assert heard.statuses[0] in (400, 404, 405)
    assert body.got == []


@pytest.mark.parametrize(
    "evil",
    [
        {"x-request-id": "a\tb"},
        {"x-request-id": "\xe9\x85"},
        {"x-request-id": "x" * 20_000},
        {"x-request-id": '"},{"end":"complete'},
        {"traceparent": "\xff" * 10},
        {"traceparent": "x" * 20_000},
        {"tracestate": "a=\xe9"},
        {"x-polydraft-lane": "a\u0085b"},
        {"x-polydraft-lane": "x" * 20_000},
        {"accept-language": "xx" * 1000},
    ],
    ids=lambda evil: next(iter(evil)),
)
def test_no_header_is_injected_into_a_log_an_engine_or_an_answer(
    open_url: str, body: Engine, caplog: pytest.LogCaptureFixture, evil: dict[str, str]
) -> None:
    lines = [f"{name}: {value}" for name, value in evil.items()]
    with caplog.at_level("INFO", logger="polydraft.access"):
        raw = post(CHAT, *(line.encode("utf-8").decode("latin-1") for line in lines))
        heard = ask(open_url, raw)
        until(lambda: len(caplog.records) == 1)
    value = next(iter(evil.values()))
    assert len(heard.statuses) == 1
    assert json.loads(caplog.records[0].getMessage())["status"] == heard.statuses[0]
    assert value not in caplog.records[0].getMessage()
    for exchange in body.got:
        assert value not in str(exchange.headers)


@pytest.mark.parametrize("field", ["model", "user", "language"])
def test_no_name_in_a_payload_is_injected_into_a_log_or_an_error(
    open_url: str, body: Engine, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    evil = 'demo\r\n{"status":200}\u2028\x1b[31m'
    with caplog.at_level("INFO", logger="polydraft.access"):
        answer = httpx2.post(f"{open_url}{CHAT}", json={**PAYLOAD, field: evil})
        until(lambda: len(caplog.records) == 1)
    message = caplog.records[0].getMessage()
    assert message.isprintable()
    assert message.isascii()
    assert all("\n" not in value and "\x1b" not in value for value in answer.headers.values())


@settings(max_examples=40)
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_bring_the_server_down_or_reach_an_engine(open_url: str, raw: bytes, behind_head: bool) -> None:
    with connected(open_url) as connection:
        connection.sendall((CHUNKED if behind_head else b"") + raw)
        connection.shutdown(socket.SHUT_WR)
        heard = hear(connection)
    assert set(heard.statuses) <= {200, 400, 404, 405}
    assert ask(open_url, SMUGGLED).statuses == [200]
