"""What an outcome says of itself."""

import pytest

from serve.routing.cell import Cell
from serve.routing.outcome import Acceptance, End, Outcome
from serve.routing.policy import Decision

MEASURED = Acceptance(num_spec_steps=12, num_draft_tokens=36, num_accepted_draft_tokens=18, accepted_per_pos=(10, 5, 3))


def outcome(*, drafted: bool, end: End, acceptance: Acceptance | None) -> Outcome:
    return Outcome(
        request_id="r",
        endpoint="chat",
        cell=Cell("en", "prose", "chat", thinking=False),
        decision=Decision("mtp", "measured", ()),
        drafted=drafted,
        streamed=True,
        status=200,
        end=end,
        duration=1.0,
        acceptance=acceptance,
    )


def test_acceptance_length_counts_the_bonus_token() -> None:
    assert MEASURED.acceptance_length == 1 + 18 / 12


def test_no_step_has_no_acceptance_length() -> None:
    assert Acceptance(0, 0, 0, ()).acceptance_length is None


@pytest.mark.parametrize(
    ("drafted", "end", "acceptance", "unmeasured"),
    [
        pytest.param(True, "complete", MEASURED, False, id="measured"),
        pytest.param(True, "complete", None, True, id="several choices"),
        pytest.param(True, "aborted", None, True, id="the client left"),
        pytest.param(True, "refused", None, False, id="nothing was generated"),
        pytest.param(True, "failed", None, True, id="the engine broke"),
        pytest.param(False, "complete", None, False, id="the body has nothing to measure"),
    ],
)
def test_only_a_drafter_whose_work_is_unknown_is_unmeasured(
    drafted: bool, end: End, acceptance: Acceptance | None, unmeasured: bool
) -> None:
    assert outcome(drafted=drafted, end=end, acceptance=acceptance).unmeasured is unmeasured
