"""The forms that names of languages take, and which of them mean "in" the language by themselves."""

import pytest

from serve.routing.inflection import HAN_NAMES, HANGUL_NAMES, HEADED_NAMES, NAMES, OTHER_NAMES, Name
from serve.routing.language import LANGUAGES


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("angolul", Name("en", adverb=True)),
        ("magyarra", Name("hu", adverb=True)),
        ("englanniksi", Name("en", adverb=True)),
        ("anglicky", Name("en", adverb=True)),
        ("angielsku", Name("en", adverb=False)),
        ("englische", Name("en", adverb=False)),
        ("английском", Name("en", adverb=False)),
        ("inglise", Name("en", adverb=True, noun=True)),
    ],
)
def test_forms_are_indexed(form: str, name: Name) -> None:
    assert NAMES[form] == name


@pytest.mark.parametrize("word", ["china", "lets", "estonia", "angle", "turku"])
def test_countries_and_everyday_words_are_no_names(word: str) -> None:
    assert word not in NAMES


def test_every_name_is_of_a_known_language() -> None:
    tags = {name.tag for name in NAMES.values()} | set(HAN_NAMES.values()) | set(HANGUL_NAMES.values())
    for names in (*HEADED_NAMES.values(), *OTHER_NAMES.values()):
        tags |= set(names.values())
    assert tags <= set(LANGUAGES)
