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
