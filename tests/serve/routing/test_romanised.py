"""Hindi and Bengali in Latin letters, beside the languages whose words look like theirs."""

import pytest

from serve.routing import language as languages
from serve.routing.romanised import language
from tests.serve.routing.labelled import model


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Mujhe ek achha sa birthday message likhna hai, please help karo", "hi"),
        ("office se leave lene ke liye ek email likh do boss ko", "hi"),
        ("laptop slow hai, RAM badhana chahiye kya?", "hi"),
        ("tum kaun ho", "hi"),
        ("amar phone ta slow hoye geche, ekhon ki korbo?", "bn"),
        ("tumi kemon acho", "bn"),
    ],
)
def test_what_is_typed_as_it_is_spoken_has_a_language(text: str, tag: str) -> None:
    assert language(text) == tag


@pytest.mark.parametrize(
    "text",
    [
        "what does kya kar rahe ho mean in english",
        "Explain the plot of Kuch Kuch Hota Hai",
        "is bhai the right word for brother in Hindi?",
        "gaya hidup sehat itu bagaimana ya",
        "kumain ka na ba? ako hindi pa",
        "hai visto la partita ieri sera?",
        "quiero tomar un cafe y amar la vida",
        "jag vill ha mera information om kursen",
        "Wie viele Kalorien hat eine Banane und was steht auf der Karte",
        "",
    ],
)
def test_words_of_other_languages_that_look_the_same_make_none(text: str) -> None:
    assert language(text) is None


def test_terms_of_english_are_not_what_counts() -> None:
    assert languages.language_of("UPSC ki taiyari ke liye best coaching konsa hai", model()) == "hi"


def test_a_film_is_no_reason_to_leave_english() -> None:
    assert languages.language_of("Explain the plot of Kuch Kuch Hota Hai", model()) == "en"
