"""The language of prose by itself."""

import threading

import pytest

from serve.routing.language import BY_SCRIPT, LANGUAGES, MODELLED, language_of
from tests.serve.routing.labelled import model


def test_tags_are_a_closed_set_without_repeats() -> None:
    assert len(set(LANGUAGES)) == len(LANGUAGES) == len(MODELLED) + len(BY_SCRIPT) + 1


@pytest.mark.parametrize("text", ["", " ", "42", "!!!", "🎉", "\ud800\udfff", "x", "\x00" * 50, "1 + 1 = 2"], ids=ascii)
def test_what_is_no_language_is_undetermined(text: str) -> None:
    assert language_of(text, model()) == "und"


def test_an_unsure_model_is_not_taken_for_english() -> None:
    assert language_of("Zxcv qwrt plmn bgtr", lambda _: [("en", 0.49), ("nl", 0.3)]) == "und"


def test_a_model_beside_the_script_is_not_believed() -> None:
    """Cyrillic can't be English, whatever a model says."""
    assert language_of("Щщщ ъъъ", lambda _: [("en", 0.99)]) != "en"


def test_undistinguished_chinese_takes_the_callers_word() -> None:
    assert language_of("好", model()) == "zh-Hans"
    assert language_of("好", model(), chinese="zh-Hant") == "zh-Hant"


@pytest.mark.parametrize(
    "text", ["NAÏVE CAFÉ? WHAT IS THE DIFFERENCE BETWEEN THEM?", "what is the difference between them?"]
)
def test_capitals_make_no_difference(text: str) -> None:
    assert language_of(text, model()) == "en"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Saya nak tahu berapa lama kereta itu rosak", "ms"),
        ("Boleh saya tahu tarikh akhir untuk hantar surat itu?", "ms"),
        ("Saya ingin tahu berapa jauh Malaysia dari Indonesia", "id"),
        ("Berapa macam jenis awan yang ada di langit?", "id"),
    ],
)
def test_malay_needs_a_word_that_indonesian_lacks(text: str, language: str) -> None:
    assert language_of(text, model()) == language


def test_a_soft_sign_before_no_vowel_is_not_bulgarian() -> None:
    assert language_of("добавь текст", lambda _: [("bg", 0.9), ("ru", 0.1)]) != "bg"
    assert language_of("синьото палто", lambda _: [("bg", 0.9), ("ru", 0.1)]) == "bg"


def test_one_model_serves_many_threads() -> None:
    texts = [
        "Wie viele Einwohner hat Hamburg heute?",
        "Combien d'habitants compte Marseille ?",
        "Ilu mieszkańców ma Kraków?",
    ]
    expected = [language_of(text, model()) for text in texts]
    wrong: list[list[str]] = []

    def work() -> None:
        for _ in range(100):
            got = [language_of(text, model()) for text in texts]
            if got != expected:
                wrong.append(got)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("Како да поднесем захтев за нову личну карту преко интернета?", "sr", id="Serbian"),
        pytest.param("Како да поднесам барање за нова лична карта преку интернет?", "mk", id="Macedonian"),
        pytest.param("Как да подам заявление за нова лична карта през интернет?", "bg", id="Bulgarian"),
        pytest.param("Ne razumem ovaj zadatak, objasni mi rešenje", "sr", id="Serbian in Latin letters"),
        pytest.param("Ne razumijem ovaj zadatak, objasni mi rješenje", "hr", id="Croatian"),
        pytest.param("سلام، من امروز کلاس نمیام چون مریض هستم", "fa", id="Persian with Arabic words"),
        pytest.param("من أين تبدأ الرحلة وكم تستغرق؟", "ar", id="Arabic"),
        pytest.param("breakfast?", "en", id="one English word"),
        pytest.param("blorvik?", "und", id="no word"),
        pytest.param("ELI5 inflation", "en", id="English shorthand"),
        pytest.param("ELI5 la inflación", "es", id="English shorthand before Spanish"),
        pytest.param("docker compose con wordpress y mysql", "es", id="small words among terms"),
    ],
)
def test_neighbours_and_borrowed_words_are_told_apart(text: str, language: str) -> None:
    assert language_of(text, model()) == language
