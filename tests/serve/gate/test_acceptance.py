"""The floor of acceptance: from the measured table where it has a figure, by default elsewhere."""

import pytest

from serve.gate.acceptance import DEFAULT_FLOOR, pool, reach
from serve.routing.outcome import Acceptance


def steps(count: int, accepted: int) -> Acceptance:
    return Acceptance(count, 3 * count, accepted, ())


def test_half_of_the_measured_gain_must_come_out_in_the_lanes_own_language() -> None:
    promised = {"en": 3.0, "ru": 1.02}
    assert reach({"en": steps(100, 100), "ru": steps(100, 2)}, promised).passed
    below = reach({"en": steps(100, 99), "ru": steps(100, 300)}, promised)
    assert (below.passed, below.floor, below.acceptance_length, below.kind) == (False, 2.0, 1.99, "en")


def test_of_several_kinds_with_the_same_promise_the_best_counts() -> None:
    found = reach({"en": steps(10, 20), "json": steps(10, 1)}, {"en": 3.0, "json": 3.0})
    assert (found.kind, found.passed) == ("en", True)


@pytest.mark.parametrize(("accepted", "passes"), [(30, True), (29, False)])
def test_without_a_figure_the_best_kind_must_reach_the_default(accepted: int, passes: bool) -> None:
    found = reach({"en": steps(100, 3), "ru": steps(100, accepted)}, {})
    assert (found.floor, found.measured, found.kind, found.passed) == (DEFAULT_FLOOR, None, "ru", passes)


@pytest.mark.parametrize("accepted", [{}, {"en": steps(0, 0)}], ids=["no report", "no step"])
def test_a_lane_whose_acceptance_is_unknown_fails(accepted: dict[str, Acceptance]) -> None:
    found = reach(accepted, {"en": 3.0})
    assert (found.acceptance_length, found.passed) == (None, False)


def test_pooling_adds_up() -> None:
    assert pool(steps(10, 5), steps(30, 7)) == steps(40, 12)
