"""The page in a real browser, before engine doubles: what people see, by mouse, keyboard and screen reader."""

import json
import re
import time
import unittest.mock
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from serve.page import live
from serve.security import keyfile, keys
from tests.browser.conftest import SHOTS
from tests.browser.scripted import CHINESE, ENGLISH, answering, echo
from tests.serve import double
from tests.serve.double import Engine, Loop, metric, until
from tests.serve.page.test_live import TABLE, lanes

ASKED = "Please tell me what a computer program is."
FRAGT = "请用中文告诉我什么是计算机程序。"


@pytest.fixture
def url(loop: Loop, body: Engine, mtp: Engine) -> Iterator[str]:
    body.behaviour = answering([[token] for step in ENGLISH for token in step], drafts=0)
    mtp.behaviour = answering(CHINESE, drafts=2)
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as running:
        until(lambda: httpx2.get(f"{running}/readyz").json()["lanes"] == {"body": True, "mtp": True})
        yield running


def ask(page: Page, text: str, second: str = "") -> None:
    page.get_by_label("Ask something").fill(text)
    page.locator("#second").select_option(second)
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#try-said")).to_contain_text(re.compile("Done|as fast|same|differ"), timeout=20_000)


def kinds(page: Page, pane: int = 0) -> list[tuple[str, str]]:
    spans = page.locator("#answers .card").nth(pane).locator(".answer span").all()
    return [(span.text_content() or "", span.get_attribute("data-kind") or "") for span in spans]


def test_an_english_and_a_chinese_prompt_get_their_lane_and_their_colours(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, ASKED)
    expect(page.locator("#answers h3")).to_have_text("Lane body")
    assert kinds(page) == [("A program is a list of steps.", "plain")]
    ask(page, FRAGT)
    expect(page.locator("#answers h3")).to_have_text("Lane mtp")
    assert kinds(page) == [
        ("程", "plain"), ("序", "1"), ("是", "2"), ("一", "bonus"), ("步", "bonus"), ("骤", "bonus"),
    ]  # fmt: skip
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows tr").first).to_contain_text("Simplified Chinese")
    page.screenshot(path=SHOTS / "double.png", full_page=True)


def test_two_lanes_side_by_side(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, FRAGT, second="body")
    expect(page.locator("#answers h3")).to_have_text(["Lane body", "Lane mtp"])
    expect(page.locator("#try-said")).to_contain_text("The texts differ.")
    assert kinds(page, 0) == [("A program is a list of steps.", "plain")]


def test_a_card_its_line_and_the_sentence_say_the_same_of_one_answer(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, FRAGT, second="body")
    expect(page.locator("#try-said")).to_contain_text(re.compile(r"Lane mtp was [\d.]+× as fast as no drafter"))
    rows = [row.locator("td").all_text_contents() for row in page.locator("#rows tr").all()]
    cards = page.locator("#answers .speed").all_text_contents()
    assert cards == [f"{row[7]} tokens a second" for row in reversed(rows)]
    (ratio,) = re.findall(r"[\d.]+×", page.locator("#try-said").text_content() or "")
    assert rows[0][9] == f"about {ratio} (1 answer)"
    page.get_by_role("button", name="Why lane mtp").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"It came {ratio} as fast as 1 answer without a drafter")


def test_what_an_answer_was_compared_with_never_changes(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, FRAGT)
    ask(page, FRAGT, second="body")
    expect(page.locator("#rows tr")).to_have_count(3)
    assert page.locator("#rows tr").nth(2).locator("td").nth(9).text_content() == "– (nothing to compare)"
    expect(page.locator("#figures div").first).to_contain_text("1 more had nothing to be compared with")
    expect(page.locator("#figures div").first).to_contain_text("still few answers")


def test_the_same_lane_twice_is_noise(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, ASKED, second="body")
    expect(page.locator("#try-said")).to_contain_text("Both went to the same lane, body: the difference of")


def test_a_drafter_that_was_not_reported_colours_nothing(page: Page, url: str, mtp: Engine) -> None:
    mtp.behaviour = answering(CHINESE, drafts=0)
    page.goto(url)
    ask(page, FRAGT)
    expect(page.locator("#answers")).to_contain_text("The engine didn’t report what the drafter achieved")
    assert kinds(page) == []
    assert "step" not in (page.locator("#try-said").text_content() or "")


