"""The alarm: silent while nothing changes, soon after something does."""

import random

from serve.routing.drift import Sight, Watch


def length(rng: random.Random, shift: float, most: int) -> int:
    """Surprises until the alarm, `most` if none."""
    watch = Watch()
    for number in range(most):
        surprise = rng.gauss(shift, 1)
        watch = watch.after(surprise, Sight(surprise + 3, 3, number))
        if watch.alarm:
            return number + 1
    return most


def test_is_mostly_silent_over_ten_thousand_requests_in_which_nothing_changes() -> None:
    rng = random.Random(5)
    alarms = sum(length(rng, 0.0, 10_000) < 10_000 for _ in range(10))
    assert alarms <= 5


def test_goes_off_within_eight_requests_after_a_shift_by_two_deviations() -> None:
    rng = random.Random(5)
    lengths = [length(rng, sign * 2.0, 100) for sign in (1, -1) for _ in range(200)]
    assert sum(lengths) / len(lengths) < 7
    assert min(lengths) >= 3


def test_one_request_never_sets_it_off() -> None:
    for surprise in (1e9, -1e9):
        assert Watch().after(surprise, Sight(1, 1, 0)).alarm is None


def test_tells_what_was_seen_and_expected_in_the_run_alone() -> None:
    watch = Watch()
    for at in range(50):
        watch = watch.after(0.0, Sight(2.0, 2.0, at))
    for at in range(50, 56):
        watch = watch.after(-2.0, Sight(1.0, 2.0, at))
    run = watch.alarm
    assert run is not None
    assert (run.length, run.seen, run.expected, run.began) == (6, 6.0, 12.0, 50)
