"""The access log: one JSON line a finished request, on standard output. Never a prompt, an answer or a key."""

import json
import logging

from serve.routing.outcome import Outcome

LOGGER = logging.getLogger("polydraft.access")


def observe(outcome: Outcome) -> None:
    """Write the line of one finished request."""
    LOGGER.info("%s", json.dumps(_line(outcome), separators=(",", ":")))


def _line(outcome: Outcome) -> dict[str, object]:
    cell, decision, acceptance = outcome.cell, outcome.decision, outcome.acceptance
    line: dict[str, object] = {
        "request_id": outcome.request_id,
        "endpoint": outcome.endpoint,
        "streamed": outcome.streamed,
        "language": cell and cell.language,
        "task": cell and cell.task,
        "thinking": cell and cell.thinking,
        "lane": decision and decision.lane,
        "reason": decision and decision.reason,
        "status": outcome.status,
        "end": outcome.end,
        "duration_s": _rounded(outcome.duration),
        "time_to_first_token_s": _rounded(outcome.time_to_first_token),
        "decode_rate": _rounded(outcome.decode_rate),
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
    }
    if decision and (weighing := decision.weighing):
        line |= {
            "learned_lane": weighing.lane,
            "learned_best": weighing.best,
            "propensities": {
                each.lane: round(share, 6) for each, share in zip(weighing.estimates, weighing.shares, strict=True)
            },
            "applied": weighing.applied,
            "batch": decision.batch,
            "generation_time_s": _rounded(outcome.generation_time),
            "estimated_rates": {each.lane: _rounded(each.decode_rate) for each in weighing.estimates},
        }
    if acceptance:
        line |= {
            "num_spec_steps": acceptance.num_spec_steps,
            "num_draft_tokens": acceptance.num_draft_tokens,
            "num_accepted_draft_tokens": acceptance.num_accepted_draft_tokens,
            "acceptance_length": _rounded(acceptance.acceptance_length),
        }
    return line


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
