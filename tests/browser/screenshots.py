"""Makes the README's picture of the page from a running demo: `make screenshots`. Shows what was measured, and no more.

Asks the demo's questions in three languages, then one on two lanes one after the other, as a person would.
"""

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from serve.bench.prompts import DEMO, load

_PATIENCE = 120_000  # milliseconds that an answer may take on a busy machine
_EACH = 4  # questions a language, each on the lane without drafter too, where it isn't the one that is picked


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=Path("serve/page/pictures"), help="where the pictures go")
    wanted = parser.parse_args()
    browser = shutil.which("chromium")
    if browser is None:
        sys.exit("no chromium: apt-get install chromium fonts-noto-cjk")
    wanted.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = running.new_page(bypass_csp=True, viewport={"width": 1280, "height": 960}, locale="en-GB")
        page.goto(wanted.url)
        _warm(page)
        page.get_by_role("button", name="Got it").click()
        _ask(page, "什么是推测解码？", "body")
        page.evaluate("scrollTo(0, 0)")
        for scheme in ("light", "dark"):  # the same answers in both
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=wanted.out / f"page-{scheme}.png")
        running.close()


def _warm(page: Page) -> None:
    """Let the page have something to show: some questions of each language, and what comes without a drafter."""
    asked: dict[str, int] = {}
    for prompt in load(DEMO):
        asked[prompt.language] = asked.get(prompt.language, 0) + 1
        if asked[prompt.language] <= _EACH:
            _ask(page, prompt.text, "" if prompt.language == "ru" else "body")


def _ask(page: Page, text: str, second: str) -> None:
    page.get_by_label("Ask something").fill(text)
    page.locator("#second").select_option(second)
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#stop")).to_be_hidden(timeout=_PATIENCE)
    page.wait_for_timeout(1500)  # what is new comes once a second


if __name__ == "__main__":
    main()
