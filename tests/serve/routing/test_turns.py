"""How an answer's language corrects what its conversation's next turn is taken for."""

from serve.routing.cell import Cell
from serve.routing.turns import Turns

EN = Cell("en", "prose", "chat", False)


def test_a_turn_that_is_taken_for_the_same_again_is_corrected() -> None:
    turns = Turns()
    turns.heard(7, "en", "da")
    assert turns.corrected(7, EN) == EN._replace(language="da")
    assert turns.corrected(8, EN) == EN


def test_a_turn_that_is_taken_for_something_else_is_left_alone() -> None:
    turns = Turns()
    turns.heard(7, "en", "da")
    assert turns.corrected(7, EN._replace(language="fr")).language == "fr"


def test_a_correction_that_was_right_stays() -> None:
    turns = Turns()
    turns.heard(7, "en", "da")
    turns.heard(7, "da", "da")
    assert turns.corrected(7, EN).language == "da"


def test_a_correction_that_was_wrong_is_corrected_in_turn() -> None:
    turns = Turns()
    turns.heard(7, "en", "da")
    turns.heard(7, "da", "nb")
    assert turns.corrected(7, EN).language == "nb"
    turns.heard(7, "nb", "en")
    assert turns.corrected(7, EN).language == "en"


def test_an_answer_as_it_was_expected_ends_it() -> None:
    turns = Turns()
    turns.heard(7, "fr", "da")
    turns.heard(7, "en", "en")
    assert turns.corrected(7, EN._replace(language="fr")).language == "fr"


def test_what_cant_be_told_and_the_scripts_of_chinese_correct_nothing() -> None:
    turns = Turns()
    turns.heard(7, "en", "und")
    turns.heard(8, "zh-Hant", "zh-Hans")
    assert len(turns) == 0


def test_forgets_the_oldest_conversations() -> None:
    turns = Turns()
    for conversation in range(5000):
        turns.heard(conversation, "en", "da")
    assert len(turns) == 4096
    assert turns.corrected(0, EN) == EN


def test_a_conversation_that_goes_on_under_another_name_stays_corrected() -> None:
    turns = Turns()
    turns.heard(1, "en", "da")
    turns.followed(1, 2)
    assert turns.corrected(2, EN).language == "da"
    turns.heard(2, "da", "da")  # it was right because it was corrected
    turns.followed(2, 3)
    assert turns.corrected(3, EN).language == "da"
    turns.followed(9, 10)
    assert turns.corrected(10, EN) == EN
