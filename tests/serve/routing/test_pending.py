"""Translations ordered before their text is there."""

import pytest

from serve.routing import pending
from serve.routing.cell import classify
from tests.serve.routing.labelled import model

ORDER = "Translate the following sentence into French."
QUESTION = "Sure, which sentence?"


@pytest.mark.parametrize(
    ("message", "announces"),
    [
        pytest.param(ORDER, True, id="an order without its text"),
        pytest.param("请把下面的句子翻译成法语", True, id="in Chinese"),
        pytest.param("Translate the following sentence into French: I am late.", False, id="with its text"),
        pytest.param('Translate "good night" into French', False, id="quoted"),
        pytest.param("Translate hello into French", False, id="inline"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_an_order_without_its_text_is_known(message: str, announces: bool) -> None:
    assert pending.announces(message) is announces


def test_the_order_is_answered_in_its_own_language_and_the_text_in_the_one_ordered() -> None:
    order = {"role": "user", "content": ORDER}
    first = classify({"messages": [order]}, "chat", model())
    text = [{"role": "assistant", "content": QUESTION}, {"role": "user", "content": "The weather was lovely all week."}]
    second = classify({"messages": [order, *text]}, "chat", model())
    assert (first.language, second.language, second.task) == ("en", "fr", "translation")


def test_a_long_answer_ends_the_waiting() -> None:
    assert pending.awaited(ORDER, QUESTION)
    assert not pending.awaited(ORDER, "Le chat dort. " * 20)


STANDING = "translate to english: Bin gleich da, steck im Stau"
DONE = "I'll be there soon, stuck in traffic."


@pytest.mark.parametrize(
    ("message", "language", "task"),
    [
        pytest.param("Kannst du schon mal Getränke bestellen?", "en", "translation", id="another text"),
        pytest.param("Was heißt Stau hier genau?", "de", "prose", id="a question about it"),
        pytest.param("Danke dir, das war sehr nett von dir", "de", "prose", id="thanks"),
        pytest.param("Is that formal or informal?", "en", "prose", id="the order's own language"),
    ],
)
def test_an_order_given_with_its_text_holds_for_another_text_alone(message: str, language: str, task: str) -> None:
    turns = zip(("user", "assistant", "user"), (STANDING, DONE, message), strict=True)
    cell = classify({"messages": [{"role": r, "content": c} for r, c in turns]}, "chat", model())
    assert (cell.language, cell.task) == (language, task)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ('And this: "Hello."', '"Hello."'),
        ("还有这句：你好", "你好"),
        ("y esto: hola", "hola"),
        ("My question: why?", ""),
        ("And this", ""),
    ],
)
def test_another_text_follows_an_order_without_a_verb(message: str, text: str) -> None:
    assert pending.another(message) == text
