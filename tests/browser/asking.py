"""Asks the page something as a person would, and reads how it coloured the answer."""

import re

from playwright.sync_api import Page, expect

ASKED = "Please tell me what a computer program is."
FRAGT = "请用中文告诉我什么是计算机程序。"


def ask(page: Page, text: str, second: str = "") -> None:
    page.get_by_label("Ask something").fill(text)
    page.locator("#second").select_option(second)
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#try-said")).to_contain_text(re.compile("Done|as fast|same|differ"), timeout=20_000)


def kinds(page: Page, pane: int = 0) -> list[tuple[str, str]]:
    spans = page.locator("#answers .card").nth(pane).locator(".answer span").all()
    return [(span.text_content() or "", span.get_attribute("data-kind") or "") for span in spans]
