"""Raw completions beside chat, and the warning where a raw number is made of circles."""

import pytest

from serve.bench.raw import compare, warnings
from serve.bench.sample import Sample
from tests.serve.bench.made import RAW, accepted, answers, sample


def raw_answers(lane: str, sound: int, circling: int) -> list[Sample]:
    """Sound ones at 50 tokens a second, and those in circles at 100."""
    made = [sample(lane, 50, f"en * {number}", setting=RAW) for number in range(sound)]
    return made + [
        sample(lane, 100, f"en * {sound + number}", setting=RAW, fault="repeating", acceptance=accepted(25, 25, 25, 25))
        for number in range(circling)
    ]


def test_a_raw_number_that_circles_made_is_called_inflated() -> None:
    (found,) = compare(answers({"mtp": [45] * 4}) + raw_answers("mtp", 2, 2))
    assert [found.chat, found.sound] == pytest.approx([45, 50])
    assert found.circles == 0.5
    assert found.raw == pytest.approx(400 / (2 * 2 + 2 * 1))
    assert found.raw_length == pytest.approx(4)
    assert found.inflated
    (said,) = warnings([found])
    assert said == (
        "raw completions, mtp: 67 tok/s is inflated by degenerate output, for 50% of the answers went round in "
        "circles; without them it is 50; in chat it is 45"
    )


def test_where_all_went_in_circles_chat_alone_is_left() -> None:
    (found,) = compare(answers({"mtp": [45] * 4}) + raw_answers("mtp", 0, 4))
    assert found.sound is None
    assert found.inflated
    assert warnings([found])[0].endswith("100% of the answers went round in circles; in chat it is 45")


def test_one_sound_answer_excuses_nothing() -> None:
    lucky = [sample("mtp", 120, "en * 9", setting=RAW)]
    assert compare(answers({"mtp": [45] * 4}) + raw_answers("mtp", 0, 4) + lucky)[0].inflated


@pytest.mark.parametrize(
    ("lane", "samples"),
    [
        ("sound", answers({"mtp": [45] * 4}) + raw_answers("mtp", 4, 0)),
        ("no faster for it", answers({"mtp": [100] * 4}) + raw_answers("mtp", 0, 4)),
        ("chat goes in circles too", [sample("mtp", 45, fault="repeating"), *raw_answers("mtp", 0, 1)]),
    ],
)
def test_what_owes_nothing_to_circles_isnt(lane: str, samples: list[Sample]) -> None:
    (found,) = compare(samples)
    assert not found.inflated
    assert warnings([found]) == []


def test_without_raw_completions_there_is_nothing_to_compare() -> None:
    assert compare(answers({"mtp": [45]})) == []
