"""What the page says of engines' memory beside its plan, and of where a table's figures are from."""

from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from serve.routing.policy import Candidate, Row
from tests.serve import double
from tests.serve.double import Engine, Loop, until
from tests.serve.page.test_live import lanes

ON_CPU = {"name": "cpu", "engine": 1.4, "used": None, "total": None}
ON_GPU = {"name": "gpu0", "engine": 40.0, "used": 41.0, "total": 95.6}
HIDDEN = {**ON_GPU, "engine": None}
SHARED = {"name": "gpu0", "engine": 36.5, "used": None, "total": None}
ENGINE = {
    "name": "127.0.0.1:8101", "lanes": ["body"], "state": "up", "vllm": "0.32.0", "running": 1, "waiting": 0,
    "planned": 42.0, "holding": None,
}  # fmt: skip


def holding(*places: dict[str, Any]) -> dict[str, Any]:
    return {"places": list(places), "kv_used": 0.125, "kv_room": 10.1}


@pytest.mark.parametrize(
    ("engine", "said", "share"),
    [
        ({"planned": 1.55, "holding": holding(ON_CPU)}, "Memory: 1.40 GiB held, 1.55 GiB planned", 0.90),
        ({"planned": 1.0, "holding": holding(ON_CPU)}, "Memory: 1.40 GiB held, more than the 1.00 GiB planned", 1.0),
        ({"planned": None, "holding": holding(ON_CPU)}, "Memory: 1.40 GiB held, nothing was planned", None),
        (
            {"holding": holding(ON_GPU, {**ON_GPU, "name": "gpu1", "engine": 39.0})},
            "Memory: 40.00 GiB held on the fullest of its GPUs, 42.00 GiB planned",
            0.95,
        ),
        ({"holding": holding(ON_CPU, SHARED)}, "Memory: 37.90 GiB held, 42.00 GiB planned", 0.90),
        (
            {"holding": holding(HIDDEN)},
            "its GPU has 41.00 GiB of 95.60 GiB in use, by whatever; 42.00 GiB planned",
            None,
        ),
        ({"holding": holding()}, "42.00 GiB planned; this engine doesn’t say what it holds", None),
        ({"holding": None}, "42.00 GiB planned; this engine doesn’t say what it holds", None),
    ],
    ids=["as planned", "more", "no plan", "two GPUs", "shared with the machine", "hidden", "stock vLLM", "silent"],
)
def test_says_what_an_engine_holds_beside_the_plan(
    browser: Browser, loop: Loop, body: Engine, engine: dict[str, Any], said: str, share: float | None
) -> None:
    with double.router(loop, double.settings((lanes(body, body)[0],))) as url:
        page = browser.new_page(bypass_csp=True, locale="en-GB")
        page.route("**/v1/live", lambda route: route.abort())  # the router's own state would come in between
        page.goto(url)
        page.evaluate(
            """async (state) => (await import("/page/engines.js")).engines(state)""",
            {"engines": [{**ENGINE, **engine}], "memory": None, "policy": "static"},
        )
        card = page.locator("#engines .card")
        text = card.text_content() or ""
        meter = card.locator(".meter")
        width = card.locator(".bar").evaluate("bar => parseFloat(bar.style.width) / 100") if share else None
        shown = meter.evaluate("meter => !meter.hidden")
        page.close()
    assert said in text
    assert shown == (share is not None)
    assert width == (pytest.approx(share, abs=0.01) if share else None)


@pytest.mark.parametrize(
    ("exploration", "said"),
    [
        (0.02, "learned here; up to 2.0\xa0% of the time goes into trying other lanes"),
        (0, "learned here; up to 0.0\xa0% of the time goes into trying other lanes: nothing is tried now"),
    ],
)
def test_says_how_much_goes_into_tries(
    browser: Browser, loop: Loop, body: Engine, exploration: float, said: str
) -> None:
    with double.router(loop, double.settings((lanes(body, body)[0],))) as url:
        page = browser.new_page(bypass_csp=True, locale="en-GB")
        page.route("**/v1/live", lambda route: route.abort())
        page.goto(url)
        page.evaluate(
            """async (state) => (await import("/page/engines.js")).engines(state)""",
            {"engines": [], "memory": None, "policy": "apply", "exploration": exploration},
        )
        shown = page.locator("#machine").text_content() or ""
        page.close()
    assert shown.endswith(said)


def test_where_a_tables_figures_are_from_is_a_link_if_it_is_an_address(
    page: Page, loop: Loop, body: Engine, mtp: Engine
) -> None:
    figures = (Candidate("mtp", 2.5, 90.0), Candidate("body", None, 60.0))
    source = (
        "`polydraft bench` on a box of this kind (https://example.org/bench?a=1&b=2), javascript:alert(1), <b>2026</b>"
    )
    with double.router(loop, double.settings(lanes(body, mtp), (Row("zh", "*", figures, source),))) as url:
        until(lambda: httpx2.get(f"{url}/readyz").json()["lanes"] == {"body": True, "mtp": True})
        page.goto(url)
        page.locator('[data-cell="zh mtp"]').click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"Where these are from: {source.replace('`', '')}")
        expect(dialog.locator("code")).to_have_text("polydraft bench")
        [link] = dialog.get_by_role("link").all()
        assert link.get_attribute("href") == "https://example.org/bench?a=1&b=2"
        assert link.get_attribute("rel") == "noreferrer noopener"
