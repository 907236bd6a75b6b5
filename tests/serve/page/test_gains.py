"""Gains against no drafter: what they are compared with, and how sure they are."""

import math
import random
import statistics

import pytest

from serve.page import gains
from serve.page.view import Sums, View
from serve.routing.outcome import Acceptance
from serve.routing.policy import Candidate, Decision, Row
from tests.serve.page.test_view import LANES, Clock, outcome

TABLE = (
    Row("zh", "*", (Candidate("mtp", 2.5, 90.0), Candidate("body", None, 60.0))),
    Row("*", "*", (Candidate("body"), Candidate("mtp"))),
)
FORCED = Decision("body", "forced", ())


def sums(*rates: float, lane: str = "mtp") -> Sums:
    view = View(LANES, Clock())
    for rate in rates:
        view.observe(outcome(lane, decode_rate=rate))
    return view.sums["en", lane]


def test_a_number_has_no_interval_before_the_fifth_answer() -> None:
    assert gains.rate(Sums()) is None
    four, five = (gains.rate(sums(*(45.0, 55.0, 50.0, 50.0, 50.0)[:answers])) for answers in (4, 5))
    assert four == gains.Span(50.0, None, None, 4)
    assert five is not None
    assert five.low is not None
    assert five.high is not None
    assert five.low < 50 < five.high
    assert five.answers == 5


def test_an_interval_never_has_to_be_cut_off_at_nothing() -> None:
    span = gains.rate(sums(1.0, 400.0, 1.0, 1.0, 1.0))
    assert span is not None
    assert span.low is not None
    assert span.low > 0


def test_nine_of_ten_intervals_hold_the_true_gain() -> None:
    rng = random.Random(5)
    held = 0
    for _ in range(600):
        drafted = sums(*(rng.gauss(80, 12) for _ in range(8)))
        body = sums(*(rng.gauss(50, 6) for _ in range(8)), lane="body")
        span = gains.gain(drafted, body, None, None)
        assert span is not None
        assert span.low is not None
        assert span.high is not None
        held += span.low <= 80 / 50 <= span.high
    assert 0.87 <= held / 600 <= 0.97


def test_nine_of_ten_intervals_hold_the_true_acceptance_length() -> None:
    """Answers differ in how well they can be guessed, so that their steps aren't independent of each other."""
    rng, truth, held = random.Random(6), 1 + 2 * 0.5, 0
    for _ in range(600):
        view = View(LANES, Clock())
        for _ in range(12):
            hit, steps = rng.uniform(0.3, 0.7), rng.randint(20, 60)
            accepted = sum(rng.random() < hit for _ in range(2 * steps))
            view.observe(outcome(acceptance=Acceptance(steps, 2 * steps, accepted, (accepted, 0))))
        span = gains.length(view.sums["en", "mtp"])
        assert span is not None
        assert span.low is not None
        assert span.high is not None
        held += span.low <= truth <= span.high
    assert 0.86 <= held / 600 <= 0.95


def test_what_was_measured_and_what_the_table_says_are_never_divided_by_each_other() -> None:
    drafted, body = sums(80.0, 80.0), sums(40.0, 40.0, lane="body")
    listed, bare = Candidate("mtp", 2.0, 90.0), Candidate("body", None, 60.0)
    assert gains.gain(drafted, body, listed, bare) == gains.Span(2.0, answers=2)
    assert gains.gain(drafted, None, listed, bare) == gains.Span(1.5, source="table")
    assert gains.gain(Sums(), body, listed, bare) == gains.Span(1.5, source="table")
    assert gains.gain(drafted, None, None, bare) is None
    assert gains.gain(drafted, None, None, None) is None


def test_the_body_gains_nothing_on_itself() -> None:
    body = sums(40.0, 44.0, lane="body")
    assert gains.gain(body, body, None, Candidate("body", None, 60.0)) == gains.Span(1.0, answers=2)


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


def test_a_language_in_which_all_was_refused_is_no_row() -> None:
    seen = {("fr", "body"): Sums(requests=2, refused=2), ("en", "body"): Sums(requests=3, refused=2)}
    assert gains.languages(seen, TABLE) == ["en", "zh"]


