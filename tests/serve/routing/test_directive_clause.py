"""Orders beside statements of fact, both naming a language."""

import pytest

from serve.routing import directive, directive_clause
from serve.routing.wording import wording


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("Rispondi in italiano, il testo è in inglese perché viene dal produttore.", "it", id="a text"),
        pytest.param("Please answer in German. My neighbour doesn't speak English.", "de", id="a person"),
        pytest.param("Antworte auf Deutsch weil das Handbuch auf Englisch ist.", "de", id="without a comma"),
        pytest.param("用中文回答，原文是用英文写的。", "zh-Hans", id="in Chinese"),
        pytest.param("日本語で答えてください。説明書は英語で書かれています。", "ja", id="in Japanese"),
        pytest.param("설명서가 영어로 쓰여 있어. 한국어로 답해줘.", "ko", id="in Korean, the fact first"),
        pytest.param("Answer in German. No, in English please.", "en", id="an order mended"),
        pytest.param("Answer in German, then write a summary in French.", "fr", id="a second order"),
        pytest.param("I answered her in German but she doesn't speak German.", None, id="facts alone"),
    ],
)
def test_an_order_wins_over_facts_about_languages(text: str, language: str | None) -> None:
    assert directive.target(wording(text)) == language


@pytest.mark.parametrize(
    ("before", "clause"),
    [
        ("my mom only speaks it, write her a note in ", "write her a note in "),
        ("who it is doesn't matter; please reply in ", "please reply in "),
        ("er fragt, wann es kommt, antworte ihm auf ", "antworte ihm auf "),
        ("what do people write in ", "what do people write in "),
    ],
)
def test_own_clause_is_the_one_that_an_order_opens(before: str, clause: str) -> None:
    assert directive_clause.own(before) == clause
