"""How often each position's draft is accepted."""

import pytest

from serve.routing.positions import Positions


def test_adds_up_and_ages() -> None:
    seen = Positions().plus(10, (8, 4), 0.0, 100.0).plus(10, (2, 0), 100.0, 100.0)
    assert seen.steps == pytest.approx(15)
    assert seen.shares == pytest.approx((6 / 15, 2 / 15))


def test_a_drafter_that_drafts_more_than_before_has_more_positions() -> None:
    assert Positions().plus(4, (4,), 0.0, 1e9).plus(4, (4, 2), 0.0, 1e9).shares == pytest.approx((1.0, 0.25))


def test_nothing_seen_says_nothing() -> None:
    assert Positions().shares == ()
