"""Tokens of the last minute: all of an answer's as soon as it ends, and none a minute later."""

from serve.page.minute import LENGTH, Minute
from serve.page.view import View
from tests.serve.page.test_view import LANES, Clock, outcome


def test_an_answer_counts_when_it_ends_and_for_a_minute() -> None:
    clock = Clock()
    view = View(LANES, clock)
    view.observe(outcome(completion_tokens=143, generation_time=200.0))
    assert view.minute.tokens(clock.now) == {"mtp": 143}
    clock.now += LENGTH - 1
    view.observe(outcome("body", completion_tokens=7))
    assert view.minute.tokens(clock.now) == {"mtp": 143, "body": 7}
    clock.now += 1
    assert view.minute.tokens(clock.now) == {"body": 7}


def test_a_clock_that_is_set_back_loses_nothing_and_keeps_no_more() -> None:
    minute = Minute()
    for at in (1000.0, 400.0, 1000.5, 1001.0):
        minute.add("mtp", 10, at)
    assert minute.tokens(1001.0) == {"mtp": 40}
    for second in range(2000, 3000):
        minute.add("mtp", 1, second)
    assert minute.tokens(2999.0) == {"mtp": LENGTH}
