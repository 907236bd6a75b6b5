"""The test of homogeneity against published values, its false alarms and its power by simulation."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.gate.distribution import ALPHA, POWER, chi_squared_tail, detectable, homogeneity, pooled

DRAWS = st.lists(st.integers(0, 6), min_size=1, max_size=80)


@pytest.mark.parametrize(
    ("value", "freedom", "tail"),
    [
        (3.841, 1, 0.05),
        (5.991, 2, 0.05),
        (11.345, 3, 0.01),
        (18.307, 10, 0.05),
        (29.588, 10, 0.001),
        (43.773, 30, 0.05),
    ],
)
def test_agrees_with_the_published_table_of_chi_squared(value: float, freedom: int, tail: float) -> None:
    """NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4."""
    assert chi_squared_tail(value, freedom) == pytest.approx(tail, rel=2e-3)


def test_a_worked_example() -> None:
    """Cells of 60 and 40, 40 and 60: two tokens, (20**2 / 100) * 2 = 8, one degree of freedom, p = 0.00468."""
    found = homogeneity([1] * 60 + [2] * 40, [1] * 40 + [2] * 60)
    assert (found.draws, found.freedom) == (100, 1)
    assert found.p_value == pytest.approx(0.004678, rel=1e-3)


@given(DRAWS, st.randoms(use_true_random=False))
def test_the_order_of_draws_and_of_engines_does_not_matter(draws: list[int], order: random.Random) -> None:
    other = [token % 3 for token in draws]
    shuffled = draws[:]
    order.shuffle(shuffled)
    assert homogeneity(draws, other) == homogeneity(other, shuffled)


@given(DRAWS)
def test_equal_draws_are_as_likely_as_can_be(draws: list[int]) -> None:
    assert homogeneity(draws, draws).p_value == pytest.approx(1.0)


@given(DRAWS, DRAWS)
def test_pooling_loses_no_draw_and_leaves_no_small_cell_beside_others(one: list[int], other: list[int]) -> None:
    cells = pooled(Counter(one), Counter(other))
    assert (sum(a for a, _ in cells), sum(b for _, b in cells)) == (len(one), len(other))
    assert len(cells) == 1 or all(a + b >= 10 for a, b in cells)


def test_a_certain_token_has_no_freedom_to_differ() -> None:
    assert homogeneity([7] * 100, [7] * 99 + [8]).freedom == 0


def test_unequally_many_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="equally many"):
        homogeneity([1], [1, 2])


def test_more_draws_detect_less_and_more_comparisons_need_more() -> None:
    few, many = detectable(200, 8, 1e-4), detectable(2000, 8, 1e-4)
    assert many == pytest.approx(few / 10**0.5)
    assert detectable(200, 8, 1e-6) > few


def draw(rng: random.Random, weights: Sequence[float], count: int) -> list[int]:
    return rng.choices(range(len(weights)), weights, k=count)


def test_equal_engines_are_seldom_told_apart() -> None:
    """At a level of 0.02, 2,000 pairs give 40; four standard errors more are 65."""
    rng, weights = random.Random(1), [40, 25, 10, 8, 5, 4, 3, 2, 1, 1, 1]
    pairs = (homogeneity(draw(rng, weights, 200), draw(rng, weights, 200)) for _ in range(2000))
    assert 0 < sum(pair.p_value < 0.02 for pair in pairs) < 65


@pytest.mark.parametrize("shape", ["spread", "one token"])
def test_what_is_said_to_be_detected_is(shape: str) -> None:
    """A deviation of the stated size, over all tokens or from one to another, is seen in nine of ten trials or more."""
    rng, draws, level = random.Random(2), 400, ALPHA / 12
    body = [0.4, 0.2, 0.1, 0.1, 0.1, 0.1]
    size = detectable(draws, len(body) - 1, level)
    if shape == "spread":
        lane = [p * (1 - size / 0.6) for p in body[:2]] + [p + size / 4 for p in body[2:]]
    else:
        lane = [body[0] - size, body[1] + size, *body[2:]]
    assert sum(abs(p - q) for p, q in zip(body, lane, strict=True)) / 2 == pytest.approx(size)
    trials = 300
    seen = sum(homogeneity(draw(rng, body, draws), draw(rng, lane, draws)).p_value < level for _ in range(trials))
    assert seen / trials > POWER - 4 * (POWER * (1 - POWER) / trials) ** 0.5
