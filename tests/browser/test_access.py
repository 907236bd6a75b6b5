"""The page for everybody: on any screen axe finds nothing, and screen readers are told nothing nobody asked for."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from serve.security import keyfile, keys
from tests.browser.asking import FRAGT, ask
from tests.browser.conftest import SHOTS
from tests.serve import double
from tests.serve.double import Engine, Loop
from tests.serve.page.test_live import TABLE, lanes


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


def test_what_screen_readers_are_told_does_not_move_with_every_answer(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#status")).to_have_text("live")
    page.evaluate(
        """() => {
            window.told = [];
            const note = (records) => window.told.push(...records.map((record) => record.target.textContent));
            for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live]"))
                new MutationObserver(note).observe(region, {childList: true, characterData: true, subtree: true});
        }"""
    )
    for _ in range(3):
        httpx2.post(f"{url}/v1/chat/completions", json={"messages": [{"role": "user", "content": FRAGT}]})
        page.wait_for_timeout(1100)  # what is new comes once a second
    expect(page.locator("#rows tr")).to_have_count(3)
    assert page.evaluate("window.told") == []


def test_on_a_phone_every_lane_of_a_language_is_seen_without_scrolling_sideways(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740}, locale="en-GB")
    page.goto(url)
    cells = page.locator("#heat [data-cell]")
    expect(cells.first).to_be_visible()
    edges = cells.evaluate_all(
        "cells => cells.flatMap((cell) => [cell.getBoundingClientRect().left, cell.getBoundingClientRect().right])"
    )
    assert len(edges) >= 4
    assert min(edges) >= 0
    assert max(edges) <= 360
    expect(page.locator("#heat-hint")).to_be_hidden()
    expect(page.locator("#heat").get_by_role("rowheader").first).to_contain_text("zh")
    page.close()


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


def test_everybody_can_use_it_while_engines_load(
    browser: Browser, loop: Loop, body: Engine, mtp: Engine, axe: str
) -> None:
    body.healthy = mtp.healthy = False
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as url:
        page = browser.new_page(bypass_csp=True)
        page.goto(url)
        expect(page.locator("#lanes .state")).to_have_text(["loading"] * 2)
        page.evaluate(axe)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert _violations(page) == []
        page.close()


def _violations(page: Page) -> list[str]:
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]
