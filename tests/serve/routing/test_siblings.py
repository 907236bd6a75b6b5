"""How languages that a model confuses are told apart."""

import pytest

from serve.routing import siblings
from serve.routing.language import LANGUAGES, language_of
from serve.routing.siblings import are_alike
from tests.serve.routing.labelled import model


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ako sa mám pripraviť na pohovor, keď je celý v zahraničí?", "sk"),
        ("Jak se mám připravit na pohovor, když je celý v zahraničí?", "cs"),
        ("Podseti me da zalijem cveće sutra ujutru.", "sr"),
        ("Podsjeti me da zalijem cvijeće sutra ujutro.", "hr"),
        ("Kje je najbližja lekarna in kdaj se zapre?", "sl"),
        ("Hva skal jeg gjøre når nøkkelen ikke passer?", "no"),
        ("Hvad skal jeg gøre når nøglen ikke passer?", "da"),
        ("Andke mõned nõuanded väikese köögi jaoks", "et"),
        ("Anna vinkkejä pieneen keittiöön, kiitos", "fi"),
        ("Fai unha lista coas cousas da cociña", "gl"),
        ("Faz uma lista com as coisas da cozinha", "pt"),
    ],
)
def test_siblings_are_told_by_what_only_one_of_them_has(text: str, language: str) -> None:
    assert language_of(text, model()) == language


@pytest.mark.parametrize("guess", sorted(siblings.FAMILY))
def test_without_a_mark_the_guess_stands(guess: str) -> None:
    assert siblings.told("Zzz 42!", guess) == guess


def test_families_are_languages_and_every_one_has_marks() -> None:
    assert set(siblings.FAMILY) <= set(LANGUAGES)
    assert set(siblings.FAMILY) >= siblings.EQUAL | siblings.LARGE
    assert all(tag in family for tag, family in siblings.FAMILY.items())


def test_a_guess_split_between_siblings_is_a_sure_one() -> None:
    """Neither alone has the probability from which a guess is taken."""
    split = [("hr", 0.45), ("sr", 0.44), ("en", 0.1)]
    assert language_of("brzq plmk vrtn", lambda _: split) == "hr"
    assert language_of("brzq plmk vrtn", lambda _: [("hr", 0.45), ("lt", 0.44), ("en", 0.1)]) == "und"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [("da", "no", True), ("es", "ca", True), ("da", "da", False), ("en", "no", False), ("xx", "yy", False)],
)
def test_languages_of_one_family_are_alike(one: str, other: str, alike: bool) -> None:
    assert are_alike(one, other) is alike
