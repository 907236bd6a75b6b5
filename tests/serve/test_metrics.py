"""The exposition against the client library's own, its cost, and that no client can make a series."""

import asyncio
import json
import time
from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    enable_created_metrics,
    generate_latest,
)
from prometheus_client.parser import text_string_to_metric_families

from serve.exposition import Exposition
from serve.metrics import Metrics
from serve.routing.cell import Cell
from serve.routing.language import LANGUAGES
from serve.routing.outcome import Acceptance, Outcome
from serve.routing.policy import Decision
from tests.serve.double import Engine, metric, until

CHAT = "/v1/chat/completions"
LANES = ("body", "mtp", "eagle3")


@pytest.fixture(autouse=True)
def _no_created_series() -> Iterator[None]:
    disable_created_metrics()  # type: ignore[no-untyped-call]  # as the router does
    yield
    enable_created_metrics()  # type: ignore[no-untyped-call]


def outcome(language: str, lane: str, tokens: int = 10) -> Outcome:
    return Outcome(
        request_id="r",
        endpoint="chat",
        cell=Cell(language, "prose", "chat", False),
        decision=Decision(lane, "measured", ()),
        drafted=True,
        streamed=True,
        status=200,
        end="complete",
        duration=1.0,
        time_to_first_token=0.1,
        decode_rate=40.0 + tokens,
        prompt_tokens=tokens,
        completion_tokens=tokens,
        acceptance=Acceptance(6, 12, 8, (5, 3)),
    )


def filled(languages: int) -> tuple[CollectorRegistry, Metrics]:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for language in list(LANGUAGES)[:languages]:
        for lane in LANES:
            metrics.observe(outcome(language, lane))
    metrics.refused("unknown_host")
    return registry, metrics


def written(exposition: Exposition) -> str:
    return "".join(exposition.pieces())


def test_the_text_is_what_the_client_library_writes_before_and_after_a_change() -> None:
    registry, metrics = filled(5)
    exposition = Exposition(metrics.families)
    for _ in range(3):
        assert written(exposition) == generate_latest(registry).decode()
        metrics.observe(outcome("en", "mtp", 5_000_000))
        metrics.observe(outcome("xx", "body"))


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1e300, allow_nan=False), max_size=20))
def test_any_number_is_written_as_the_client_library_does(values: list[float]) -> None:
    registry = CollectorRegistry()
    counter, gauge = Counter("c", "A counter.", registry=registry), Gauge("g", "A gauge.", ["x"], registry=registry)
    histogram = Histogram("h", "A histogram.", ["x"], buckets=(0.005, 1, 1e7), registry=registry)
    exposition = Exposition([counter, gauge, histogram])
    for value in values:
        counter.inc(value)
        gauge.labels("a").set(value)
        histogram.labels("b").observe(value)
        assert written(exposition) == generate_latest(registry).decode()


def test_a_scrape_takes_below_5_ms_with_ten_languages_on_three_lanes() -> None:
    """The best of many: other work on this machine isn't the router's."""
    _, metrics = filled(10)
    exposition = Exposition(metrics.families)
    spent = []
    for _ in range(20):
        metrics.observe(outcome("en", "mtp"))
        started = time.perf_counter()
        written(exposition)
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.005


def test_a_scrape_of_every_series_there_can_be_lets_others_run() -> None:
    _, metrics = filled(len(LANGUAGES))
    exposition = Exposition(metrics.families)
    written(exposition)
    shares = []
    for number in range(10):
        for language in LANGUAGES:
            metrics.observe(outcome(language, LANES[number % 3]))
        whole = time.perf_counter()
        longest = asyncio.run(_longest_wait(exposition))
        shares.append(longest / (time.perf_counter() - whole))
    assert min(shares) < 0.4


async def _longest_wait(exposition: Exposition) -> float:
    """Measure the longest time that something else, which is always ready, has to wait during a scrape."""
    scrape = asyncio.create_task(exposition.text())
    longest, before = 0.0, time.perf_counter()
    while not scrape.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