def speedup(view: View) -> gains.Span | None:
    return gains.speedup(view.yardstick, view.sums, LANES, TABLE)


def test_speedup_is_the_time_without_drafter_over_the_time_that_it_took() -> None:
    view = View(LANES, Clock())
    for _ in range(2):
        view.observe(outcome("body", "zh-Hans", decode_rate=60.0, completion_tokens=60, decision=FORCED))
        view.observe(outcome("mtp", "zh-Hans", decode_rate=120.0, completion_tokens=120))
        view.observe(outcome("body", "en", decode_rate=50.0, completion_tokens=50))
    span = speedup(view)
    # 240 tokens of Chinese: 2 s, and 4 s at the 60 a second of those without; 100 of English: 2 s either way
    assert span == gains.Span(1.5, answers=4)
    assert (view.yardstick.picked.bare, view.yardstick.picked.alone) == (2, 0)


def test_speedup_is_the_tables_where_no_drafter_could_be_compared() -> None:
    view = View(LANES, Clock())
    view.observe(outcome("mtp", "zh-Hans", decode_rate=1.0))
    view.observe(outcome("body", "en"))
    assert speedup(view) == gains.Span(1.5, answers=1, source="table")


def test_speedup_is_unknown_without_anything_to_compare_with() -> None:
    view = View(LANES, Clock())
    assert speedup(view) is None
    view.observe(outcome("mtp", "fr"))
    assert speedup(view) is None


def test_nine_of_ten_intervals_hold_the_true_speedup() -> None:
    """Yardsticks of few answers are as uncertain as what is held against them, and one is many answers' yardstick."""
    rng, held = random.Random(7), 0
    for _ in range(300):
        clock = Clock()
        view = View(LANES, clock)
        for _ in range(4):
            clock.now += 5000
            for _ in range(3):
                view.observe(outcome("body", decode_rate=rng.gauss(50, 5), decision=FORCED))
            for _ in range(10):
                view.observe(outcome("mtp", decode_rate=rng.gauss(80, 10), completion_tokens=rng.randint(40, 200)))
        span = speedup(view)
        assert span is not None
        assert span.low is not None
        assert span.high is not None
        held += span.low <= 80 / 50 <= span.high
    assert 0.84 <= held / 300 <= 0.97


def test_the_intervals_reach_is_students() -> None:
    rng = random.Random(3)
    for mean in [statistics.fmean(rng.gauss(10, 1) for _ in range(30)) for _ in range(50)]:
        span = gains.rate(sums(mean - 1, mean - 1, mean, mean + 1, mean + 1))
        assert span is not None
        assert span.high is not None
        assert math.log(span.high / span.value) == pytest.approx(2.13 * 5**-0.5 / mean)


def test_the_tables_rates_stand_beside_measured_ones_only_on_their_scale() -> None:
    listed = {"mtp": Candidate("mtp", 2.5, 90.0), "body": Candidate("body", None, 60.0)}
    bare, drafted = ("zh", "body"), ("zh", "mtp")
    assert gains.scale_of("zh", LANES, {}, listed) == 1.0
    assert gains.rate(Sums(), listed["mtp"]) == gains.Span(90.0, source="table")
    half = gains.scale_of("zh", LANES, {bare: sums(30.0, lane="body")}, listed)
    assert gains.rate(Sums(), listed["mtp"], half) == gains.Span(45.0, source="scaled")
    third = gains.scale_of("zh", LANES, {drafted: sums(30.0)}, listed)
    assert gains.rate(Sums(), listed["body"], third) == gains.Span(20.0, source="scaled")
    both = {bare: sums(30.0, lane="body"), drafted: sums(30.0)}
    assert gains.scale_of("zh", LANES[::-1], both, listed) == 0.5  # the one without a drafter says it
    unknown = gains.scale_of("zh", LANES, {drafted: sums(30.0)}, {"mtp": Candidate("mtp"), "body": listed["body"]})
    assert unknown is None
    assert gains.rate(Sums(), listed["body"], unknown) is None
