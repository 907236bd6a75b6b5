"""Whether a language's name orders the answer to be in it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing import directive, order
from serve.routing.cell import classify
from serve.routing.wording import wording
from tests.serve.routing.labelled import model

NAMING = Path(__file__).parents[2] / "data" / "requests" / "naming.jsonl"


def decisions(text: str) -> list[bool]:
    return [order.orders(mention) for mention in directive.mentions(wording(text))]


@pytest.mark.parametrize(
    ("text", "decided"),
    [
        ("Explain what osmosis is in Hindi, my uncle wants to read it.", [True]),
        ("Explain the dative in German.", [False]),
        ("Write a German poem.", [True]),
        ("Write about a German bakery.", [False]),
        ("My landlord only speaks Polish, so write it in Polish.", [False, True]),
        ("Antworte auf Deutsch, auch wenn der Nutzer auf Englisch schreibt.", [True, False]),
        ("Ответь на английском, пожалуйста.", [True]),
        ("Мне пришло письмо на английском, что делать?", [False]),
        ("Napíš krátku báseň o mori, celá odpoveď musí byť v nemčine.", [True]),
        ("Rédige une fiche sur les marées. Toute ta réponse doit être en coréen, sans autre langue.", [True]),
        ("She sells nine Spanish tiles a day. How many in a week?", [False]),
    ],
)
def test_an_order_is_told_from_talk_about_a_language(text: str, decided: list[bool]) -> None:
    assert decisions(text) == decided


def test_words_never_seen_are_judged_by_their_kinds() -> None:
    """Neither noun is in the training data: what decides is the verb, the preposition and the sentence's shape."""
    assert decisions("Explain zorblification in Georgian.") == [True]
    assert decisions("Why is zorblification so common in Georgian?") == [False]


def test_on_messages_that_name_a_language_nearly_all_are_right() -> None:
    """None of them is trained on; `tests/data/requests/README.md` has the first run, and what has changed since."""
    requests = [json.loads(line) for line in NAMING.read_text(encoding="utf-8").splitlines()]
    wrong = [r for r in requests if classify(r["payload"], "chat", model()).language != r["language"]]
    assert len(wrong) <= 1, wrong


def test_no_held_out_message_is_trained_on() -> None:
    trained = Path(order.__file__).parents[2] / "training" / "orders" / "mentions.tsv"
    known = {line.split("\t")[2].replace("[", "").replace("]", "") for line in trained.read_text("utf-8").splitlines()}
    requests = [json.loads(line) for line in NAMING.read_text(encoding="utf-8").splitlines()]
    assert known.isdisjoint({r["payload"]["messages"][-1]["content"].lower() for r in requests})


@pytest.mark.parametrize(
    ("word", "kinds"),
    [("answering", "A"), ("translate", "T"), ("in", "P"), ("zorb", "-"), (",", ","), ("grammar", "W")],
)
def test_a_word_is_known_by_its_beginning(word: str, kinds: str) -> None:
    assert order.kinds(word) == kinds


@given(before=st.text(max_size=300), after=st.text(max_size=300))
def test_any_text_has_a_bounded_number_of_features(before: str, after: str) -> None:
    for mention in directive.mentions(wording(f"{before} german {after}")):
        assert order.BIAS in order.features(mention)
        assert len(order.features(mention)) < 300
