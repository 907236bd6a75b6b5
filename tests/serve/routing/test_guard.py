"""What a cell may lose against no drafter."""

import random

import pytest

from serve.routing.estimate import Estimate
from serve.routing.guard import PROMISED, WINDOW, Guard

BODY = Estimate("body", 1.0, 3.6, 0.0001, 0.0001, 0.0, drafts=False)
ANSWERS = 200.0


def drafter(mean: float, variance: float = 0.0001) -> Estimate:
    return Estimate("mtp", 2.0, mean, variance, variance, 9.0)


def spoiled(times: int, lost: float) -> Guard:
    guard = Guard()
    for _ in range(times):
        guard.count(200.0, lost)
    return guard


def test_lets_a_slower_drafter_be_tried_while_nothing_was_lost() -> None:
    assert Guard().barred([BODY, drafter(3.3)], ANSWERS) == []


def test_bars_a_slower_drafter_once_too_much_was_lost() -> None:
    """A hundredth of a window's 200 answers is two of them."""
    assert spoiled(1, 2.0 * 200).barred([BODY, drafter(3.3)], ANSWERS) == [1]


def test_bars_one_so_slow_that_a_single_answer_would_lose_what_may_be_lost() -> None:
    assert Guard().barred([BODY, drafter(2.6)], ANSWERS) == [1]
    assert Guard().barred([BODY, drafter(-700.0)], ANSWERS) == [1]


def test_a_drafter_that_is_faster_for_sure_is_never_barred() -> None:
    guard = spoiled(50, 60.0)
    assert guard.barred([BODY, drafter(3.8)], ANSWERS) == []
    assert guard.barred([BODY, drafter(3.61, 0.04)], ANSWERS) == [1]


def test_what_a_drafter_gained_may_be_lost_again() -> None:
    guard = spoiled(100, -20.0)
    guard.count(200.0, 1500.0)
    assert guard.barred([BODY, drafter(3.3)], ANSWERS) == []


def test_forgets_what_lies_before_its_window() -> None:
    guard = spoiled(1, 5000.0)
    for _ in range(WINDOW):
        guard.count(200.0, 0.0)
    assert (guard.lost, guard.tokens, len(guard.seen)) == (0.0, 200.0 * WINDOW, WINDOW)


def test_without_a_lane_that_drafts_nothing_there_is_nothing_to_hold_against() -> None:
    assert spoiled(10, 9000.0).barred([drafter(3.0), drafter(2.0)], ANSWERS) == []


@pytest.mark.parametrize("mean", [3.5, 3.3, 3.0])
def test_keeps_its_promise_against_a_policy_that_always_wants_the_slower_lane(mean: float) -> None:
    """Answers of one length, so that nothing but the guard decides."""
    guard, rng = Guard(), random.Random(1)
    slower = 2.718281828 ** (3.6 - mean) - 1
    losses = []
    for _ in range(2000):
        taken = not guard.barred([BODY, drafter(mean)], ANSWERS)
        losses.append(200.0 * slower * taken)
        guard.count(200.0, losses[-1] * rng.uniform(0.9, 1.1) if taken else 0.0)
    worst = max(sum(losses[at : at + WINDOW]) for at in range(len(losses) - WINDOW))
    assert 0 < worst <= PROMISED * WINDOW * 200.0
