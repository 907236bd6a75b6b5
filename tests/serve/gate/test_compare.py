"""Where greedy answers differ, what counts as a tie, and how many ties are too many."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.gate.compare import RULES, Compared, Difference, Dtype, Rule, first_difference, gap, tally

TOKENS = st.lists(st.integers(0, 5), max_size=12)
RULE = Rule(epsilon=0.25, ties_per_token=0.01)


def tie(tokens: int = 50) -> Compared:
    return Compared("en 1", tokens, Difference(tokens, 1, 2, 0.2))


@pytest.mark.parametrize(
    ("lane", "body", "expected"),
    [
        pytest.param([1, 2, 3], [1, 2, 3], None, id="equal"),
        pytest.param([1, 9, 3], [1, 2, 3], Difference(1, 9, 2), id="another token"),
        pytest.param([1, 2], [1, 2, 3], Difference(2, None, 3), id="ends early"),
        pytest.param([1, 2, 3], [1, 2], Difference(2, 3, None), id="goes on"),
        pytest.param([], [], None, id="nothing"),
    ],
)
def test_finds_the_first_difference(lane: list[int], body: list[int], expected: Difference | None) -> None:
    assert first_difference(lane, body) == expected


@given(TOKENS, TOKENS)
def test_answers_are_equal_up_to_the_first_difference_and_not_beyond(lane: list[int], body: list[int]) -> None:
    found = first_difference(lane, body)
    if found is None:
        assert lane == body
    else:
        assert lane[: found.position] == body[: found.position]
        assert lane[: found.position + 1] != body[: found.position + 1]


@pytest.mark.parametrize(
    ("lane_token", "body_token", "expected"),
    [
        pytest.param(7, 8, 0.1, id="best and second"),
        pytest.param(8, 7, 0.1, id="second and best"),
        pytest.param(8, 9, 2.0, id="neither is the best"),
        pytest.param(4, 7, math.inf, id="one isn't listed"),
        pytest.param(None, 7, math.inf, id="the lane's answer had ended"),
    ],
)
def test_a_gap_is_how_far_the_worse_token_lies_behind_the_best(
    lane_token: int | None, body_token: int | None, expected: float
) -> None:
    logprobs = {7: -0.5, 8: -0.6, 9: -2.5}
    assert gap(Difference(3, lane_token, body_token), logprobs) == pytest.approx(expected)


def test_nothing_is_a_tie_where_the_body_names_no_token() -> None:
    assert gap(Difference(3, 7, 8), {}) == math.inf


def test_equal_answers_pass() -> None:
    found = tally([Compared("en 1", 100), Compared("ru 2", 50)], RULE)
    assert (found.passed, found.answers, found.tokens, found.ties, found.wrong) == (True, 2, 150, 0, 0)


def test_a_tie_passes_and_is_counted() -> None:
    found = tally([tie(), Compared("en 2", 100)], RULE)
    assert (found.passed, found.ties, found.wrong, found.worst) == (True, 1, 0, None)


def test_more_ties_than_the_rule_allows_fail() -> None:
    assert tally([tie()] * 2 + [Compared("en 2", 100)], RULE).passed
    assert not tally([tie()] * 3 + [Compared("en 2", 50)], RULE).passed


def test_one_wrong_token_fails_whatever_else_is_equal_and_the_worst_is_named() -> None:
    near, far = (Compared("en 1", 5, Difference(5, 1, 2, distance)) for distance in (0.3, 9.0))
    found = tally([Compared("ru 2", 100_000), near, far], RULE)
    assert (found.passed, found.wrong, found.worst) == (False, 2, far)


def test_answers_without_a_single_token_prove_nothing() -> None:
    assert not tally([Compared("en 1", 0)], RULE).passed
    assert not tally([], RULE).passed


def test_a_narrower_type_is_given_more_room() -> None:
    by_width = [RULES[dtype] for dtype in (Dtype.FLOAT32, Dtype.FLOAT16, Dtype.BFLOAT16)]
    assert set(RULES) == set(Dtype)
    assert by_width == sorted(by_width, key=lambda rule: (rule.epsilon, rule.ties_per_token))


@given(st.lists(st.floats(0, 1), max_size=20), st.integers(1, 200))
def test_every_difference_is_a_tie_or_wrong(gaps: list[float], tokens: int) -> None:
    found = tally([Compared("en 1", tokens, Difference(tokens, 1, 2, distance)) for distance in gaps], RULE)
    assert found.ties + found.wrong == len(gaps)
    assert found.passed <= (found.wrong == 0)
