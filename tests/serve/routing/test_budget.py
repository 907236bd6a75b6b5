"""What may be lost by trying lanes."""

import pytest

from serve.routing.budget import Budget
from serve.routing.cell import Cell

EN, ZH = (Cell(language, "prose", "chat", False) for language in ("en", "zh-Hans"))


def spend_all(budget: Budget, cell: Cell) -> float:
    """Spend all that a cell may; gives how much that was."""
    left = budget.earn(cell)
    budget.spend(cell, left)
    return left


def test_begins_with_what_all_cells_have_together() -> None:
    budget = Budget(0.01)
    assert spend_all(budget, EN) == pytest.approx(5, abs=0.01)
    assert spend_all(budget, ZH) == pytest.approx(0.01)


def test_requests_earn_half_for_their_cell_and_half_for_all() -> None:
    budget = Budget(0.01)
    spend_all(budget, EN)
    for _ in range(100):
        budget.earn(EN)
    assert budget.earn(ZH) == pytest.approx(0.005 + 101 * 0.005)


def test_loses_no_more_than_its_share_in_the_long_run() -> None:
    budget = Budget(0.01)
    spent = sum(spend_all(budget, cell) for _ in range(5_000) for cell in (EN, ZH))
    assert spent == pytest.approx(5 + 0.01 * 10_000, rel=0.01)


def test_what_is_saved_is_bounded() -> None:
    budget = Budget(0.01)
    for _ in range(10_000):
        budget.earn(ZH)
    assert spend_all(budget, ZH) == pytest.approx(7)


def test_a_change_renews_a_little_of_what_is_common() -> None:
    budget = Budget(0.01)
    spend_all(budget, EN)
    budget.renew()
    assert spend_all(budget, EN) == pytest.approx(2.01, abs=0.01)


def test_a_share_of_nothing_tries_nothing() -> None:
    assert Budget(0.0).earn(EN) == 0.0


def test_counts_requests_that_a_lesson_would_have_been_one_for() -> None:
    budget = Budget(0.01)
    for cell in (EN, EN, EN._replace(task="code"), ZH):
        budget.earn(cell)
    assert budget.alike(EN) == pytest.approx(2 + 0.25 * 3 + 0.05 * 4)
    assert budget.alike(ZH) == pytest.approx(1 + 0.25 * 1 + 0.05 * 4)
