"""Weighted moments, by values and by identities."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.moments import Moments

SIGHTS = st.lists(st.tuples(st.floats(1, 8), st.floats(0.1, 1)), min_size=1, max_size=30)


@given(SIGHTS)
def test_are_those_of_all_sights_at_once(sights: list[tuple[float, float]]) -> None:
    moments = Moments()
    for value, weight in sights:
        moments = moments.plus(value, weight)
    total = sum(weight for _, weight in sights)
    mean = sum(value * weight for value, weight in sights) / total
    assert moments.weight == pytest.approx(total)
    assert moments.mean == pytest.approx(mean)
    assert moments.squares == pytest.approx(sum(w * (v - mean) ** 2 for v, w in sights), abs=1e-6)


def test_count_for_half_after_a_half_life() -> None:
    seen = Moments(8.0, 2.5, 4.0, at=100.0).aged(100.0 + 3600, half_life=3600)
    assert seen == Moments(4.0, 2.5, 2.0, at=3700.0)


def test_a_clock_that_went_back_ages_nothing() -> None:
    seen = Moments(8.0, 2.5, 4.0, at=100.0)
    assert seen.aged(50.0, half_life=10) == seen


def test_capping_keeps_mean_and_spread() -> None:
    seen = Moments(8.0, 2.5, 4.0, at=1.0)
    capped = seen.capped(2.0)
    assert (capped.weight, capped.mean, capped.squares) == (2.0, 2.5, 1.0)
    assert seen.capped(9.0) == seen


def test_the_variance_leaves_the_assumption_as_more_is_seen() -> None:
    assert Moments().variance(0.16, 4) == pytest.approx(0.16)
    assert Moments(1e9, 2.0, 1e9).variance(0.16, 4) == pytest.approx(1.0)
    assert math.isclose(Moments(4.0, 2.0, 4.0).variance(0.5, 4), 0.75)
