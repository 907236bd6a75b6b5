"""A text as the rules read it."""

import pytest

from serve.routing.wording import wording


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Write it in C++, not in C#.", ["write", "it", "in", "c++", "not", "in", "c#"]),
        ("German+English", ["german", "english"]),
        ("İngilizce yaz", ["ingilizce", "yaz"]),
        ("gpt_4 + 2", ["gpt"]),
        ("", []),
    ],
)
def test_words_are_letters_and_what_makes_a_language_of_c(text: str, words: list[str]) -> None:
    assert wording(text).words == words


def test_reads_a_bounded_beginning() -> None:
    assert len(wording("a " * 10_000).words) == 600
