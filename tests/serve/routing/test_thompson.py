"""The draw among lanes that aren't known for sure."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.estimate import Estimate
from serve.routing.thompson import DEAREST, PROBE, likely_best, pick


def option(lane: str, mean: float, variance: float, *, drafts: bool = True) -> Estimate:
    return Estimate(lane, 1.0, mean, variance, 0.0, drafts)


BODY = option("body", 3.6, 0.001, drafts=False)
FAST = option("mtp", 3.9, 0.001)
SLOW = option("eagle3", 3.2, 0.001)
VAGUE = option("eagle3", 3.8, 0.25)

OPTIONS = st.lists(
    st.builds(
        option, st.text("abc", min_size=1, max_size=3), st.floats(1, 6), st.floats(1e-6, 2), drafts=st.booleans()
    ),
    min_size=1,
    max_size=24,
    unique_by=lambda one: one.lane,
)


def shares(options: list[Estimate], allowance: float = 9.0) -> dict[str, float]:
    """The share of every lane, over draws spread evenly."""
    draws = [pick(options, allowance, (index + 0.5) / 4000).lane for index in range(4000)]
    return {one.lane: draws.count(one.lane) / 4000 for one in options}


def test_takes_the_best_nearly_always_where_it_is_sure() -> None:
    """Probed by how much each costs: a third of a request's time, and a whole one."""
    taken = shares([BODY, FAST, SLOW])
    assert taken["body"] == pytest.approx(PROBE / 2 * 0.15 / 0.35, abs=0.001)
    assert taken["eagle3"] == pytest.approx(PROBE / 2 * 0.3, abs=0.001)
    assert taken["mtp"] == pytest.approx(1 - taken["body"] - taken["eagle3"])


def test_probes_a_lane_more_often_where_it_costs_little() -> None:
    assert shares([FAST, option("eagle3", 3.87, 1e-9)])["eagle3"] > 3 * PROBE
    assert shares([option("mtp", 3.9, 1e-9), option("eagle3", 3.82, 1e-9)])["eagle3"] == pytest.approx(
        PROBE * 0.15 / 0.0833, abs=0.002
    )


def test_takes_no_lane_that_is_barred_whatever_it_may_bring() -> None:
    for draw in (0.0, 0.5, 0.999):
        picked = pick([BODY, FAST, VAGUE], 9.0, draw, barred=[1, 2])
        assert (picked.lane, picked.best, picked.shares) == ("body", "body", (1.0, 0.0, 0.0))
    with pytest.raises(ValueError):
        pick([FAST], 9.0, 0.5, barred=[0])


def test_takes_two_unsure_lanes_as_often_as_each_is_the_better() -> None:
    likely = likely_best([FAST, VAGUE], [True, True])
    rng = random.Random(1)
    wins = sum(rng.gauss(3.9, 0.001**0.5) > rng.gauss(3.8, 0.5) for _ in range(20_000)) / 20_000
    assert likely[0] == pytest.approx(wins, abs=0.01)


def test_of_three_lanes_it_is_near_the_likelihood_of_the_best() -> None:
    options = [BODY, option("mtp", 3.7, 0.04), option("eagle3", 3.5, 0.16)]
    rng = random.Random(2)
    wins = [0, 0, 0]
    for _ in range(20_000):
        draws = [rng.gauss(one.mean, one.variance**0.5) for one in options]
        wins[draws.index(max(draws))] += 1
    for share, won in zip(likely_best(options, [True] * 3), wins, strict=True):
        assert share == pytest.approx(won / 20_000, abs=0.1)


def test_without_an_allowance_takes_the_best() -> None:
    assert shares([BODY, FAST, VAGUE], 0.0)["mtp"] == 1.0


def test_tries_no_lane_that_costs_more_than_is_allowed() -> None:
    """The slow lane takes twice the time of the fast one: it costs a request, and the body a third of one."""
    taken = shares([BODY, FAST, SLOW], 0.5)
    assert taken["eagle3"] == 0.0
    assert taken["body"] == pytest.approx(PROBE / 2 * 0.15 / 0.35, abs=0.001)


def test_takes_a_drafter_below_break_even_only_to_probe_it() -> None:
    """A drafter that loses against the body with more than nine in ten is drawn by no chance of being the best."""
    below = option("eagle3", 3.3, 0.04)
    assert likely_best([BODY, below], [True, True])[1] > 0.05
    assert shares([BODY, below])["eagle3"] == pytest.approx(PROBE * 0.15 / 0.35, abs=0.001)


def test_prices_a_try_by_the_time_that_it_loses() -> None:
    picked = pick([BODY, FAST, SLOW], 9.0, 0.999)
    assert (picked.lane, picked.best) == ("eagle3", "mtp")
    assert picked.cost == pytest.approx(2.71828**0.7 - 1, abs=0.001)
    assert pick([BODY, option("mtp", 3.600001, 0.001)], 9.0, 0.999).cost >= 0


@given(OPTIONS, st.floats(0, 5), st.floats(0, 1, exclude_max=True))
def test_what_it_says_of_a_draw_is_sound(options: list[Estimate], allowance: float, draw: float) -> None:
    picked = pick(options, allowance, draw)
    best = max(options, key=lambda one: one.mean)
    assert 0 < picked.propensity <= 1
    assert sum(picked.shares) == pytest.approx(1.0)
    assert picked.propensity == picked.shares[[one.lane for one in options].index(picked.lane)]
    assert 0 <= picked.cost <= min(max(allowance, 0), DEAREST)
    assert picked.best == best.lane
    assert picked.lane == best.lane or picked.cost > 0


@given(OPTIONS, st.floats(0, 5))
def test_propensities_are_the_lengths_of_what_is_drawn_from(options: list[Estimate], allowance: float) -> None:
    """The lanes that even draws hit, each with the propensity that it is said to have."""
    number = 500
    picks = [pick(options, allowance, (index + 0.5) / number) for index in range(number)]
    for picked in {picked.lane: picked for picked in picks}.values():
        hit = sum(other.lane == picked.lane for other in picks) / number
        assert hit == pytest.approx(picked.propensity, abs=2 / number)


def test_needs_an_option() -> None:
    with pytest.raises(ValueError):
        pick([], 1.0, 0.5)
