"""What can be tried on the page, in a real browser before engine doubles: questions, answers, colours, comparisons."""

import asyncio
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.asking import ASKED, FRAGT, ask, kinds
from tests.browser.conftest import SHOTS
from tests.browser.scripted import CHINESE, answering, chunk, echo, usage
from tests.serve import double
from tests.serve.double import Engine, Exchange


async def forever(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.event(double.delta("and "))
    await exchange.closed.wait()


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
    expect(page.locator("#try-said")).to_contain_text(
        re.compile(r"After the first token, lane mtp was [\d.]+× as fast")
    )
    rows = [row.locator("td").all_text_contents() for row in page.locator("#rows tr").all()]
    cards = page.locator("#answers .speed").all_text_contents()
    assert cards == [f"{row[7]} tokens a second" for row in reversed(rows)]
    said = page.locator("#try-said").text_content() or ""
    (ratio,) = re.findall(r"[\d.]+×", said)
    assert re.search(r"lane body\): [\d.]+ s for 7 tokens instead of [\d.]+ s for 8 tokens in all\.", said)
    assert rows[0][9] == f"about {ratio} (beside 1 answer)"
    page.get_by_role("button", name="Why lane mtp").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"After the first token it came {ratio} as fast as 1 answer")
    expect(page.get_by_role("dialog")).to_contain_text("It is one answer each, so that may be chance")


def test_of_answers_of_one_length_the_time_that_was_waited_comes_first(
    page: Page, url: str, body: Engine, mtp: Engine
) -> None:
    at_once = answering(CHINESE, drafts=2)

    async def late(exchange: Exchange) -> None:
        await asyncio.sleep(1)
        await at_once(exchange)

    body.behaviour, mtp.behaviour = answering([[token] for step in CHINESE for token in step], drafts=0), late
    page.goto(url)
    ask(page, FRAGT, second="body")
    expect(page.locator("#try-said")).to_have_text(
        re.compile(
            r"Lane mtp was 0\.\d+× as fast as no drafter \(lane body\): 1\.\d+ s instead of 0\.\d+ s\. After the first "
            r"token alone it was [\d.]+×\. The text is the same, letter for letter\. It is one answer each"
        )
    )


def test_what_an_answer_was_compared_with_never_changes(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, FRAGT)
    ask(page, FRAGT, second="body")
    expect(page.locator("#rows tr")).to_have_count(3)
    assert page.locator("#rows tr").nth(2).locator("td").nth(9).text_content() == "– (nothing to compare)"
    expect(page.locator("#figures div").first).to_contain_text("1 more had nothing to be compared with")
    expect(page.locator("#figures div").first).to_contain_text("too few answers yet to be sure")


def test_one_answer_alone_is_told_beside_those_before_it(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, FRAGT, second="body")
    ask(page, FRAGT)
    said = page.locator("#try-said")
    expect(said).to_have_text(
        re.compile(
            r"Done: \d+ tokens on lane mtp\. After the first token it came [\d.]+× as fast as 1 answer without a "
            r"drafter in Simplified Chinese before it\. It is one answer each, so that may be chance"
        )
    )
    row = page.locator("#rows tr").first.locator("td").nth(9).text_content() or ""
    assert re.findall(r"[\d.]+×", row) == re.findall(r"[\d.]+×", said.text_content() or "")


def test_an_answer_that_reached_its_limit_is_said_to_be_cut_off(page: Page, url: str, mtp: Engine) -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.start_stream()
        for step in CHINESE[:-1]:
            await exchange.event(chunk("".join(step), step))
        last = chunk("".join(CHINESE[-1]), CHINESE[-1])
        last["choices"][0]["finish_reason"] = "length"
        await exchange.event(last)
        tokens = sum(len(step) for step in CHINESE)
        await exchange.event(usage(tokens, [len(step) - 1 for step in CHINESE[1:]], 2))
        await exchange.end_stream()

    page.goto(url)
    ask(page, FRAGT)
    expect(page.locator("#answers .card")).not_to_contain_text("Cut off here")
    mtp.behaviour = cut
    ask(page, FRAGT)
    expect(page.locator("#answers .card")).to_contain_text("Cut off here: that is the longest answer allowed.")


def test_the_same_lane_twice_is_noise(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, ASKED, second="body")
    expect(page.locator("#try-said")).to_contain_text("Both were answered without a drafter (body): the difference of")


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
    second = page.locator(".pieces tbody tr").nth(1)
    expect(second).to_have_text("2序the drafter’s first guess of a step, and right")
    context.close()


def test_only_explaining_generates_nothing(page: Page, url: str, body: Engine, mtp: Engine) -> None:
    page.goto(url)
    page.get_by_label("Ask something").fill(FRAGT)
    page.get_by_role("button", name="Only explain the choice").click()
    expect(page.locator("#try-said")).to_have_text(re.compile(r"^To lane mtp: .*\.$"))
    expect(page.locator("#answers")).to_contain_text("To lane mtp: fastest for this language in the measured table.")
    page.get_by_text("Explain a whole payload (JSON)").click()
    page.get_by_label("Payload of any endpoint").fill("{not json")
    page.get_by_role("button", name="Explain it").click()
    expect(page.locator("#answers .error")).not_to_be_empty()
    assert body.got == mtp.got == []


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
    expect(page.locator("#answers .answer").first).to_have_text("and ")
    page.keyboard.press("Enter")
    expect(page.locator("#try-said")).to_have_text("Stopped.")
    expect(page.get_by_label("Ask something")).to_be_focused()


def test_a_typed_question_is_compared_with_no_drafter_and_outlives_a_reload(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#second")).to_have_value("body")
    page.get_by_label("Ask something").fill(FRAGT)
    page.reload()
    expect(page.get_by_label("Ask something")).to_have_value(FRAGT)
    expect(page.locator("#second")).to_have_value("body")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#try-said")).to_contain_text("as fast as no drafter", timeout=20_000)


def test_an_answers_steps_are_one_number_under_one_name(page: Page, url: str) -> None:
    page.goto(url)
    ask(page, FRAGT)
    expect(page.locator("#answers")).to_contain_text("7 tokens in 4 steps of the model. In 3 steps with guesses")
    page.get_by_role("button", name="Why lane mtp").click()
    row = page.get_by_role("dialog").get_by_role("row", name="Steps with guesses (the first step has none)")
    expect(row.locator("td")).to_have_text("3")


def test_pieces_that_are_fewer_than_the_tokens_say_why(page: Page, url: str, mtp: Engine) -> None:
    page.goto(url)
    ask(page, FRAGT)
    page.get_by_text("How the pieces came, as a table").click()
    expect(page.locator("#answers details").first).to_contain_text(
        "6 pieces of 7 tokens: a character of several tokens is one piece."
    )
    mtp.behaviour = answering([["A"], [" program", "."], [""]], drafts=2)
    ask(page, FRAGT)
    page.get_by_text("How the pieces came, as a table").click()
    expect(page.locator("#answers details").first).to_contain_text(
        "3 pieces of 4 tokens: the token that ends the answer has no text."
    )


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
    async def refuse(exchange: Exchange) -> None:
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


def test_a_stream_can_be_stopped(page: Page, url: str, body: Engine) -> None:
    body.behaviour = forever
    page.goto(url)
    page.get_by_label("Ask something").fill(ASKED)
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("#answers .answer").first).to_have_text("and ")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#try-said")).to_have_text("Stopped.")
    expect(page.locator("#rows tr")).to_contain_text("stopped by the client")
    page.get_by_role("button", name="Why lane body").click()
    expect(page.get_by_role("dialog")).to_contain_text("not answered to the end: stopped by the client")
