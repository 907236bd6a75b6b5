"""How the page words what the router says in names: its own module, run where it runs."""

import pytest
from playwright.sync_api import Page


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('chosen("und", "default")', "language unclear, so it gets the lane set for that"),
        ('chosen("und", "forced")', "an unclear language; this lane was asked for"),
        (
            'chosen("fr", "default")',
            "French was not measured here yet, so it gets the lane that is set for such languages",
        ),
        ('drafter({name: "mtp", method: "mtp", draft_tokens: 3})', "guesses 3 tokens a step"),
        ('drafter({name: "quick", method: "mtp", draft_tokens: 1})', "mtp drafter, guesses 1 token a step"),
        ('drafter({name: "body", method: null, draft_tokens: 0})', "no drafter, one token a step"),
        ("hedge(3)", ""),
        (
            "hedge(2)",
            "It is one answer beside 2, so that may be chance; “Now” has what all of them gained, "
            "and how sure that is.",
        ),
    ],
)
def test_words(module: Page, call: str, said: str) -> None:
    assert module.evaluate(f'import("/page/words.js").then((words) => words.{call})') == said
