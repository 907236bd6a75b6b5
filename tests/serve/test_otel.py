"""Traces: one span a request, between the client's and the engine's, that says what was decided and why."""

import contextlib
import re
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from serve import otel
from serve.errors import ConfigError
from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row
from tests.serve import double
from tests.serve.double import Engine, Exchange, until

ROOT = Path(__file__).resolve().parents[2]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CHINESE = [{"role": "user", "content": "请告诉我什么是计算机程序。"}]
CHAT = "/v1/chat/completions"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture(params=[True, False], ids=["direct", "ASGI"])
def traced(
    request: pytest.FixtureRequest, loop: double.Loop, body: Engine, mtp: Engine, exporter: InMemorySpanExporter
) -> Iterator[httpx2.Client]:
    lanes = (Lane("body", body.url), Lane("mtp", mtp.url, "mtp", 2))
    wanted = double.settings(lanes, (Row("zh", "*", (Candidate("mtp", 2.5, 90.0), Candidate("body", None, 60.0))),))
    with (
        double.router(loop, wanted, direct=request.param, traces=otel.recorded(exporter)) as url,
        httpx2.Client(base_url=url, timeout=20) as client,
    ):
        until(lambda: client.get("/readyz").json()["lanes"] == {"body": True, "mtp": True})
        yield client


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    until(lambda: len(exporter.get_finished_spans()) > 0)
    (span,) = exporter.get_finished_spans()
    return span


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_requests_span_has_the_decision_and_what_came_of_it(
    traced: httpx2.Client, exporter: InMemorySpanExporter, mtp: Engine, stream: bool
) -> None:
    traced.post(CHAT, json={"messages": CHINESE, "stream": stream}, headers={"x-request-id": "mine"})
    span = only(exporter)
    found: dict[str, Any] = dict(span.attributes or {})
    assert found == {
        "http.response.status_code": 200,
        "gen_ai.usage.input_tokens": double.USAGE["prompt_tokens"],
        "gen_ai.usage.output_tokens": double.USAGE["completion_tokens"],
        "polydraft.request_id": "mine",
        "polydraft.endpoint": "chat",
        "polydraft.streamed": stream,
        "polydraft.end": "complete",
        "polydraft.engine": mtp.url.removeprefix("http://"),
        "polydraft.language": "zh-Hans",
        "polydraft.task": "prose",
        "polydraft.thinking": False,
        "polydraft.lane": "mtp",
        "polydraft.reason": "measured",
        "polydraft.candidates": ("mtp", "body"),
        "polydraft.num_spec_steps": double.SPECULATIVE["num_spec_steps"],
        "polydraft.num_draft_tokens": double.SPECULATIVE["num_draft_tokens"],
        "polydraft.num_accepted_draft_tokens": double.SPECULATIVE["num_accepted_draft_tokens"],
        "polydraft.acceptance_length": pytest.approx(1 + 8 / 6),
        "polydraft.time_to_first_token_s": found["polydraft.time_to_first_token_s"],
        "polydraft.decode_rate": found["polydraft.decode_rate"],
    }
    assert (span.name, span.kind, span.status.status_code) == ("polydraft chat", SpanKind.SERVER, StatusCode.UNSET)
    assert dict(span.resource.attributes)["service.name"] == "polydraft"


