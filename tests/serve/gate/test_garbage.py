"""Loops, replacement characters and control characters; what the body does itself is no fault of a lane."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.gate.garbage import EXCESS, Shares, Text, excess, looped, shares

SHARES = st.builds(Shares, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param(list(range(200)), 0, id="no repetition"),
        pytest.param([7] * 15, 0, id="a short rule of dashes"),
        pytest.param([7] * 16, 16, id="one token over and over"),
        pytest.param([1, 2, 3, *[4, 5, 6, 7, 8] * 4, 9], 20, id="a block said four times"),
        pytest.param([4, 5, 6, 7, 8] * 3, 0, id="a block said three times"),
        pytest.param([*[4, 5, 6, 7, 8] * 5, 4, 5], 27, id="a block cut off"),
        pytest.param(list(range(33)) * 4, 0, id="a whole paragraph again"),
        pytest.param([*[7] * 20, 1, *[8] * 30], 30, id="the longer of two"),
    ],
)
def test_counts_the_tokens_of_the_longest_loop(tokens: list[int], expected: int) -> None:
    assert looped(tokens) == expected


@given(st.lists(st.integers(0, 3), max_size=60))
def test_a_loop_is_never_longer_than_the_answer(tokens: list[int]) -> None:
    assert 0 <= looped(tokens) <= len(tokens)


def test_shares_are_pooled_over_answers() -> None:
    found = shares([Text([7] * 20, "ab\ufffdd"), Text(list(range(20)), "e\x08gh\tj")])
    assert found == Shares(looped=0.5, replaced=0.1, unprintable=0.1)


def test_a_character_that_the_limit_cut_in_two_is_no_garbage() -> None:
    assert shares([Text([1], "天\ufffd")]).replaced == 0


@pytest.mark.parametrize("text", ["plain\n\ttext\r\n", "天空，为什么？", "Почему — «небо»?", "👩‍🚀 é नमस्ते"])
def test_what_people_write_is_printable(text: str) -> None:
    assert shares([Text([1], text)]).unprintable == 0


def test_no_answer_has_no_garbage() -> None:
    assert shares([]) == Shares(0, 0, 0)


@given(SHARES, SHARES)
def test_only_what_a_lane_has_more_of_counts(lane: Shares, body: Shares) -> None:
    found = excess(lane, body)
    assert list(found) == list(EXCESS)
    assert all(0 <= more <= getattr(lane, name) for name, more in found.items())
    assert not any(excess(body, body).values())
