"""The page before real vLLM engines: lanes, colours and numbers of an English and a Chinese prompt."""

import re
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SHOTS
from tests.serve.double import metric
from tests.stack.running import Stack

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("prompt", "language", "lane"),
    [("What is speculative decoding?", "en", "eagle3"), ("什么是推测解码？", "zh-Hans", "mtp")],
)
def test_a_real_answer_is_coloured_as_the_engine_counted_it(
    page: Page,
    stack: Stack,
    prompt: str,
    language: str,
    lane: str,
) -> None:
    payload: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 200, "temperature": 0}
    payload |= {"logprobs": True}
    whole = httpx2.post(f"{stack.url}/v1/chat/completions", json=payload, timeout=120).json()
    reported = whole["metrics"]["speculative_decoding"]
    page.goto(stack.url)
    page.get_by_label("Ask something").fill(prompt)
    page.locator("#second").select_option("body")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#try-said")).to_contain_text("The text is the same, letter for letter.", timeout=120_000)
    expect(page.locator("#answers h3")).to_have_text(["Lane body", f"Lane {lane}"])
    plain, drafted = page.locator("#answers .answer").all()
    assert drafted.text_content() == whole["choices"][0]["message"]["content"]
    assert [span.get_attribute("data-kind") for span in plain.locator("span").all()] == ["plain"]
    coloured = [(span.text_content(), span.get_attribute("data-kind")) for span in drafted.locator("span").all()]
    tokens = [each["token"] for each in whole["choices"][0]["logprobs"]["content"]]
    assert coloured == _pieces(tokens, reported["per_step_accepted"])
    assert "".join(text or "" for text, _ in coloured) == whole["choices"][0]["message"]["content"]
    _numbers_agree(page, stack, language, lane)
    _engines_hold_about_what_was_planned(page)
    page.screenshot(path=SHOTS / f"demo-{language}.png", full_page=True)


def _pieces(tokens: list[str], accepted: list[int]) -> list[tuple[str, str]]:
    """Say how each token came, by what was accepted in each step.

    One that ends within a character has no text; the one that ends the answer is no part of its text.
    """
    kinds = ["plain"]
    for number in accepted:
        kinds += [*map(str, range(1, number + 1)), "bonus"]
    assert len(kinds) >= len(tokens)  # the last step may be cut off
    return [(token, kind) for token, kind in zip(tokens, kinds, strict=False) if token and token != "<|end|>"]


def _engines_hold_about_what_was_planned(page: Page) -> None:
    cards = page.locator("#engines .card")
    expect(cards).to_have_count(3)
    for card in cards.all():
        memory = card.get_by_text("Memory: ")
        expect(memory).to_contain_text(" held, ", timeout=10_000)
        held, planned = map(float, re.findall(r"([\d.]+) GiB", memory.text_content() or ""))
        assert 0.7 * planned < held < 1.1 * planned


def _numbers_agree(page: Page, running: Stack, language: str, lane: str) -> None:
    labels = {"lane": lane, "language": language}
    text = httpx2.get(f"{running.url}/metrics").text
    requests = metric(text, "polydraft_requests_total", **labels)
    steps = metric(text, "polydraft_num_spec_steps_total", **labels)
    accepted = metric(text, "polydraft_num_accepted_draft_tokens_total", **labels)
    cell = page.locator(f'[data-cell="{language} {lane}"]')
    expect(cell.locator("small").last).to_contain_text(f"{requests:.0f} answers measured")
    page.get_by_label("Tokens a step", exact=True).check()
    expect(cell.locator("strong")).to_have_text(f"{1 + accepted / steps:.2f}")
