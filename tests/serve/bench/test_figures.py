"""Numbers of lanes: pooled over prompts that every lane answered soundly, with intervals, and winners beyond doubt."""

import random
from statistics import NormalDist

import numpy as np
import pytest

from serve.bench.figures import Figure, Rivalry, figures, lengths, rivalry
from serve.bench.plan import Setting, Way
from serve.bench.pools import Pool, interval, paired, pools
from serve.bench.prompts import Prompt
from serve.bench.sample import Sample
from tests.serve.bench.made import RAW, accepted, answers, sample


def only(samples: list[Sample]) -> Pool:
    (pool,) = pools(samples)
    return pool


def by_lane(samples: list[Sample]) -> dict[str, Figure]:
    return {figure.way.name: figure for figure in figures(only(samples), 0)}


def first_two(samples: list[Sample]) -> Rivalry:
    found = rivalry(only(samples), 0)
    assert found
    return found


def test_rates_are_tokens_over_seconds_not_means_of_rates() -> None:
    found = by_lane(answers({"body": [40, 40], "mtp": [50, 100]}))
    assert found["body"].rate.value == pytest.approx(40)
    assert found["mtp"].rate.value == pytest.approx(200 / 3)
    assert found["mtp"].gain is not None
    assert found["mtp"].gain.value == pytest.approx(200 / 120)
    assert found["body"].gain is None or found["mtp"].acceptance_length is None


def test_engines_that_report_no_acceptance_dont_make_a_drafter_the_body() -> None:
    found = by_lane(answers({"eagle3": [50], "body": [40], "mtp": [60]}))
    assert [found[lane].gain is None for lane in ("body", "eagle3", "mtp")] == [True, False, False]
    assert all(each.gain is None for each in by_lane(answers({"plain": [50], "mtp": [60]})).values())


def test_steps_are_pooled_and_the_bonus_token_counts() -> None:
    samples = answers({"body": [40, 40]})
    samples.append(sample("mtp", 50, "en * 0", acceptance=accepted(50, 30, 20)))
    samples.append(sample("mtp", 50, "en * 1", acceptance=accepted(50, 10, 0)))
    found = by_lane(samples)["mtp"]
    assert found.acceptance_length == pytest.approx(1.6)
    assert found.per_position == pytest.approx((0.4, 0.2))
    assert (found.draft_tokens, found.answers, found.prompts) == (2, 2, 2)
    assert by_lane(samples)["body"].draft_tokens == 0


def test_positions_end_where_the_lane_stopped_drafting() -> None:
    """An engine reports as many positions as its longest lane has, and an answer's last step may draft fewer."""
    samples = answers({"body": [40]})
    samples.append(sample("mtp", 50, "en * 0", drafts=2, acceptance=accepted(100, 60, 30, 0, 0, drafts=2)))
    found = by_lane(samples)["mtp n=2"]
    assert (found.draft_tokens, found.per_position) == (2, (0.6, 0.3))


def test_a_prompt_counts_where_every_lane_answered_it_soundly() -> None:
    samples = answers({"body": [40, 40], "mtp": [50, 50]})
    samples += [sample("body", 500, "easy"), sample("mtp", 5000, "easy", fault="repeating")]
    samples += [sample("body", 500, "alone")]
    assert len(paired(samples)) == 4
    assert by_lane(samples)["mtp"].rate.value == pytest.approx(50)
    assert by_lane(samples)["body"].rate.value == pytest.approx(40)


def test_of_a_prompt_that_was_asked_twice_the_round_counts_that_is_whole() -> None:
    samples = [sample("body", 40), sample("mtp", 50), sample("body", 40, turn=1)]
    samples.append(sample("mtp", 9999, turn=1, fault="garbled"))
    assert by_lane(samples)["mtp"].answers == 1


def test_settings_are_never_mixed() -> None:
    samples = (
        answers({"body": [40]})
        + answers({"body": [80]}, setting=RAW)
        + answers({"body": [9]}, setting=Setting("chat", 4))
    )
    assert [round(figures(pool, 0)[0].rate.value) for pool in pools(samples)] == [40, 9, 80]


def test_languages_and_tasks_are_pooled_where_there_are_several() -> None:
    samples = [
        each
        for language in ("de", "en")
        for task in ("code", "json")
        for each in answers({"body": [40], "mtp": [50]}, language, task)
    ]
    assert [(pool.language, pool.task, pool.prompts) for pool in pools(samples)] == [
        *(("de", "code", 1), ("de", "json", 1), ("de", "*", 2)),
        *(("en", "code", 1), ("en", "json", 1), ("en", "*", 2)),
        *(("*", "code", 2), ("*", "json", 2), ("*", "*", 4)),
    ]
    assert [(pool.language, pool.task) for pool in pools(answers({"body": [40]}))] == [("en", "*")]


