"""The page while engines load, and when the router goes in mid-answer: in a real browser, before engine doubles."""

import asyncio
import re

import httpx2
import pytest
from playwright.sync_api import Page, expect

from serve.page.view import View
from tests.browser.asking import FRAGT, ask
from tests.browser.scripted import ENGLISH, answering, chunk, usage
from tests.browser.test_try_it import forever
from tests.serve import double
from tests.serve.double import Engine, Exchange, Loop, until
from tests.serve.page.test_live import TABLE, lanes

TAKES = "an engine takes one to three minutes to load on a machine without a GPU, up to fifteen on a box"


def test_nothing_can_be_asked_until_a_lane_is_ready(page: Page, loop: Loop, body: Engine, mtp: Engine) -> None:
    body.healthy = mtp.healthy = False
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as url:
        page.goto(url)
        expect(page.get_by_role("status").filter(has_text=f"The engines are loading: {TAKES}.")).to_be_visible()
        for button in [*page.locator("#samples button").all(), page.get_by_role("button", name="Answer", exact=True)]:
            expect(button).to_have_attribute("aria-disabled", "true")
            button.click(force=True)
        page.get_by_label("Ask something").fill(FRAGT)
        page.keyboard.press("Control+Enter")
        expect(page.locator("#lanes .state")).to_have_text(["loading"] * 2)
        expect(page.locator("#lanes .down, #engines .down")).to_have_count(0)
        expect(page.locator("#engines .state").first).to_have_text(f"loading: {TAKES}")
        expect(page.locator("#answers .card")).to_have_count(0)
        assert "polydraft_requests_total{" not in httpx2.get(f"{url}/metrics").text
        body.healthy = True
        expect(page.locator("#lanes .state")).to_have_text(["ready", "loading"])
        expect(page.locator("#try-wait")).to_be_empty()
        page.locator("#first").select_option("mtp")
        page.get_by_role("button", name="Answer", exact=True).click()
        expect(page.locator("#try-said")).to_contain_text(f"Lane mtp is loading: {TAKES}")
        body.healthy = False
        expect(page.locator("#lanes .state")).to_have_text(["not ready", "loading"])  # it was up, so it isn't loading
        expect(page.locator("#lanes .down")).to_have_count(1)
    assert body.got == mtp.got == []


def test_a_request_that_was_refused_since_nothing_was_ready_is_no_answer(
    page: Page, loop: Loop, body: Engine, mtp: Engine
) -> None:
    body.healthy = mtp.healthy = False
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as url:
        refused = httpx2.post(f"{url}/v1/chat/completions", json={"messages": [{"role": "user", "content": FRAGT}]})
        assert refused.status_code == 503
        page.goto(url)
        expect(page.locator("#figures dd").last).to_contain_text(re.compile(r"^0since .*; 1 more refused$"))
        expect(page.locator("#lanes")).to_contain_text("0 requests, 0 tokens; 1 more refused")


def test_a_router_that_goes_in_mid_comparison_leaves_what_was_whole(
    page: Page, loop: Loop, body: Engine, mtp: Engine
) -> None:
    body.behaviour = answering([[token] for step in ENGLISH for token in step], drafts=0)
    mtp.behaviour = forever
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as url:
        until(lambda: httpx2.get(f"{url}/readyz").json()["lanes"] == {"body": True, "mtp": True})
        page.goto(url)
        page.get_by_label("Ask something").fill(FRAGT)
        page.get_by_role("button", name="Answer", exact=True).click()
        expect(page.locator("#answers .answer").last).to_have_text("and ")
        page.route("**/v1/chat/completions", lambda route: route.abort())
    expect(page.locator("#try-said")).to_contain_text("The router stopped", timeout=10_000)
    expect(page.locator("#answers .speed").first).to_contain_text("tokens a second")
    expect(page.locator("#answers .card").last).to_contain_text("Not complete.")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#try-said")).to_contain_text(
        "The router stopped or can’t be reached; this page goes on as soon as it is back."
    )
    expect(page.locator("#try-said")).not_to_contain_text("Failed to fetch")


def test_a_whole_answer_that_the_router_told_nothing_of_has_the_rate_at_which_it_came(
    page: Page, url: str, body: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.start_stream()
        for text in ("A", " list", " of", " steps", "."):
            await exchange.event(chunk(text, [text]))
            await asyncio.sleep(0.1)
        await exchange.event(usage(5, None, 0))
        await exchange.end_stream()

    body.behaviour = slow
    monkeypatch.setattr(View, "after", lambda self, number: iter(()))
    page.goto(url)
    page.locator("#first").select_option("body")
    ask(page, "What is a program?")
    shown = page.locator("#answers .speed")
    expect(shown).to_contain_text("tokens a second, as they came here")
    assert 3 < float(re.findall(r"about ([\d.]+)", shown.text_content() or "")[0]) <= 11
