"""What the page says of the guard and of drift: its own module, run where it runs."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serve import double
from tests.serve.double import Engine, Loop
from tests.serve.page.test_live import lanes

NOW = 1_000_000.0
ALLOWED = {"allowed": 0.02, "guarded": 4, "asked": 4, "barring": 0}
MTP = {"lane": "mtp", "acceptance_length": 1.6, "decode_rate": 29.0, "low": 25.0, "high": 33.5, "requests": 12}
BODY = {"lane": "body", "acceptance_length": 1, "decode_rate": 44.0, "low": 43.0, "high": 45.0, "requests": 0}
LOST = {"language": "en", "task": "prose", "requests": 200, "lost": 0.012, "barred": [], "bare": BODY}
BARRED = {**LOST, "lost": 0, "barred": [MTP]}
DRIFT = {"at": NOW - 540, "lane": "mtp", "language": "zh-Hans", "what": "acceptance", "change": -1.2}
GUESSES = {**DRIFT, "seen": 1.6, "expected": 2.67, "answers": 5, "since": NOW - 600}
STEPS = {**GUESSES, "language": "*", "what": "step_time", "change": 0.693, "seen": 0.06, "expected": 0.03}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"guard": {**ALLOWED, "cells": []}}, "Nothing was lost in any language. No drafter is barred now."),
        ({"guard": {**ALLOWED, "cells": [LOST]}}, "Most was lost in English, prose: 1.2 % of the last 200"),
        (
            {"guard": {**ALLOWED, "barring": 1, "cells": [{**LOST, "barred": [MTP]}]}},
            "Barred now in English, prose: mtp (29.0 tokens a second expected, 25.0 to 33.5, beside 44.0 without",
        ),
        ({"guard": {**ALLOWED, "barring": 1, "cells": [BARRED, LOST]}}, "Most was lost in English, prose: 1.2 % of"),
        (
            {"guard": {**ALLOWED, "barring": 9, "cells": [BARRED, LOST]}},
            "Drafters cost 0.0 % of the last 200 requests’ tokens there.Drafters are barred now in 8 more places.",
        ),
        (
            {"guard": {**ALLOWED, "guarded": 300, "asked": 200, "cells": [LOST]}},
            "No drafter is barred now in the 200 of 300 places where most was lost.",
        ),
        (
            {"guard": None, "drifts": [GUESSES]},
            "9 minutes ago): lane mtp guesses worse than it did in Simplified Chinese: 2.67 tokens a step expected, "
            "1.60 tokens a step seen, over 5 answers since ",
        ),
        (
            {"guard": None, "drifts": [STEPS]},
            "lane mtp is slower than it was: 30.0 ms a step expected, 60.0 ms a step seen, over 5 answers since ",
        ),
    ],
    ids=[
        "nothing lost",
        "something lost",
        "barred",
        "barred where nothing was lost",
        "many barred",
        "not all asked",
        "guesses worse",
        "slower",
    ],
)
def test_says_what_is_barred_and_what_changed(
    browser: Browser, loop: Loop, body: Engine, mtp: Engine, state: dict[str, Any], said: str
) -> None:
    with double.router(loop, double.settings(lanes(body, mtp))) as url:
        page = browser.new_page(bypass_csp=True, locale="en-GB")
        page.route("**/v1/live", lambda route: route.abort())  # the router's own state would come in between
        page.goto(url)
        page.evaluate(
            """async (state) => (await import("/page/alarms.js")).alarms(state)""", {"at": NOW, "drifts": [], **state}
        )
        shown = (page.locator("#alarms").text_content() or "").replace("\xa0", " ")
        page.close()
    assert said in shown


def test_where_the_table_decides_there_is_nothing_to_watch_over(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#lanes .card")).to_have_count(2)
    expect(page.get_by_role("heading", name="Watch over the drafters")).to_be_hidden()


def test_says_aloud_what_is_new_once_and_no_figure_that_moves(
    browser: Browser, loop: Loop, body: Engine, mtp: Engine
) -> None:
    barred = {**ALLOWED, "barring": 1, "cells": [{**LOST, "barred": [MTP]}]}
    more = {**ALLOWED, "barring": 1, "cells": [{**LOST, "lost": 0.013, "barred": [MTP]}]}
    with double.router(loop, double.settings(lanes(body, mtp))) as url:
        page = browser.new_page(bypass_csp=True, locale="en-GB")
        page.route("**/v1/live", lambda route: route.abort())
        page.goto(url)
        said = []
        for guard, drifts in ((None, []), (barred, []), (more, []), (more, [GUESSES])):
            state = {"at": NOW, "guard": guard, "drifts": drifts}
            page.evaluate("""async (state) => (await import("/page/alarms.js")).alarms(state)""", state)
            said.append(page.locator("#alarms-said").text_content() or "")
        assert page.locator("#alarms").evaluate("list => list.closest('[role=status], [aria-live]')") is None
        page.close()
    assert said[:3] == ["", *["Lane mtp is barred now in English, prose."] * 2]
    assert said[3].endswith("lane mtp guesses worse than it did in Simplified Chinese.")