def test_the_span_stands_between_the_clients_and_the_engines(
    traced: httpx2.Client, mtp: Engine, exporter: InMemorySpanExporter
) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=b"}
    traced.post(CHAT, json={"messages": CHINESE}, headers=headers)
    span = only(exporter)
    assert span.parent is not None
    assert span.context is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert mtp.got[0].headers["traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert mtp.got[0].headers["tracestate"] == "a=b"


def test_a_client_that_doesnt_sample_is_heeded(
    traced: httpx2.Client, mtp: Engine, exporter: InMemorySpanExporter
) -> None:
    traced.post(CHAT, json={"messages": CHINESE}, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    traced.post("/tokenize", json={"prompt": "x"})
    assert only(exporter).name == "polydraft tokenize"
    assert mtp.got[0].headers["traceparent"].startswith(f"00-{TRACE}-")
    assert mtp.got[0].headers["traceparent"].endswith("-00")


@pytest.mark.parametrize("sent", ["", "nonsense", f"00-{TRACE}-{'0' * 16}-01", "x" * 5000])
def test_a_trace_that_cannot_be_read_begins_a_new_one(
    traced: httpx2.Client, exporter: InMemorySpanExporter, sent: str
) -> None:
    traced.post(CHAT, json={"messages": CHINESE}, headers={"traceparent": sent})
    assert only(exporter).parent is None


def test_a_rejected_request_has_a_span_too(traced: httpx2.Client, exporter: InMemorySpanExporter) -> None:
    traced.post(CHAT, json={"messages": CHINESE, "model": "other"})
    found = dict(only(exporter).attributes or {})
    assert (found["http.response.status_code"], found["polydraft.end"]) == (404, "rejected")
    assert "polydraft.lane" not in found


async def _break(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.event(double.delta("hel"))
    exchange.writer.transport.abort()


def test_a_stream_that_breaks_is_an_error(traced: httpx2.Client, mtp: Engine, exporter: InMemorySpanExporter) -> None:
    mtp.behaviour = _break
    traced.post(CHAT, json={"messages": CHINESE, "stream": True})
    span = only(exporter)
    assert (span.status.status_code, dict(span.attributes or {})["polydraft.end"]) == (StatusCode.ERROR, "failed")


def test_no_prompt_or_answer_is_in_a_span(traced: httpx2.Client, exporter: InMemorySpanExporter) -> None:
    traced.post(CHAT, json={"messages": CHINESE}, headers={"authorization": "Bearer secret"})
    text = only(exporter).to_json(indent=None)
    for word in ("计算机", "\\u8ba1", "hello", "secret"):
        assert word not in text


def test_without_a_setting_there_are_no_spans_and_the_clients_trace_is_handed_on(
    client: httpx2.Client, mtp: Engine
) -> None:
    sent = f"00-{TRACE}-{PARENT}-01"
    client.post(CHAT, json={"messages": CHINESE}, headers={"traceparent": sent})
    assert mtp.got[0].headers["traceparent"] == sent


class _Collector(BaseHTTPRequestHandler):
    """Takes what an exporter sends: the paths, and what came there."""

    got: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        self.got.append((self.path, zlib.decompress(raw, 47) if self.headers.get("content-encoding") else raw))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_spans_reach_a_collector_where_the_setting_says(loop: double.Loop, body: Engine) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
        wanted = double.settings((Lane("body", body.url),), traces_endpoint=endpoint)
        with double.router(loop, wanted) as url, httpx2.Client(base_url=url) as plain:
            until(lambda: plain.get("/readyz").status_code == 200)
            plain.post(CHAT, json={"messages": CHINESE})
        collector.shutdown()
    ((path, raw),) = _Collector.got  # sent when the router stopped, at the latest
    assert path == "/v1/traces"
    assert b"polydraft.lane" in raw


def test_a_collector_that_is_gone_holds_up_nothing(loop: double.Loop, body: Engine) -> None:
    wanted = double.settings((Lane("body", body.url),), traces_endpoint="http://127.0.0.1:9/v1/traces")
    with double.router(loop, wanted) as url, httpx2.Client(base_url=url) as plain:
        until(lambda: plain.get("/readyz").status_code == 200)
        assert plain.post(CHAT, json={"messages": CHINESE}).status_code == 200
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 10


def test_a_router_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"install polydraft\[otel\]"), contextlib.suppress(ImportError):
        otel.exported("http://127.0.0.1:4318/v1/traces")


def test_the_extras_lock_is_the_routers_and_more() -> None:
    router, extra = (
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("images/router/requirements.txt", "images/router/requirements-otel.txt")
    )
    assert router < extra
