"""The monitoring before the real router and real engines: every query runs, and those of the engines show something."""

import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.compose.prometheus import ask, rules, scraping, shown
from tests.stack.running import Stack

pytestmark = pytest.mark.engine

TARGETS = ("polydraft-router", "polydraft-engine")
NO_EXPORTER, NEVER_HERE = "node_memory", ("polydraft_drifts_total", "polydraft_lessons_total", "ALERTS{", "_busy_")
NOT_YET = ("refused_requests", "waiting_requests", 'end!="complete"')


@pytest.fixture(scope="module")
def scraped(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    engines = sorted({url.removeprefix("http://") for url in stack.engines.values()})
    targets = {"polydraft-router": [stack.url.removeprefix("http://")], "polydraft-engine": engines}
    for lane in ("mtp", "eagle3"):  # languages that idle from here on
        _ask(stack, lane, "讲一讲大海。")
    with scraping(tmp_path_factory.mktemp("prometheus"), targets) as prometheus:
        for _ in range(3):
            for lane in ("body", "mtp", "eagle3"):
                _ask(stack, lane, "Tell me about the sea.")
            time.sleep(1.5)
        yield prometheus


def _ask(stack: Stack, lane: str, text: str) -> None:
    payload = {
        "model": f"polydraft-demo@{lane}",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 24,
        "stream": True,
    }
    assert stack.client.post("/v1/chat/completions", json=payload).status_code == 200


def test_router_and_engines_are_scraped(scraped: httpx2.Client) -> None:
    up = {each["metric"]["job"]: each["value"][1] for each in ask(scraped, "up") if each["metric"]["job"] in TARGETS}
    assert up == dict.fromkeys(TARGETS, "1")


@pytest.mark.parametrize("panel", shown("60s"))
def test_a_panel_shows_something(panel: str, scraped: httpx2.Client) -> None:
    query = shown("60s")[panel]
    found = ask(scraped, query)
    if not any(name in query for name in (NO_EXPORTER, *NEVER_HERE, *NOT_YET)):
        assert found, query


def test_a_drafter_s_acceptance_length_is_between_one_and_its_draft(scraped: httpx2.Client) -> None:
    query = shown("10m")["Acceptance length over time A"]  # a minute may have passed without any on a busy machine
    found = ask(scraped, query)
    assert {each["metric"]["lane"] for each in found} == {"mtp", "eagle3"}
    assert all(1 <= round(float(each["value"][1]), 6) <= 4 for each in found), found


def test_what_idles_is_left_out_of_a_panel_and_never_shown_as_nan(scraped: httpx2.Client) -> None:
    for query in shown("10m").values():
        found = ask(scraped, query)
        assert all(each["value"][1] != "NaN" for each in found), (query, found)


def test_no_alert_of_the_router_or_the_engines_fires(scraped: httpx2.Client) -> None:
    for rule in rules():
        if "alert" in rule and "node_" not in rule["expr"] and rule["alert"] != "RouterHeldUp":
            assert ask(scraped, rule["expr"]) == [], rule["alert"]