def test_a_lane_that_is_faster_on_every_prompt_wins() -> None:
    found = first_two(answers({"body": [40, 41, 39] * 2, "mtp": [60, 62, 61] * 2, "eagle3": [20] * 6}))
    assert (found.first, found.second, found.decided, found.why) == (Way("mtp"), Way("body"), True, "")
    assert found.gain.value == pytest.approx((1 / 40 + 1 / 41 + 1 / 39) / (1 / 60 + 1 / 62 + 1 / 61))
    assert found.gain.low <= found.gain.value <= found.gain.high


def test_a_lane_that_is_faster_on_some_prompts_alone_hasnt_won() -> None:
    found = first_two(answers({"body": [40] * 6, "mtp": [60, 20, 55, 22, 70, 45]}))
    assert (found.decided, found.why) == (False, "too close to tell")


def test_few_prompts_dont_make_a_winner_however_often_they_are_asked() -> None:
    samples = [
        sample(lane, rate, f"prompt {number}", turn=turn)
        for turn in range(10)
        for lane, rate in (("body", 40), ("mtp", 60))
        for number in range(2)
    ]
    found = first_two(samples)
    assert found.gain.low > 1
    assert (found.prompts, found.decided, found.why) == (2, False, "too few prompts (2 of 5)")


def test_rounds_make_it_no_surer() -> None:
    """What a lane does with a prompt it does in every round."""
    rates = {"body": [40.0] * 6, "mtp": [60.0, 30.0, 55.0, 32.0, 70.0, 45.0]}
    often = [
        sample(lane, rate, f"prompt {number}", turn=turn)
        for turn in range(20)
        for lane, each in rates.items()
        for number, rate in enumerate(each)
    ]
    once, again = (first_two(samples).gain for samples in ([each for each in often if each.turn == 0], often))
    assert (again.low, again.high) == pytest.approx((once.low, once.high))


def test_one_lane_has_no_rival_and_draft_lengths_are_rivals_of_their_own() -> None:
    assert rivalry(only(answers({"body": [40, 40]})), 0) is None
    prompts = [Prompt("en", f"prompt {number}") for number in range(6)]
    samples = [sample("body", 40, each) for each in prompts]
    samples += [sample("mtp", 50, each, acceptance=accepted(9, 5, 3, 1)) for each in prompts]
    samples += [sample("mtp", 70, each, drafts=1, acceptance=accepted(9, 5)) for each in prompts]
    found = rivalry(only(samples), 0)
    assert found is not None
    assert (found.first, found.second) == (Way("mtp"), Way("body"))
    assert [(each.first, each.second, each.decided) for each in lengths(only(samples), 0)] == [
        (Way("mtp", 1), Way("mtp"), True)
    ]


def test_an_interval_holds_the_truth_in_about_nineteen_of_twenty() -> None:
    """Prompts whose true mean of seconds is known; 60 of them a time, 100 times."""
    held = 0
    for seed in range(100):
        rng = random.Random(seed)
        seconds = [rng.gammavariate(8, 0.25) for _ in range(60)]
        samples = [sample("body", 100 / each, f"prompt {number}") for number, each in enumerate(seconds)]
        (found,) = figures(only(samples), seed)
        held += found.rate.low <= 50 <= found.rate.high
    assert 88 <= held <= 99


@pytest.mark.parametrize("prompts", [5, 20])
def test_equal_lanes_are_hardly_ever_told_apart(prompts: int) -> None:
    """Where prompts differ more than lanes do, and however few they are; 5 in 100 are to be expected."""
    won = 0
    for seed in range(200):
        rng = random.Random(seed)
        easy = [rng.lognormvariate(0, 0.2) for _ in range(prompts)]
        rates = {lane: [40 * each * rng.lognormvariate(0, 0.15) for each in easy] for lane in ("body", "mtp")}
        won += first_two(answers(rates)).decided
    assert won <= 20


def test_intervals_of_few_prompts_are_wider_by_students_quantile() -> None:
    drawn = np.linspace(0, 1, 100_001)
    (few, _), (many, _), one = (interval(drawn, prompts) for prompts in (5, 10_000, 1))
    assert many == pytest.approx(0.025, abs=1e-4)
    assert few == pytest.approx(NormalDist().cdf(-2.776 * (5 / 4) ** 0.5), abs=4e-5), (
        "2.776 is Student's with 4 degrees"
    )
    assert one == (0, 1)
