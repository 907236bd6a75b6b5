"""The page in a real browser, before engine doubles: what people see, by mouse and keyboard."""

import json
import re
import time
import unittest.mock
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from serve.page import live
from serve.security import keyfile, keys
from tests.browser.asking import ASKED, FRAGT, ask
from tests.browser.scripted import CHINESE, answering
from tests.serve import double
from tests.serve.double import Engine, Loop, metric, until
from tests.serve.page.test_live import TABLE, lanes


def test_numbers_on_the_page_are_those_of_the_metrics(page: Page, url: str) -> None:
    page.goto(url)
    for text in (ASKED, FRAGT, FRAGT):
        ask(page, text)
    expect(page.locator("#figures dd").last).to_contain_text(re.compile(r"^3since .*, just now$"))
    text = httpx2.get(f"{url}/metrics").text
    steps = metric(text, "polydraft_num_spec_steps_total", lane="mtp", language="zh-Hans")
    accepted = metric(text, "polydraft_num_accepted_draft_tokens_total", lane="mtp", language="zh-Hans")
    rate = metric(text, "polydraft_decode_rate_sum", lane="mtp", language="zh-Hans") / 2
    cell = page.locator('[data-cell="zh-Hans mtp"]')
    expect(cell).to_contain_text("2 answers measured")
    page.get_by_label("Tokens a step", exact=True).check()
    expect(cell).to_contain_text(f"{1 + accepted / steps:.2f}")
    page.get_by_label("Tokens a second", exact=True).check()
    expect(cell.locator("strong")).to_have_text(f"{rate:.1f}")
    tokens = metric(text, "polydraft_completion_tokens_total", lane="mtp")
    expect(page.locator("#lanes .card").nth(1)).to_contain_text(f"2 requests, {tokens:.0f} tokens")


def test_a_rate_of_the_tables_is_scaled_where_another_lane_was_measured(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_label("Tokens a second", exact=True).check()
    expect(page.locator('[data-cell="zh mtp"]')).to_contain_text("90.0by the table")
    page.locator("#first").select_option("body")
    ask(page, FRAGT)
    cell = page.locator('[data-cell="zh-Hans mtp"]')
    expect(cell).to_contain_text("by the table, scaled")
    expect(cell).to_have_class("tabled used")
    measured = float(page.locator('[data-cell="zh-Hans body"] strong').text_content() or "")
    scaled = float((cell.locator("strong").text_content() or "").removeprefix("about "))
    assert scaled == pytest.approx(measured * 90 / 60, abs=0.2)


def test_a_cell_and_a_decision_open_by_keyboard_and_give_the_focus_back(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, FRAGT)
    why = page.get_by_role("button", name="Why lane mtp for request 1")
    why.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("mtp (chosen)")
    page.keyboard.press("Escape")
    expect(why).to_be_focused()
    cell = page.locator('[data-cell="zh-Hans mtp"]')
    cell.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("dialog")).to_contain_text("Guesses by position")
    page.wait_for_timeout(1500)  # what is new comes in the meantime, and takes no focus away
    page.keyboard.press("Escape")
    expect(cell).to_be_focused()


def test_tab_begins_with_a_way_past_the_navigation(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#status")).to_have_text("live")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_first_visit_explains_and_offers_three_languages(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#samples button")).to_have_count(3)
    page.locator("#samples button").nth(1).click()
    expect(page.locator("#try-said")).to_contain_text("as fast as no drafter", timeout=10_000)
    expect(page.locator("#answers h3")).to_have_text(["Lane body", "Lane mtp"])
    for spoken in (page.locator("#samples button").nth(1), *page.locator("#answers .answer").all()):
        expect(spoken).to_have_attribute("lang", "zh-Hans")
    page.get_by_role("button", name="Got it").click()
    page.reload()
    expect(page.locator("#status")).to_have_text("live")
    expect(page.locator("#intro")).to_be_hidden()
    page.get_by_role("button", name="What is this?").click()
    expect(page.locator("#intro")).to_be_visible()


def test_nothing_is_asked_before_the_lanes_are_known(page: Page, url: str) -> None:
    page.route("**/v1/live", lambda route: route.abort())
    page.goto(url)
    sample = page.locator("#samples button").first
    expect(sample).to_be_disabled()
    sample.click(force=True)
    expect(page.locator("#try-wait")).to_contain_text("being asked for its lanes")
    expect(page.locator("#try-said")).to_be_empty()


def test_a_browser_that_keeps_nothing_shows_the_page_all_the_same(page: Page, url: str) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
    )
    page.goto(url)
    expect(page.locator("#status")).to_have_text("live")
    page.get_by_role("button", name="Got it").click()
    expect(page.locator("#intro")).to_be_hidden()


def test_a_stream_that_says_nothing_new_is_called_stale(page: Page, url: str) -> None:
    page.clock.install()
    page.goto(url)
    expect(page.locator("#status")).to_have_text("live")
    with unittest.mock.patch.object(live.Live, "_event", side_effect=RuntimeError("a fault made on purpose")):
        page.wait_for_timeout(1500)  # whatever was under way has come
        page.clock.fast_forward(10_000)
        expect(page.locator("#status")).to_contain_text("stale since")
    expect(page.locator("#status")).to_have_text("live")


