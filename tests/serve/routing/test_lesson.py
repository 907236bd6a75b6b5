"""What a request teaches, and what teaches nothing."""

from typing import Any

import pytest

from serve.routing.cell import Cell
from serve.routing.lesson import Lesson, lesson
from serve.routing.outcome import Acceptance, Outcome
from serve.routing.policy import Candidate, Decision

OUTCOME = Outcome(
    request_id="x",
    endpoint="chat",
    cell=Cell("en", "prose", "chat", False),
    decision=Decision("mtp", "measured", (Candidate("mtp"),)),
    drafted=True,
    streamed=True,
    status=200,
    end="complete",
    duration=3.0,
    generation_time=2.0,
    prompt_tokens=100,
    completion_tokens=101,
    acceptance=Acceptance(40, 160, 60, (30, 20, 8, 2)),
)


def test_takes_length_and_step_time_off_a_drafted_request() -> None:
    taught = lesson(OUTCOME, 3.5)
    assert isinstance(taught, Lesson)
    assert (taught.lane, taught.steps, taught.batch, taught.context) == ("mtp", 40, 3.5, 150.5)
    assert taught.acceptance_length == pytest.approx(2.5)
    assert taught.acceptance_length / taught.step_time == pytest.approx(100 / 2.0)


def test_the_body_gives_a_token_a_step() -> None:
    taught = lesson(OUTCOME._replace(drafted=False, acceptance=None), 1)
    assert isinstance(taught, Lesson)
    assert (taught.acceptance_length, taught.step_time, taught.steps) == (1.0, 0.02, 100)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"end": "aborted"}, "unfinished", id="the client left"),
        pytest.param({"end": "failed"}, "unfinished", id="the engine broke"),
        pytest.param({"end": "refused"}, "unfinished", id="the engine refused"),
        pytest.param({"end": "rejected", "decision": None}, "unfinished", id="the router refused"),
        pytest.param({"cell": None}, "unfinished", id="nothing was generated"),
        pytest.param({"shortened": True}, "shortened", id="a lane that was told to draft fewer tokens"),
        pytest.param({"acceptance": None}, "unmeasured", id="no acceptance: several choices, or metrics off"),
        pytest.param({"acceptance": Acceptance(0, 0, 0, ())}, "unmeasured", id="no step"),
        pytest.param({"generation_time": None}, "unmeasured", id="the engine gives no times"),
        pytest.param({"generation_time": 0.0}, "unmeasured", id="no time passed"),
        pytest.param({"completion_tokens": None}, "unmeasured", id="no usage"),
        pytest.param({"completion_tokens": 4, "acceptance": Acceptance(3, 9, 0, (0,))}, "short", id="three steps"),
        pytest.param({"completion_tokens": 1, "drafted": False, "acceptance": None}, "short", id="one token"),
    ],
)
def test_leaves_out(change: dict[str, Any], why: str) -> None:
    assert lesson(OUTCOME._replace(**change), 1) == why
