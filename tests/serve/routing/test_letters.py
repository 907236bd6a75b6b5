"""The model of letter sequences says what py3langid itself says."""

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

from serve.routing import letters
from serve.routing.language import MODELLED, Identify


@pytest.fixture(scope="module")
def model() -> Identify:
    return letters.load(MODELLED)


@pytest.fixture(scope="module")
def library() -> LanguageIdentifier:
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(MODELLED)
    return model


TEXTS = (
    "Where do the herons of the lower river go in winter?",
    "Könnte man die Brücke auch ohne Gerüst streichen?",
    "la la la la la la la la",
    "Сколько лет живут цапли?",
    "Колико година живи чапља у мочвари?",
    "Koliko godina živi čaplja u močvari?",
    "QUEL TEMPS FAIT-IL",
    "hotel bar",
    "چند سال عمر می‌کند؟",
    "e\u0301tait-ce un he\u0301ron\u202f?",
)


@pytest.mark.parametrize("text", TEXTS)
def test_agrees_with_the_library(text: str, model: Identify, library: LanguageIdentifier) -> None:
    found = model(text)
    ranked = dict(library.rank(text))
    assert found[0][0] == max(ranked, key=lambda tag: ranked[tag])
    assert [probability for _, probability in found] == pytest.approx([ranked[tag] for tag, _ in found], abs=1e-4)


def test_one_that_is_certain_comes_alone(model: Identify) -> None:
    assert [tag for tag, _ in model("Where do the herons of the lower river go in winter?")] == ["en"]


def test_candidates_come_likeliest_first(model: Identify) -> None:
    probabilities = [probability for _, probability in model("hotel bar")]
    assert len(probabilities) > 1
    assert probabilities == sorted(probabilities, reverse=True)


@pytest.mark.parametrize("text", ["", "12"])
def test_a_text_without_letters_leaves_every_language_as_likely(text: str, model: Identify) -> None:
    probabilities = [probability for _, probability in model(text)]
    assert probabilities == pytest.approx([1 / 52] * len(probabilities))
