"""What may be lost by trying lanes."""

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
    assert spend_all(budget, EN) > 6
    assert 0 < spend_all(budget, ZH) < 0.5
    assert spend_all(budget, EN) < 0.011


def test_over_200_requests_of_a_cell_loses_at_most_two_percent_of_their_time() -> None:
    """Once the common part is spent, which it is in a router's first hour."""
    budget = Budget(0.01)
    spend_all(budget, EN)
    for _ in range(10_000):
        budget.earn(ZH)
    assert sum(spend_all(budget, ZH) for _ in range(200)) <= 0.02 * 200


def test_a_change_renews_a_little_of_what_is_common() -> None:
    budget = Budget(0.01)
    spend_all(budget, EN)
    budget.renew()
    assert 2 <= spend_all(budget, EN) < 2.1


def test_a_share_of_nothing_tries_nothing() -> None:
    assert Budget(0.0).earn(EN) == 0.0