def test_a_loop_that_is_held_up_is_seen() -> None:
    async def held_up() -> None:
        watching = asyncio.create_task(metrics.watch_loop())
        await asyncio.sleep(0.05)
        time.sleep(0.4)
        await asyncio.sleep(0.3)
        watching.cancel()

    registry = CollectorRegistry()
    metrics = Metrics(registry)
    asyncio.run(held_up())
    text = generate_latest(registry).decode()
    assert metric(text, "polydraft_event_loop_lag_seconds_bucket", le="0.25") < metric(
        text, "polydraft_event_loop_lag_seconds_count"
    )
    assert metric(text, "polydraft_event_loop_lag_seconds_sum") > 0.3


def test_the_running_router_measures_its_loop(client: httpx2.Client) -> None:
    until(lambda: metric(client.get("/metrics").text, "polydraft_event_loop_lag_seconds_count") > 1)


def test_whatever_clients_send_the_series_are_of_a_closed_set(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    evil = ["x" * 500, "en\n", '"} 1', "en-US-x-" + "a" * 50, "../..", "\u202e", "de", "zh-Hant", ""]
    for number, name in enumerate(evil):
        for payload in (
            {"model": name},
            {"model": f"demo@{name}"},
            {"messages": [{"role": "user", "content": f"Answer in {name}, please: {number}"}]},
            {"messages": [{"role": name, "content": f"Answer in language number {name}."}], "language": name},
        ):
            client.post(CHAT, content=json.dumps(payload))
        harmless = name.encode("ascii", "ignore").decode().replace("\n", "")
        for header in ("x-polydraft-lane", "x-polydraft-language", "accept-language", "x-request-id", "user-agent"):
            client.post(
                CHAT, content=b'{"messages": [{"role": "user", "content": "hello"}]}', headers={header: harmless}
            )
        client.get(f"/v1/models/{number}")
        client.request(f"M{number}", "/nowhere")
    allowed = {
        "lane": {*LANES, "none"},
        "language": {*LANGUAGES, "und"},
        "reason": {"measured", "default", "sampling", "forced", "fallback", "held", "any", "none"},
        "end": {"complete", "aborted", "failed", "refused", "rejected"},
        "position": {"0", "1"},
        "engine": {url.removeprefix("http://") for url in (body.url, mtp.url)},
        "code": {"malformed_request"},
    }
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name.startswith("polydraft_")]
    assert len(samples) > 20
    for sample in samples:
        for label, value in sample.labels.items():
            assert label == "le" or value in allowed[label], (sample.name, label, value)


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_scrapes_and_probes_leave_no_line(client: httpx2.Client, caplog: pytest.LogCaptureFixture, path: str) -> None:
    with caplog.at_level("INFO", logger="polydraft.access"):
        client.get(path)
        client.get("/version")
        until(lambda: len(caplog.records) >= 1)
    assert [json.loads(record.getMessage())["path"] for record in caplog.records] == ["/version"]


@pytest.mark.parametrize(
    ("method", "path", "payload", "status", "end"),
    [
        ("GET", "/version", None, 200, "complete"),
        ("GET", "/v1/models", None, 200, "complete"),
        ("GET", "/v1/models/nothing", None, 404, "rejected"),
        ("GET", "/nowhere?key=secret", None, 404, "rejected"),
        ("PUT", CHAT, None, 405, "rejected"),
        ("POST", "/v1/route", {"messages": [{"role": "user", "content": "hello"}]}, 200, "complete"),
        ("POST", CHAT, {"messages": [{"role": "user", "content": "hello"}]}, 200, "complete"),
        ("POST", CHAT, {"messages": []}, 400, "rejected"),
        ("POST", "/v1/completions", {"prompt": "hello"}, 200, "complete"),
        ("POST", "/v1/messages", {"messages": []}, 400, "rejected"),
        ("POST", "/tokenize", {"prompt": "hello"}, 200, "complete"),
        ("GET", "/v1/responses/resp_1", None, 200, "complete"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_every_other_request_leaves_exactly_one_line(
    client: httpx2.Client,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    payload: dict[str, object] | None,
    status: int,
    end: str,
) -> None:
    with caplog.at_level("INFO", logger="polydraft.access"):
        answer = client.request(method, path, json=payload)
        until(lambda: len(caplog.records) >= 1)
        time.sleep(0.05)  # a second line would come now
    line = json.loads(caplog.records[0].getMessage())
    assert (len(caplog.records), answer.status_code, line["status"], line["end"]) == (1, status, status, end)
    assert "secret" not in caplog.text.replace(str(answer.url), "")
