"""Orders to correct or rewrite a text."""

import pytest

from serve.routing.editing import edits
from serve.routing.wording import wording


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        pytest.param("Polish my letter: dear sir", True, id="polish"),
        pytest.param("Reply in Polish please. The letter is in German.", False, id="Polish"),
        pytest.param("Mach den Text bitte kürzer", True, id="a verb and how"),
        pytest.param("把这段话润色一下", True, id="Chinese"),
        pytest.param("این متن را رسمی‌تر کن", True, id="Persian"),
        pytest.param("What is a correspondent?", False, id="a word that begins alike"),
    ],
)
def test_an_order_to_edit_is_known(text: str, edit: bool) -> None:
    assert edits(wording(text)) is edit