def test_too_many_pages_are_told_as_what_they_are(page: Page, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LISTENERS", 0)
    page.goto(url)
    expect(page.locator("#status")).to_contain_text("as many pages are open as may be", timeout=10_000)
    monkeypatch.undo()
    expect(page.locator("#status")).to_have_text("live", timeout=10_000)


def test_comes_back_after_a_restart_of_the_router(page: Page, loop: Loop, body: Engine, mtp: Engine) -> None:
    mtp.behaviour = answering(CHINESE, drafts=2)
    wanted = double.settings(lanes(body, mtp), TABLE)
    loaded: list[Page] = []
    page.on("load", lambda once: loaded.append(once))
    with double.router(loop, wanted) as url:
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
        page.goto(url)
        ask(page, FRAGT)
        expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#status")).to_have_class("lost", timeout=10_000)
    time.sleep(2)
    with double.router(loop, wanted, port=int(url.rpartition(":")[2])):
        expect(page.locator("#status")).to_have_text("live", timeout=15_000)
        expect(page.locator("#rows tr")).to_have_count(0)  # another router, that knows of none
        expect(page.get_by_label("Ask something")).to_have_value(FRAGT)
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
        ask(page, FRAGT)
        expect(page.locator("#rows tr")).to_have_count(1)
        assert len(loaded) == 1
    plain, drafting = lanes(body, mtp)
    longer = double.settings((plain, replace(drafting, draft_tokens=3)), TABLE)
    with double.router(loop, longer, port=int(url.rpartition(":")[2])), page.expect_event("load", timeout=15_000):
        pass  # what the page was put together for is no more


def test_after_a_restart_with_keys_the_page_asks_again_and_says_nothing_of_the_connection(
    page: Page, loop: Loop, body: Engine, mtp: Engine, tmp_path: Path
) -> None:
    key = keys.mint()
    keyfile.add(tmp_path / "keys", keys.made("alice", key))
    wanted = double.settings(lanes(body, mtp), TABLE, keys_file=tmp_path / "keys")
    with double.router(loop, wanted) as url:
        page.goto(url)
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#status")).to_have_text("live")
    expect(page.locator("#status")).to_have_class("lost", timeout=10_000)
    with double.router(loop, wanted, port=int(url.rpartition(":")[2])):
        expect(page.get_by_label("API key")).to_be_focused(timeout=15_000)
        expect(page.locator("#status")).to_have_text("not logged in")
        expect(page.locator("#status")).to_have_class("")
        page.wait_for_timeout(2500)  # longer than the browser, and then the page, wait before they ask again
        expect(page.locator("#status")).to_have_text("not logged in")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#status")).to_have_text("live")


HIDEABLE = """
let hidden = false;
Object.defineProperty(document, "hidden", {get: () => hidden});
window.hide = (value) => { hidden = value; document.dispatchEvent(new Event("visibilitychange")); };
"""


def test_pages_that_nobody_sees_leave_the_browser_its_connections(context: BrowserContext, url: str) -> None:
    context.add_init_script(HIDEABLE)
    pages = [context.new_page() for _ in range(8)]  # a browser opens six connections to one place
    for each in pages:
        each.goto(url, timeout=10_000)
        expect(each.locator("#status")).to_have_text("live")
        if each is not pages[-1]:
            each.evaluate("hide(true)")
    httpx2.post(f"{url}/v1/chat/completions", json={"messages": [{"role": "user", "content": FRAGT}]})
    expect(pages[-1].locator("#rows tr")).to_have_count(1)
    expect(pages[0].locator("#rows tr")).to_have_count(0)
    pages[0].evaluate("hide(false)")
    expect(pages[0].locator("#rows tr")).to_have_count(1)
    expect(pages[0].locator("#status")).to_have_text("live")


def test_an_answer_that_ends_while_nobody_looks_has_its_speed_all_the_same(context: BrowserContext, url: str) -> None:
    context.add_init_script(HIDEABLE)
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#status")).to_have_text("live")
    page.evaluate("hide(true)")
    ask(page, FRAGT, second="body")
    expect(page.locator("#try-said")).to_contain_text("as fast as no drafter")


def test_of_two_clicks_the_dialog_shows_the_second_whichever_answer_comes_first(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, FRAGT)
    held: list[Route] = []
    page.route("**/v1/live/cells/**", lambda route: held.append(route))
    with page.expect_request("**/v1/live/cells/**"):
        page.locator('[data-cell="zh-Hans mtp"]').click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Why lane mtp for request 1").click()
    expect(page.get_by_role("dialog")).to_contain_text("What came of it")
    with page.expect_response("**/v1/live/cells/**"):
        held[0].continue_()
    page.wait_for_timeout(500)
    expect(page.get_by_role("dialog")).to_contain_text("What came of it")


COUNTED = """
window.watching = {listeners: 0, observers: 0};
const count = (prototype, name, what, by) => {
  const before = prototype[name];
  prototype[name] = function (...given) {
    if (what === "observers" || this instanceof MediaQueryList) window.watching[what] += by;
    return before.apply(this, given);
  };
};
count(EventTarget.prototype, "addEventListener", "listeners", 1);
count(EventTarget.prototype, "removeEventListener", "listeners", -1);
count(ResizeObserver.prototype, "observe", "observers", 1);
count(ResizeObserver.prototype, "disconnect", "observers", -1);
"""


def test_charts_of_a_closed_dialog_watch_nothing_any_more(page: Page, url: str) -> None:
    page.add_init_script(COUNTED)
    page.goto(url)
    ask(page, FRAGT)
    before = page.evaluate("({...window.watching})")
    for _ in range(3):
        page.locator('[data-cell="zh-Hans mtp"]').click()
        expect(page.get_by_role("dialog").locator("canvas")).to_have_count(2)
        assert page.evaluate("window.watching.observers") == before["observers"] + 2
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.evaluate("window.watching") == before


def test_an_open_table_of_a_chart_is_written_anew_only_for_a_new_line(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("#speed summary").click()
    expect(page.locator("#speed tbody tr")).not_to_have_count(0)
    page.evaluate(
        """() => {
            window.written = 0;
            const region = document.querySelector("#speed .scroll");
            new MutationObserver(() => { window.written += 1; }).observe(region, {childList: true});
        }"""
    )
    page.wait_for_timeout(3500)  # three events come, and one line every five seconds
    assert page.evaluate("window.written") <= 1


def test_a_gain_that_may_be_none_has_no_colour(browser: Browser, url: str) -> None:
    page = browser.new_page(bypass_csp=True, locale="en-GB")
    page.route("**/v1/live", lambda route: route.abort())  # the router's own state would come in between
    page.goto(url)
    spans = [
        (1.3, 0.9, 1.8, "measured"),
        (1.3, 1.1, 1.5, "measured"),
        (0.7, 0.6, 0.8, "measured"),
        (1.3, None, None, "measured"),  # of too few answers to say how sure
        (1.3, None, None, "table"),
    ]
    counts = {"requests": 9, "refused": 0, "aborted": 0, "failed": 0, "measured": 9, "length": None, "rate": None}
    found = page.evaluate(
        """async (state) => {
            (await import("/page/languages.js")).languages(state);
            return [...document.querySelectorAll("#heat [data-cell]")].map((cell) => cell.className);
        }""",
        {
            "lanes": [{"name": "mtp", "method": "mtp", "draft_tokens": 2}],
            "languages": [
                {
                    "language": language,
                    "next": "body",
                    "cells": {
                        "mtp": {
                            **counts,
                            "gain": {"value": value, "low": low, "high": high, "answers": 9, "source": source},
                        }
                    },
                }
                for language, (value, low, high, source) in zip(("de", "en", "fr", "ru", "sv"), spans, strict=True)
            ],
        },
    )
    page.close()
    assert found == ["", "up1", "down2", "", "up1 tabled"]


def test_a_router_that_comes_back_with_other_lanes_is_shown_anew(
    page: Page, loop: Loop, body: Engine, mtp: Engine
) -> None:
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as url:
        page.goto(url)
        expect(page.get_by_label("Lane").first.locator("option")).to_have_count(3)
    with double.router(loop, double.settings((lanes(body, mtp)[0],)), port=int(url.rpartition(":")[2])):
        expect(page.get_by_label("Lane").first.locator("option")).to_have_count(2, timeout=15_000)
        expect(page.locator("#status")).to_have_text("live", timeout=15_000)


def test_a_router_with_keys_asks_once_and_keeps_the_key_nowhere(
    page: Page, loop: Loop, body: Engine, mtp: Engine, tmp_path: Path
) -> None:
    key = keys.mint()
    keyfile.add(tmp_path / "keys", keys.made("alice", key))
    with double.router(loop, double.settings(lanes(body, mtp), TABLE, keys_file=tmp_path / "keys")) as url:
        page.goto(url)
        page.get_by_label("API key").fill("pd-wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#login-error")).to_contain_text("isn't known here")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#status")).to_have_text("live")
        assert key not in page.content()
        assert key not in page.url
        [cookie] = page.context.cookies()
        assert cookie.get("httpOnly") is True
        assert cookie.get("sameSite") == "Strict"
        assert key not in json.dumps(cookie)
        page.reload()
        expect(page.locator("#status")).to_have_text("live")
        httpx2.delete(f"{url}/v1/session", headers={"cookie": f"{cookie.get('name')}={cookie.get('value')}"})
        page.get_by_label("Ask something").fill(ASKED)
        page.get_by_role("button", name="Answer", exact=True).click()
        expect(page.get_by_label("API key")).to_be_focused()
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#status")).to_have_text("live")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("API key")).to_be_visible()
