"""System prompts that have the assistant interpret between two languages: the answer is in the other one."""

import pytest

from serve.routing.cell import classify
from serve.routing.directive import translates
from serve.routing.interpreting import other, pair
from serve.routing.wording import wording
from tests.serve.routing.labelled import model


@pytest.mark.parametrize(
    ("prompt", "tags"),
    [
        ("Interpret between a nurse (English) and a patient (Polish).", {"en", "pl"}),
        ("You are a French-English translator.", {"fr", "en"}),
        ("Translate German to Italian and Italian to German.", {"de", "it"}),
        ("Dolmetsche zwischen Deutsch und Türkisch.", {"de", "tr"}),
        ("Ты переводчик между русским и английским.", {"ru", "en"}),
        ("你是中日翻译。", {"zh-Hans", "ja"}),
        ("日英通訳として、発言を訳してください。", {"ja", "en"}),
        ("한국어와 영어 통역사입니다.", {"ko", "en"}),
        ("Translate English to German.", None),
        ("Oversæt fra engelsk til dansk.", None),
        ("Translate everything into Spanish.", None),
        ("You help people choose between German and French courses.", None),
        ("You speak English and Spanish.", None),
    ],
)
def test_two_languages_without_a_direction_are_a_pair(prompt: str, tags: set[str] | None) -> None:
    text = wording(prompt)
    assert pair(text, translates=translates(text)) == tags


@pytest.mark.parametrize(
    ("said", "language"),
    [("Haben Sie Schmerzen im Rücken?", "en"), ("Yes, since yesterday evening.", "de"), ("是的，昨天开始的。", "de")],
    ids=["one", "the other", "neither"],
)
def test_the_answer_is_in_the_language_that_is_not_spoken(said: str, language: str) -> None:
    """To what is neither, the last language that the prompt orders holds."""
    system = "Interpret between English and German. Translate anything else into German."
    messages = [{"role": "system", "content": system}, {"role": "user", "content": said}]
    cell = classify({"messages": messages}, "chat", model())
    assert (cell.language, cell.task) == (language, "translation")


def test_scripts_of_chinese_are_one_language() -> None:
    assert other(frozenset({"zh-Hans", "en"}), "zh-Hant") == "en"
    assert other(frozenset({"zh-Hans", "en"}), "en") == "zh-Hans"
    assert other(frozenset({"zh-Hans", "en"}), "fr") is None
