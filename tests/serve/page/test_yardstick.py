"""How one answer compares with no drafter: found when it ends, and the same for ever."""

from serve.page.view import View
from serve.page.yardstick import MOST, NEAR, Against
from serve.routing.policy import Decision
from tests.serve.page.test_view import LANES, Clock, outcome


def last(view: View) -> Against:
    seen = view.request(view.count)
    assert seen
    return seen.against


def test_an_answer_is_compared_with_those_without_a_drafter_before_it_and_stays_so() -> None:
    clock = Clock()
    view = View(LANES, clock)
    for rate in (40.0, 60.0):
        view.observe(outcome("body", decode_rate=rate))
        clock.now += 10
    view.observe(outcome("mtp", decode_rate=75.0))
    assert last(view) == Against(1.5, 2, 20.0)
    view.observe(outcome("body", decode_rate=500.0))
    third = view.request(3)
    assert third
    assert third.against == Against(1.5, 2, 20.0)


def test_another_language_or_another_hour_says_nothing() -> None:
    clock = Clock()
    view = View(LANES, clock)
    view.observe(outcome("body", "en"))
    view.observe(outcome("mtp", "fr"))
    assert last(view) == Against(None, why="none")
    clock.now += NEAR + 1
    view.observe(outcome("mtp", "en"))
    assert last(view) == Against(None, why="none")
    assert view.yardstick.picked.alone == 2


def test_says_why_nothing_is_compared() -> None:
    view = View(LANES, Clock())
    view.observe(outcome("body"))
    assert last(view).why == "body"
    view.observe(outcome("mtp", decode_rate=None, completion_tokens=1))
    assert last(view).why == "untimed"
    assert view.yardstick.picked.answers == 1


def test_a_forced_lane_is_compared_but_no_gain_of_the_routers() -> None:
    view = View(LANES, Clock())
    view.observe(outcome("body", decision=Decision("body", "forced", ())))
    view.observe(outcome("mtp", decode_rate=100.0, decision=Decision("mtp", "forced", ())))
    assert last(view).times == 2.0
    assert view.yardstick.picked.answers == 0


def test_only_the_last_ones_are_compared_with() -> None:
    view = View(LANES, Clock())
    view.observe(outcome("body", decode_rate=1e6))
    for _ in range(MOST):
        view.observe(outcome("body", decode_rate=50.0))
    view.observe(outcome("mtp", decode_rate=50.0))
    assert last(view) == Against(1.0, MOST, 0.0)
