"""A real browser: Debian's Chromium, headless, through Playwright. Skips loudly where it isn't there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.scripted import CHINESE, ENGLISH, answering
from tests.serve import double
from tests.serve.double import Engine, Loop, until
from tests.serve.page.test_live import TABLE, lanes

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build/screenshots"
"""Where pictures of what the tests saw are kept."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one module: Playwright holds an event loop as long as it runs, and others want their own."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium (Debian: apt-get install chromium), so the page is NOT tested in a browser")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs a user namespace, which containers don't give to root.
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails its test by any error, and by any request to another place than where it came from."""
    opened = context.new_page()
    wrong: list[str] = []
    places: set[str] = set()
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    opened.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    opened.on("request", lambda request: places.add("/".join(request.url.split("/")[:3])))
    yield opened
    assert wrong == []
    assert len({place for place in places if not place.startswith("data:")}) <= 1


@pytest.fixture(scope="module")
def module(browser: Browser, loop: Loop) -> Iterator[Page]:
    """A page whose own modules a test may import: the test's code is evaluated, which the page else forbids."""
    with double.engine(loop) as engine, double.router(loop, double.settings(lanes(engine, engine))) as url:
        opened = browser.new_page(bypass_csp=True)
        opened.goto(url)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core, as make installed it from its lock file; skips where that couldn't be done."""
    text = ROOT / ".cache/node/node_modules/axe-core/axe.min.js"
    if not text.is_file():
        pytest.skip(f"no {text} (`make .cache/node`, which needs npm), so the page's accessibility is NOT tested")
    return text.read_text(encoding="utf-8")


@pytest.fixture
def url(loop: Loop, body: Engine, mtp: Engine) -> Iterator[str]:
    body.behaviour = answering([[token] for step in ENGLISH for token in step], drafts=0)
    mtp.behaviour = answering(CHINESE, drafts=2)
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as running:
        until(lambda: httpx2.get(f"{running}/readyz").json()["lanes"] == {"body": True, "mtp": True})
        yield running
