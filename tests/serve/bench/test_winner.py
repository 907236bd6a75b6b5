"""Which lane won, and whether that is more than luck."""

import random

import pytest

from serve.bench.measure import Sample
from serve.bench.prompts import Prompt
from serve.bench.winner import rivalries, text


def answers(rates: dict[str, list[float]], task: str = "*") -> list[Sample]:
    """One answer of 100 tokens after the first to each of several prompts, at these rates."""
    return [
        Sample(Prompt("en", f"prompt {number}", task), lane, 101, 100 / rate, None)
        for lane, each in rates.items()
        for number, rate in enumerate(each)
    ]


def test_a_lane_that_is_faster_on_every_prompt_wins() -> None:
    (found,) = rivalries(
        answers({"body": [40, 41, 39] * 2, "mtp": [60, 62, 61] * 2, "eagle3": [20] * 6}), random.Random(1)
    )
    assert (found.first, found.second, found.decided) == ("mtp", "body", True)
    assert found.gain == pytest.approx((300 / (100 / 60 + 100 / 62 + 100 / 61)) / (300 / (2.5 + 100 / 41 + 100 / 39)))
    assert found.low <= found.gain <= found.high
    assert text([found]).startswith("en: mtp wins, 1.53 (")


def test_a_lane_that_is_faster_on_some_prompts_alone_hasnt_won() -> None:
    (found,) = rivalries(answers({"body": [40] * 6, "mtp": [60, 20, 55, 22, 70, 45]}, "code"), random.Random(1))
    assert not found.decided
    assert text([found]).startswith(f"en, code: no winner; {found.first} has ")


def test_only_prompts_that_every_lane_answered_count() -> None:
    samples = answers({"body": [40, 40], "mtp": [50, 50]})
    samples.append(Sample(Prompt("en", "easy"), "body", 101, 0.1, None))
    samples.append(Sample(Prompt("en", "easy"), "mtp", 101, 0.01, None, repeats=True))
    (found,) = rivalries(samples, random.Random(1))
    assert found.first == "mtp"
    assert found.gain == pytest.approx(1.25)


def test_few_prompts_dont_make_a_winner_however_often_they_are_asked() -> None:
    (found,) = rivalries(answers({"body": [40, 41], "mtp": [60, 62]}) * 10, random.Random(1))
    assert (found.prompts, found.decided) == (2, False)
    assert found.low > 1
    assert text([found]).endswith("times body's rate; too few prompts (2 of 5)")


def test_rounds_make_it_no_surer() -> None:
    """What a lane does with a prompt it does in every round."""
    samples = answers({"body": [40] * 6, "mtp": [60, 30, 55, 32, 70, 45]})
    once, often = (rivalries(asked, random.Random(1))[0] for asked in (samples, samples * 20))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_one_lane_has_no_rival() -> None:
    assert rivalries(answers({"body": [40, 40]}), random.Random(1)) == []


def test_a_prompt_for_each_language_and_task_decides_over_several() -> None:
    samples = [
        Sample(Prompt(language, f"{task} in {language}", task), lane, 101, 100 / rate, None)
        for language in ("en", "de", "fr", "es", "it")
        for task, mtp in (("code", 70), ("json", 25))
        for lane, rate in (("body", 40), ("mtp", mtp))
    ]
    found = {(each.language, each.task): each for each in rivalries(samples, random.Random(1))}
    assert not any(found[language, "code"].decided for language in ("en", "de", "fr", "es", "it"))
    assert (found["*", "code"].first, found["*", "code"].decided) == ("mtp", True)
    assert (found["*", "json"].first, found["*", "json"].decided) == ("body", True)
    assert text([found["*", "code"]]).startswith("any language, code: mtp wins, 1.75 (1.75 to 1.75) times body's rate")
    assert found["en", "*"].prompts == 2
    assert len(found) == 5 * 2 + 2 + 5
