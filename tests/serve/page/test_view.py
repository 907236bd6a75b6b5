"""What the page keeps of requests: sums that equal the metrics', and lists that don't grow."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.page.view import BUCKET, BUCKETS, KEPT, View
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.ledger import Drift
from serve.routing.outcome import Acceptance, Outcome
from serve.routing.policy import Candidate, Decision
from serve.routing.sample import Sample

LANES = (Lane("body", "http://a"), Lane("mtp", "http://b", "mtp", 2))


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def outcome(lane: str = "mtp", language: str = "en", **more: Any) -> Outcome:
    decision = Decision(lane, "measured", (Candidate(lane),))
    drafted = lane != "body"
    whole = Outcome(
        request_id="r",
        endpoint="chat",
        cell=Cell(language, "prose", "chat", False),
        decision=decision,
        drafted=drafted,
        streamed=True,
        status=200,
        end="complete",
        duration=1.0,
        decode_rate=50.0,
        generation_time=1.0,
        prompt_tokens=5,
        completion_tokens=51,
        acceptance=Acceptance(20, 40, 30, (18, 12)) if drafted else None,
    )
    return whole._replace(**more)


def test_counts_by_language_and_lane() -> None:
    view = View(LANES, Clock())
    for each in (outcome(), outcome(decode_rate=100.0), outcome("body"), outcome(language="zh-Hans")):
        view.observe(each)
    sums = view.sums["en", "mtp"]
    assert (sums.requests, sums.tokens, sums.steps, sums.drafted, sums.accepted) == (2, 102, 40, 80, 60)
    assert sums.per_pos == [36, 24]
    assert sums.length == 2.5
    assert sums.rate == 75.0
    assert view.sums["en", "body"].length is None
    assert set(view.sums) == {("en", "mtp"), ("en", "body"), ("zh-Hans", "mtp")}


@given(st.lists(st.floats(1, 1e4), min_size=2, max_size=50))
def test_the_mean_rate_and_its_error_are_what_a_list_of_all_rates_gives(rates: list[float]) -> None:
    view = View(LANES, Clock())
    for rate in rates:
        view.observe(outcome(decode_rate=rate))
    sums = view.sums["en", "mtp"]
    mean = sum(rates) / len(rates)
    variance = sum((rate - mean) ** 2 for rate in rates) / (len(rates) - 1)
    assert sums.rate == pytest.approx(mean)
    assert sums.error == pytest.approx((variance / len(rates)) ** 0.5 / mean, abs=1e-6)


def test_what_had_no_lane_or_generates_nothing_is_left_out() -> None:
    view = View(LANES, Clock())
    view.observe(outcome(decision=None))
    view.observe(outcome(cell=None))
    assert (view.count, view.sums) == (0, {})


def test_forced_lanes_are_counted_but_not_as_chosen() -> None:
    view = View(LANES, Clock())
    view.observe(outcome(decision=Decision("mtp", "forced", ())))
    view.observe(outcome(decision=Decision("mtp", "explored", ())))
    sums = view.sums["en", "mtp"]
    assert (sums.tokens, sums.chosen, sums.chosen_tokens, sums.explored) == (102, 1, 51, 1)


def test_what_ended_early_is_told_apart() -> None:
    view = View(LANES, Clock())
    for end in ("complete", "aborted", "refused", "rejected", "failed"):
        view.observe(outcome(end=end, decode_rate=50.0 if end == "complete" else None))
    sums = view.sums["en", "mtp"]
    assert (sums.requests, sums.timed, sums.refused, sums.aborted, sums.failed) == (5, 1, 2, 1, 1)


def test_keeps_the_last_requests_and_no_more() -> None:
    view = View(LANES, Clock())
    for _ in range(KEPT + 10):
        view.observe(outcome())
    assert [seen.number for seen in view.after(KEPT + 7)] == [KEPT + 8, KEPT + 9, KEPT + 10]
    assert len(list(view.after(0))) == KEPT
    assert view.request(10) is None
    assert view.request(KEPT + 11) is None
    kept = view.request(11)
    assert kept is not None
    assert kept.number == 11
    assert len(view.sums["en", "mtp"].history) < KEPT


def test_tokens_are_spread_over_the_time_in_which_they_were_generated() -> None:
    clock = Clock()
    view = View(LANES, clock)
    clock.now = 1_000_000.0 + 3 * BUCKET - 0.5
    view.observe(outcome(generation_time=3.0 * BUCKET - 1, completion_tokens=30))
    clock.now = 1_000_000.0 + 3 * BUCKET
    speed = [tokens.get("mtp", 0) for _, tokens in view.speed(clock.now)]
    assert speed[-3:] == [10, 10, 10]
    assert sum(speed) == 30


def test_a_long_answer_that_ends_after_a_short_one_loses_nothing() -> None:
    clock = Clock()
    view = View(LANES, clock)
    clock.now += 4 * BUCKET - 0.5
    view.observe(outcome("body", generation_time=1.0, completion_tokens=10))
    view.observe(outcome(generation_time=4.0 * BUCKET - 1, completion_tokens=40))
    speed = [tokens.get("mtp", 0) for _, tokens in view.speed(clock.now + BUCKET)]
    assert speed[-4:] == [10, 10, 10, 10]


def test_the_chart_has_every_bucket_also_those_in_which_nothing_came() -> None:
    clock = Clock()
    view = View(LANES, clock)
    for wait in (1.0, 200.0, 10_000.0, 7.0):
        clock.now += wait
        view.observe(outcome())
    times = [at for at, _ in view.speed(clock.now)]
    assert times == [times[0] + BUCKET * each for each in range(BUCKETS - 1)]


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 5000), st.integers(1, 500)), max_size=60))
def test_no_more_is_kept_than_there_is_room_for_whatever_comes(requests: list[tuple[float, float, int]]) -> None:
    clock = Clock()
    view = View(LANES, clock)
    for wait, seconds, tokens in requests:
        clock.now += wait
        view.observe(outcome(generation_time=seconds, completion_tokens=tokens))
    shown = sum(sum(tokens.values()) for _, tokens in view.speed(clock.now + BUCKET))
    assert shown <= sum(tokens for _, _, tokens in requests) + 1e-6
    assert len(view.speed(clock.now)) == BUCKETS - 1


def test_keeps_nothing_of_an_answer() -> None:
    view = View(LANES, Clock())
    view.observe(outcome(sample=Sample()))
    kept = view.request(1)
    assert kept is not None
    assert kept.outcome.sample is None


def test_keeps_alarms_with_their_time() -> None:
    clock = Clock()
    view = View(LANES, clock)
    for change in range(20):
        view.drift(Drift("mtp", "*", "acceptance", change, 1.5, 2.5, 6, clock.now))
    assert [noticed.drift.change for noticed in view.drifts] == [12, 13, 14, 15, 16, 17, 18, 19]
    assert view.drifts[0].at == clock.now
