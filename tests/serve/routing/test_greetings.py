"""What a greeting or the opening of a short question gives away."""

import pytest

from serve.routing.greetings import greeting, opening
from serve.routing.language import LANGUAGES, language_of
from tests.serve.routing.labelled import model


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("hey", "en"),
        ("Moin!", "de"),
        ("¡Hola!", "es"),
        ("привет", "ru"),
        ("dzień dobry", "pl"),
        ("hey you there", None),
    ],
)
def test_greeting_alone_has_a_language(text: str, language: str | None) -> None:
    assert greeting(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is Weltschmerz?", "en"),
        ("¿Qué es el brunch?", "es"),
        ("Was ist Onboarding?", "de"),
        ("Weltschmerz", None),
        ("What is it that makes the sea salty?", None),
    ],
)
def test_short_question_is_in_the_language_it_opens_in(text: str, language: str | None) -> None:
    assert opening(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("wann läuft what we do in the shadows", "de"),
        ("Quand sort the last of us", "fr"),
        ("aggiungi walking on the moon", "it"),
        ("what we do in the shadows", "en"),
    ],
)
def test_a_title_does_not_make_a_question_english(text: str, language: str) -> None:
    assert language_of(text, model()) == language


@pytest.mark.parametrize("text", ["hey", "What is Weltschmerz?"])
def test_both_go_before_the_model(text: str) -> None:
    assert language_of(text, lambda _: [("sv", 0.99)]) == language_of(text, model()) in LANGUAGES
