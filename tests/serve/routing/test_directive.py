"""Which language an instruction asks for, if any."""

import pytest

from serve.routing.directive import target, translates


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Answer in German.", "de"),
        ("Antworte auf Deutsch, nicht auf Englisch.", "de"),
        ("Please don't answer in German.", None),
        ("Translate from German to French: in Spanish", "fr"),
        ("How do you say it in Japanese?", None),
        ("Can you say it in Japanese?", "ja"),
        ("You speak English, German and French fluently.", None),
        ("Reply in the user's language, for instance in German.", None),
        ("Always write in English, no matter what language the user uses.", "en"),
        ("请用英文回答", "en"),
        ("用英文怎么说", None),
        ("英語で答えて", "en"),
        ("英語で何と言いますか", None),
        ("영어로 답해줘", "en"),
        ("영어로 뭐라고 해?", None),
        ("in traditional Chinese", "zh-Hant"),
        ("İngilizce yaz", "en"),
        ("", None),
    ],
)
def test_target_of_an_instruction(text: str, language: str | None) -> None:
    assert target(text) == language


@pytest.mark.parametrize(
    ("text", "asked"),
    [("Translate this", True), ("把它翻译一下", True), ("日本語に訳して", True), ("Explain this", False), ("", False)],
)
def test_translation_is_recognised(text: str, asked: bool) -> None:
    assert translates(text) is asked
