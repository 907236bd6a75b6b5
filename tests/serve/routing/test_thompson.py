"""The draw among lanes that aren't known for sure."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.estimate import Estimate
from serve.routing.thompson import DEAREST, PROBED, Apart, likely_best, pick


def option(lane: str, mean: float, variance: float, *, drafts: bool = True) -> Estimate:
    return Estimate(lane, 1.0, mean, variance, variance, 0.0, drafts)


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


def shares(options: list[Estimate], allowance: float = 9.0, alike: float = 1e6) -> dict[str, float]:
    """The share of every lane, over draws spread evenly."""
    draws = [pick(options, allowance, alike, (index + 0.5) / 4000).lane for index in range(4000)]
    return {one.lane: draws.count(one.lane) / 4000 for one in options}


def test_takes_the_best_nearly_always_where_it_is_sure() -> None:
    taken = shares([BODY, FAST, SLOW])
    assert taken["mtp"] > 0.997


def test_probes_every_lane_at_the_same_price() -> None:
    """One that costs a tenth of a request's time ten times as often as one that costs a whole one, within bounds."""
    for behind, often in ((0.0953, PROBED / 0.1), (0.6931, PROBED), (0.001, 0.02)):
        option_behind = option("eagle3", 3.9 - behind, 1e-9)
        picked = pick([option("mtp", 3.9, 1e-9), option_behind], 9.0, 0.0, 0.5)
        assert picked.shares[1] == pytest.approx(often, rel=0.01)


def test_tries_a_lane_once_it_pays_for_itself_over_as_many_requests_as_there_were() -> None:
    """Half a request's time is lost; a tenth as likely to be the best as not, it gains a hundredth a request."""
    better = option("eagle3", 3.5, 0.1)
    few, some, many = (shares([FAST, better], alike=alike)["eagle3"] for alike in (1, 10, 1000))
    assert few < some < many
    assert many == pytest.approx(likely_best([FAST, better])[1], abs=0.002)


def test_takes_no_lane_that_is_barred_whatever_it_may_bring() -> None:
    for draw in (0.0, 0.5, 0.999):
        picked = pick([BODY, FAST, VAGUE], 9.0, 100.0, draw, Apart(barred=[1, 2]))
        assert (picked.lane, picked.best, picked.shares) == ("body", "body", (1.0, 0.0, 0.0))
    with pytest.raises(ValueError):
        pick([FAST], 9.0, 100.0, 0.5, Apart(barred=[0]))


def test_tries_a_lane_that_may_have_become_another_as_often_as_can_be_afforded() -> None:
    doubted = Apart(doubted=[2])
    for allowance, share in ((9.0, 0.25), (0.1, 0.0)):
        picked = pick([BODY, FAST, SLOW], allowance, 100.0, 0.5, doubted)
        assert picked.best == "mtp"
        assert picked.shares[2] == pytest.approx(share, abs=0.001)


def test_takes_two_unsure_lanes_as_often_as_each_is_the_better() -> None:
    likely = likely_best([FAST, VAGUE])
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
    for share, won in zip(likely_best(options), wins, strict=True):
        assert share == pytest.approx(won / 20_000, abs=0.1)


def test_without_an_allowance_takes_the_best() -> None:
    assert shares([BODY, FAST, VAGUE], 0.0)["mtp"] == 1.0


def test_tries_no_lane_that_costs_more_than_is_allowed() -> None:
    """The slow lane takes twice the time of the fast one: it costs a request, and the body a third of one."""
    shares_of = pick([BODY, FAST, SLOW], 0.5, 100.0, 0.5).shares
    assert shares_of[2] == 0.0
    assert shares_of[0] > 0.0


def test_a_lane_whose_rate_may_lie_far_above_its_mean_is_likelier_to_be_the_best() -> None:
    skewed = Estimate("eagle3", 1.2, 3.3, 0.01, 0.25, 0.0)
    assert likely_best([FAST, skewed])[1] > 3 * likely_best([FAST, option("eagle3", 3.3, 0.01)])[1]


def test_prices_a_try_by_the_time_that_it_loses() -> None:
    picked = pick([BODY, FAST, SLOW], 9.0, 100.0, 0.9999)
    assert (picked.lane, picked.best) == ("eagle3", "mtp")
    assert picked.cost == pytest.approx(2.71828**0.7 - 1, abs=0.001)
    assert pick([BODY, option("mtp", 3.600001, 0.001)], 9.0, 100.0, 0.999).cost >= 0


@given(OPTIONS, st.floats(0, 5), st.floats(0, 1, exclude_max=True))
def test_what_it_says_of_a_draw_is_sound(options: list[Estimate], allowance: float, draw: float) -> None:
    picked = pick(options, allowance, 50.0, draw)
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
    number = 200
    picks = [pick(options, allowance, 50.0, (index + 0.5) / number) for index in range(number)]
    for picked in {picked.lane: picked for picked in picks}.values():
        hit = sum(other.lane == picked.lane for other in picks) / number
        assert hit == pytest.approx(picked.propensity, abs=2 / number)


def test_needs_an_option() -> None:
    with pytest.raises(ValueError):
        pick([], 1.0, 1.0, 0.5)
