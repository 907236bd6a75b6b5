"""Gains against no drafter: what they are compared with, and how sure they are."""

import random
import statistics

import pytest

from serve.page import gains
from serve.page.view import Sums, View
from serve.routing.policy import Candidate, Row
from tests.serve.page.test_view import LANES, Clock, outcome

TABLE = (
    Row("zh", "*", (Candidate("mtp", 2.5, 90.0), Candidate("body", None, 60.0))),
    Row("*", "*", (Candidate("body"), Candidate("mtp"))),
)


def sums(*rates: float, lane: str = "mtp") -> Sums:
    view = View(LANES, Clock())
    for rate in rates:
        view.observe(outcome(lane, decode_rate=rate))
    return view.sums["en", lane]


def test_a_rate_has_no_interval_before_the_second_request() -> None:
    assert gains.rate(Sums()) is None
    assert gains.rate(sums(50.0)) == gains.Span(50.0, None, None)
    two = gains.rate(sums(49.0, 51.0))
    assert two is not None
    assert two.value == 50.0
    assert two.low == pytest.approx(50 - 6.31)
    assert two.high == pytest.approx(50 + 6.31)


def test_nine_of_ten_intervals_hold_the_true_gain() -> None:
    rng = random.Random(5)
    held = 0
    for _ in range(600):
        drafted = sums(*(rng.gauss(80, 12) for _ in range(8)))
        body = sums(*(rng.gauss(50, 6) for _ in range(8)), lane="body")
        span = gains.gain(drafted, body, None)
        assert span is not None
        assert span.low is not None
        assert span.high is not None
        held += span.low <= 80 / 50 <= span.high
    assert 0.87 <= held / 600 <= 0.97


def test_compares_with_the_body_as_measured_here_before_the_table() -> None:
    drafted, body = sums(80.0, 80.0), sums(40.0, 40.0, lane="body")
    assert gains.gain(drafted, body, 60.0) == gains.Span(2.0, 2.0, 2.0, "measured")
    listed = gains.gain(drafted, None, 50.0)
    assert listed is not None
    assert (listed.value, listed.source) == (1.6, "table")
    assert gains.gain(drafted, None, None) is None
    assert gains.gain(Sums(), body, 60.0) is None


def test_the_body_gains_nothing_on_itself() -> None:
    body = sums(40.0, 44.0, lane="body")
    assert gains.gain(body, body, 60.0) == gains.Span(1.0, None, None)


def test_a_row_for_any_language_says_nothing_of_one() -> None:
    assert set(gains.tabled("zh-Hans", TABLE)) == {"mtp", "body"}
    assert gains.tabled("fr", TABLE) == {}


def test_a_row_for_one_task_says_nothing_of_the_language() -> None:
    code = Row("fr", "code", (Candidate("mtp", 3.5, 120.0), Candidate("body", None, 60.0)))
    other = Row("*", "*", (Candidate("body", None, 40.0), Candidate("mtp", 2.0, 50.0)))
    assert gains.tabled("fr", (code, other)) == {}
    assert gains.tabled("fr", (code, Row("fr", "*", (Candidate("body", None, 61.0),)), other)).keys() == {"body"}


def test_languages_are_listed_by_requests_then_what_the_table_has_beside() -> None:
    seen = {("fr", "body"): Sums(requests=1), ("en", "body"): Sums(requests=3), ("en", "mtp"): Sums(requests=1)}
    assert gains.languages(seen, TABLE) == ["en", "fr", "zh"]
    assert gains.languages({("zh-Hans", "mtp"): Sums(requests=1)}, TABLE) == ["zh-Hans"]


def test_speedup_is_the_time_without_drafter_over_the_time_that_it_took() -> None:
    view = View(LANES, Clock())
    for _ in range(2):
        view.observe(outcome("mtp", "zh-Hans", decode_rate=120.0, completion_tokens=120))
        view.observe(outcome("body", "en", decode_rate=50.0, completion_tokens=50))
    span = gains.speedup(view.sums, LANES, TABLE)
    assert span is not None
    # 240 tokens of Chinese: 2 s, and 4 s at the table's 60 a second; 100 of English: 2 s either way
    assert span.value == pytest.approx(6 / 4)
    assert span.source == "table"


def test_speedup_is_unknown_without_anything_to_compare_with() -> None:
    view = View(LANES, Clock())
    view.observe(outcome("mtp", "fr"))
    assert gains.speedup(view.sums, LANES, TABLE) is None
    assert gains.speedup({}, LANES, TABLE) is None


def test_the_intervals_reach_is_students() -> None:
    rng = random.Random(3)
    means = [statistics.fmean(rates) for rates in ([rng.gauss(10, 1) for _ in range(30)] for _ in range(50))]
    for mean in means:
        span = gains.rate(sums(mean - 1, mean, mean + 1))
        assert span is not None
        assert span.high is not None
        assert span.high - span.value == pytest.approx(2.92 / 3**0.5)
