"""Letters and endings that rule Cyrillic languages out, by values."""

import pytest

from serve.routing.cyrillic import CYRILLIC, possible


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("ћу", {"sr"}, id="one letter that one language has"),
        pytest.param("њега", {"sr", "mk"}, id="a letter that two have"),
        pytest.param("ґанок, її", {"uk"}, id="two letters of one"),
        pytest.param("ўсё", {"be"}, id="Belarusian alone"),
        pytest.param("қалай", {"kk"}, id="Kazakh alone"),
        pytest.param("это", {"ru", "be", "kk", "mn"}, id="a letter that the southern ones lack"),
    ],
)
def test_whoever_lacks_a_letter_is_out(text: str, left: set[str]) -> None:
    assert possible(text, 0, {}) == left


def test_the_soft_sign_before_another_letter_than_o_is_not_bulgarian() -> None:
    assert "bg" in possible("шофьор", 0, {})
    assert "bg" not in possible("пальто", 0, {})


def test_a_long_text_without_the_ukrainian_i_is_not_ukrainian() -> None:
    text = "Сколько стоят билеты на поезд до соседнего города"
    assert {"uk", "be"}.isdisjoint(possible(text, 40, {}))


def test_a_letter_of_a_name_does_not_undo_what_an_earlier_letter_ruled_out() -> None:
    assert possible("ћ ў", 0, {}) == {"sr"}


def test_without_a_letter_nothing_is_ruled_out() -> None:
    assert possible("", 0, {}) == CYRILLIC