def test_an_engine_that_sends_no_texts_of_tokens_is_said_to(page: Page, url: str, body: Engine) -> None:
    body.version = "0.0.simulated"
    body.behaviour = double.answer
    page.goto(url)
    ask(page, ASKED)
    expect(page.locator("#answers")).to_contain_text("The engine sent no texts of single tokens (logprobs;")
    assert kinds(page) == []


def test_pieces_are_told_apart_without_colours_and_read_out(browser: Browser, url: str) -> None:
    context = browser.new_context(forced_colors="active", locale="en-GB")
    page = context.new_page()
    page.goto(url)
    ask(page, FRAGT)
    looks = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#answers .t")].map((span) => {
            const style = getComputedStyle(span);
            return [span.dataset.kind, `${style.textDecorationLine} ${style.textDecorationStyle}`];
        }))"""
    )
    assert looks == {
        "plain": "none solid",
        "1": "underline solid",
        "2": "underline double",
        "bonus": "underline dotted",
    }
    page.get_by_text("Piece by piece").focus()
    page.keyboard.press("Enter")
    rows = page.locator(".pieces tbody tr").all_text_contents()
    assert rows[1] == "2序the drafter’s first guess of a step, and right"
    context.close()


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


def test_only_explaining_generates_nothing(page: Page, url: str, body: Engine, mtp: Engine) -> None:
    page.goto(url)
    page.get_by_label("Ask something").fill(FRAGT)
    page.get_by_role("button", name="Only explain the choice").click()
    expect(page.locator("#answers")).to_contain_text("To lane mtp: fastest for this language in the measured table.")
    page.get_by_text("Explain a whole payload (JSON)").click()
    page.get_by_label("Payload of any endpoint").fill("{not json")
    page.get_by_role("button", name="Explain it").click()
    expect(page.locator("#answers .error")).not_to_be_empty()
    assert body.got == mtp.got == []


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
    page.get_by_role("button", name="Got it").click()
    page.reload()
    expect(page.locator("#status")).to_have_text("live")
    expect(page.locator("#intro")).to_be_hidden()
    page.get_by_role("button", name="What is this?").click()
    expect(page.locator("#intro")).to_be_visible()


def test_a_browser_that_keeps_nothing_shows_the_page_all_the_same(page: Page, url: str) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
    )
    page.goto(url)
    expect(page.locator("#status")).to_have_text("live")
    page.get_by_role("button", name="Got it").click()
    expect(page.locator("#intro")).to_be_hidden()


def test_spaces_are_no_question_and_an_answer_has_a_length(page: Page, url: str, body: Engine, mtp: Engine) -> None:
    page.goto(url)
    expect(page.locator("#length")).to_have_attribute("max", "300000")
    page.get_by_label("Ask something").fill("   ")
    page.get_by_role("button", name="Answer", exact=True).click()
    page.get_by_label("Ask something").fill(ASKED)
    page.get_by_label("Longest answer, in tokens").fill("")
    page.get_by_role("button", name="Answer", exact=True).click()
    page.wait_for_timeout(300)
    assert body.got == mtp.got == []


def test_the_keyboard_sends_stops_and_stays_where_it_was(page: Page, url: str, body: Engine) -> None:
    body.behaviour = forever
    page.goto(url)
    page.get_by_label("Ask something").fill(ASKED)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    expect(page.locator("#answers .answer")).to_have_text("and ")
    page.keyboard.press("Enter")
    expect(page.locator("#try-said")).to_have_text("Stopped.")
    expect(page.get_by_label("Ask something")).to_be_focused()


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


def test_a_router_that_comes_back_with_other_lanes_is_shown_anew(
    page: Page, loop: Loop, body: Engine, mtp: Engine
) -> None:
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as url:
        page.goto(url)
        expect(page.get_by_label("Lane").first.locator("option")).to_have_count(3)
    with double.router(loop, double.settings((lanes(body, mtp)[0],)), port=int(url.rpartition(":")[2])):
        expect(page.get_by_label("Lane").first.locator("option")).to_have_count(2, timeout=15_000)
        expect(page.locator("#status")).to_have_text("live", timeout=15_000)


HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(2)><style>*{display:none}</style>{{7*7}}",
    "100 KB": "<b>long</b> " * 8_533,
    "right to left": "abc \u202e evil \u202c שלום <b>עולם</b> \u2067 مرحبا \u2069",
    "zero width": "a\u200b\u200d\ufeff\u2060b\u0301\u0301\u0301 \u0000 \ufffd",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_prompt_is_text(page: Page, url: str, body: Engine, mtp: Engine, text: str) -> None:
    body.behaviour = mtp.behaviour = echo
    page.goto(url)
    before = page.locator("script, style, img, b").count()
    ask(page, text)
    shown = page.locator("#answers .answer").text_content()
    sent = (body.got + mtp.got)[-1].payload["messages"][-1]["content"]
    assert shown == sent
    assert sent == text
    assert page.locator("script, style, img, b").count() == before
    for place in ("#decisions", "#languages", "#now"):
        assert text[:20] not in (page.locator(place).text_content() or "")
    expect(page.locator("#rows tr")).to_have_count(1)


def test_an_engines_error_is_shown_as_text(page: Page, url: str, body: Engine, mtp: Engine) -> None:
    async def refuse(exchange: double.Exchange) -> None:
        await exchange.whole({"error": {"message": "<b>too long</b>", "type": "BadRequestError", "code": 400}}, 400)

    body.behaviour = mtp.behaviour = refuse
    page.goto(url)
    page.get_by_label("Ask something").fill(ASKED)
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#try-said .error")).to_have_text("<b>too long</b>")
    expect(page.locator("#answers .card")).to_have_count(0)
    page.wait_for_timeout(1200)
    expect(page.locator("#rows tr")).to_contain_text("refused by the engine")
    expect(page.locator("#heat")).not_to_contain_text("English")


async def forever(exchange: double.Exchange) -> None:
    await exchange.start_stream()
    await exchange.event(double.delta("and "))
    await exchange.closed.wait()


def test_a_stream_can_be_stopped(page: Page, url: str, body: Engine) -> None:
    body.behaviour = forever
    page.goto(url)
    page.get_by_label("Ask something").fill(ASKED)
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#answers .answer")).to_have_text("and ")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#try-said")).to_have_text("Stopped.")
    expect(page.locator("#rows tr")).to_contain_text("stopped by the client")
    page.get_by_role("button", name="Why lane body").click()
    expect(page.get_by_role("dialog")).to_contain_text("not answered to the end: stopped by the client")


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1920])
def test_everybody_can_use_it_on_any_screen(browser: Browser, url: str, axe: str, scheme: Any, width: int) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True, locale="en-GB"
    )
    page = context.new_page()
    page.goto(url)
    ask(page, FRAGT, second="body")
    expect(page.locator("#rows tr")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(axe)
    violations = {"whole": _violations(page)}
    page.get_by_role("button", name="Got it").click()
    for name, button in (("decision", "#rows button"), ("cell", '[data-cell="zh-Hans mtp"]')):
        page.locator(button).first.click()
        expect(page.get_by_role("dialog")).to_contain_text("okens a second")
        page.wait_for_timeout(200)
        dialog = page.get_by_role("dialog")
        assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
        assert (dialog.bounding_box() or {"width": 0})["width"] <= width
        violations[name] = _violations(page)
        page.get_by_role("button", name="Close").click()
    page.screenshot(path=SHOTS / f"double-{scheme}-{width}.png", full_page=True)
    context.close()
    assert violations == {"whole": [], "decision": [], "cell": []}


def test_everybody_can_log_in(
    browser: Browser, loop: Loop, body: Engine, mtp: Engine, axe: str, tmp_path: Path
) -> None:
    keyfile.add(tmp_path / "keys", keys.made("alice", keys.mint()))
    with double.router(loop, double.settings(lanes(body, mtp), TABLE, keys_file=tmp_path / "keys")) as url:
        page = browser.new_page(bypass_csp=True)
        page.goto(url)
        expect(page.get_by_label("API key")).to_be_focused()
        page.evaluate(axe)
        assert _violations(page) == []
        page.close()


def _violations(page: Page) -> list[str]:
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]
