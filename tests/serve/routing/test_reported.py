"""Programs' messages that nothing quotes, inside somebody's own words."""

import pytest

from serve.routing import reported
from tests.serve.routing.labelled import model


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param(
            "fout in c#: Cannot implicitly convert type string to int hoe los ik dit op", "nl", id="both ends"
        ),
        pytest.param("mi dice Failed to start, result exit-code", "it", id="its beginning"),
        pytest.param("Uncaught SyntaxError: Unexpected end of JSON input sửa sao", "vi", id="its end"),
        pytest.param("error in c#: Object reference not set what to do", "und", id="English ends"),
        pytest.param(
            "I was given this query, what is it for and can i delete it", "und", id="English that is Italian too"
        ),
        pytest.param("", "und", id="nothing"),
    ],
)
def test_the_ends_of_a_short_question_tell_its_language(text: str, language: str) -> None:
    assert reported.language_around(text, model()) == language


def test_a_long_text_is_left_alone() -> None:
    assert reported.language_around("mi dice Failed to start. " * 20, model()) == "und"


def test_an_end_without_an_english_word_may_be_another_language() -> None:
    assert reported.foreign_ends("me sale Error establishing a database connection")
    assert not reported.foreign_ends("still says the port is in use")
