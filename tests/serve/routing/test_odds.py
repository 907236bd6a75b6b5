"""Acceptance lengths as log-odds, and back."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.belief import Belief
from serve.routing.moments import Moments
from serve.routing.odds import in_odds, in_tokens, length, log_odds, sight, slope, spread


def test_half_of_the_drafts_are_even_odds() -> None:
    assert log_odds(3.0, 4) == pytest.approx(0.0)
    assert length(0.0, 4) == pytest.approx(3.0)
    assert slope(3.0, 4) == pytest.approx(1.0)
    assert log_odds(1 + 0.8 * 3, 3) == pytest.approx(math.log(4))


@given(st.integers(1, 16), st.floats(0.02, 0.98))
def test_comes_back_to_where_it_began(drafts: int, share: float) -> None:
    tokens = 1 + share * drafts
    assert length(log_odds(tokens, drafts), drafts) == pytest.approx(tokens)


@given(st.integers(1, 16), st.floats(-100, 100))
def test_never_leaves_what_a_drafter_can_do(drafts: int, tokens: float) -> None:
    assert 1 < length(log_odds(tokens, drafts), drafts) < 1 + drafts


@given(st.floats(-4, 4), st.floats(0.001, 4))
def test_a_belief_stays_within_what_a_drafter_can_do(mean: float, variance: float) -> None:
    belief = in_tokens(Belief(mean, variance), 4)
    assert 1 < belief.tokens < 5
    assert 0 < belief.variance < 4


@pytest.mark.parametrize("mean", [-2.5, 0.0, 1.5])
def test_says_the_mean_and_both_sides_as_draws_have_them(mean: float) -> None:
    rng = random.Random(1)
    drawn = [math.log(length(rng.gauss(mean, 1.0), 4)) for _ in range(40_000)]
    told = in_tokens(Belief(mean, 1.0), 4)
    actual = sum(drawn) / len(drawn)
    assert told.log == pytest.approx(actual, abs=0.02)
    variance = sum((each - actual) ** 2 for each in drawn) / len(drawn)
    assert (told.below + told.above) / 2 == pytest.approx(variance, rel=0.25)


def test_a_drafter_that_is_believed_bad_may_be_better_rather_than_worse() -> None:
    told = in_tokens(Belief(-2.5, 1.5), 4)
    assert told.above > 3 * told.below


def test_a_sight_gets_surer_with_what_was_seen() -> None:
    once, often = (sight(Moments(weight, 2.0, 0.16 * weight), 4) for weight in (1.0, 100.0))
    assert once.mean == often.mean == pytest.approx(log_odds(2.0, 4))
    assert often.variance < once.variance / 50
    assert in_odds(Belief(3.0, 0.25), 4).variance == pytest.approx(0.25)


def test_requests_are_taken_to_differ_less_where_hardly_anything_is_accepted() -> None:
    assert spread(Moments(mean=1.1), 4) < spread(Moments(mean=3.0), 4) / 50 < 0.16
