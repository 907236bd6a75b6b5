"""What the page is told of single requests: a line each, and on a click the numbers that a lane was chosen from."""

from typing import Any

from serve.page.dialect import expected, rounded
from serve.page.view import Seen
from serve.page.yardstick import Against
from serve.routing.lane import engine_name
from serve.routing.policy import Decision


def line(seen: Seen) -> dict[str, Any]:
    """Describe one request in a line: never what was asked or answered."""
    outcome = seen.outcome
    assert outcome.cell
    assert outcome.decision
    return {
        "number": seen.number,
        "request_id": outcome.request_id,
        "at": seen.at,
        "language": outcome.cell.language,
        "task": outcome.cell.task,
        "lane": outcome.decision.lane,
        "reason": outcome.decision.reason,
        "end": outcome.end,
        "tokens": outcome.completion_tokens,
        "rate": rounded(outcome.decode_rate),
        "duration": rounded(outcome.duration),
        "length": rounded(outcome.acceptance.acceptance_length if outcome.acceptance else None),
        "against": _against(seen.against),
    }


def explained(seen: Seen) -> dict[str, Any]:
    """Describe one request with the numbers that its lane was chosen from."""
    outcome = seen.outcome
    assert outcome.cell
    assert outcome.decision
    acceptance = outcome.acceptance
    return line(seen) | {
        "engine": outcome.engine and engine_name(outcome.engine),
        "endpoint": outcome.cell.endpoint,
        "thinking": outcome.cell.thinking,
        "prompt_tokens": outcome.prompt_tokens,
        "time_to_first_token": rounded(outcome.time_to_first_token, 4),
        "steps": acceptance and acceptance.num_spec_steps,
        "drafted": acceptance and acceptance.num_draft_tokens,
        "accepted": acceptance and acceptance.num_accepted_draft_tokens,
        "candidates": [expected(each) for each in outcome.decision.candidates],
        "learned": _weighed(outcome.decision),
    }


def _against(found: Against) -> dict[str, Any]:
    return {
        "times": rounded(found.times),
        "answers": found.answers,
        "seconds": rounded(found.seconds, 0),
        "why": found.why,
    }


def _weighed(decision: Decision) -> dict[str, Any] | None:
    weighing = decision.weighing
    if weighing is None:
        return None
    estimates = [
        expected(each) | {"share": rounded(share, 4)}
        for each, share in zip(weighing.estimates, weighing.shares, strict=True)
    ]
    return {"applied": weighing.applied, "estimates": estimates}
