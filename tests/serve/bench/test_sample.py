"""Which answers count: not those that are short, go round in circles, are garbled or in a language not asked for."""

import json
import random

import pytest

from serve.bench.client import Answer
from serve.bench.prompts import TASKS, Prompt, load
from serve.bench.sample import circles, fault, garbled
from serve.routing import language
from serve.sim.filler import circling, filler

IDENTIFY = language.load()
ENGLISH = (
    "Before there were refrigerators, people kept food fresh in many ways. They salted meat and fish, dried fruit "
    "in the sun, and stored roots in cool cellars. In some countries ice was cut from lakes in winter and kept."
)
DANISH = (
    "Før der fandtes køleskabe, holdt man maden frisk på mange måder. Man saltede kød og fisk, tørrede frugt i solen "
    "og gemte rodfrugter i kølige kældre, hvor de kunne holde sig hele vinteren igennem."
)
CHINESE = (
    "在没有冰箱的时候，人们用很多办法保存食物：把肉和鱼腌起来，"
    "把水果晒干，把萝卜和白菜放在凉爽的地窖里，冬天还会从湖上取冰。"
)


def told(text: str, of: str = "en", task: str = "prose", tokens: int = 50, thought: str = "") -> str | None:
    return fault(Answer(text, thought, tokens, 1.0, 0.1, None), Prompt(of, "?", task), IDENTIFY)


@pytest.mark.parametrize(
    ("text", "of"), [(ENGLISH, "en"), (DANISH, "da"), (CHINESE, "zh-Hans"), (CHINESE, "zh-Hant"), ("No.", "da")]
)
def test_an_answer_in_its_language_counts(text: str, of: str) -> None:
    assert told(text, of) is None


def test_an_answer_in_another_language_doesnt() -> None:
    assert told(ENGLISH, "da") == "language"
    assert told(DANISH, "zh-Hans") == "language"
    assert told(CHINESE, "ja") == "language"


def test_code_and_json_have_no_language() -> None:
    assert told(ENGLISH, "da", "code") is None
    assert told(ENGLISH, "da", "json") is None


def test_what_was_thought_is_looked_at_but_may_be_in_any_language() -> None:
    assert told(DANISH, "da", thought=ENGLISH) is None
    assert told("", "da", thought=ENGLISH) is None
    assert told(DANISH, "da", thought="I wonder what to say. " * 40) is None, "it ended soundly"
    assert told("", "da", thought="I wonder what to say. " * 40) == "repeating"


@pytest.mark.parametrize(("text", "tokens"), [("", 9), (" \n", 9), ("Yes", 1), ("Yes", 0)])
def test_nothing_is_short(text: str, tokens: int) -> None:
    assert told(text, tokens=tokens) == "short"


@pytest.mark.parametrize("name", ["en", "de", "ru", "ar", "zh-Hans", "ja", "ko"])
def test_words_in_circles_are_told_from_words_in_random_order(name: str) -> None:
    for seed in range(20):
        assert not circles(filler(name, 200, random.Random(seed)))
    assert circles(circling(name, 0, 200))


def test_code_and_json_that_repeat_their_form_are_no_circles() -> None:
    listed = [
        {"day": day, "dish": dish, "minutes": 10 * len(dish)}
        for day, dish in zip("MTWTF", ("soup", "rice", "fish", "stew", "pie"), strict=True)
    ]
    assert not circles(json.dumps(listed, indent=2) * 2)
    assert not any(circles(prompt.text) for prompt in load(TASKS))


def test_garbage_is_told_from_text() -> None:
    soup = "".join(random.Random(1).choices("abcабвअआกขαβγ漢字ひ", k=200))
    assert garbled(soup)
    assert garbled("fine so far \ufffd\ufffd\ufffd and \x00\x01")
    assert not any(garbled(prompt.text) for prompt in load(TASKS))
    assert not garbled("東京タワー (Tokyo Tower) は한국어ではありません。" * 3)
    assert told(soup) == "garbled"
