"""Which lane a request runs in, from its sampling parameters' `extra_args` (the API's `vllm_xargs`).

`refusal` is for the API, which answers 400; `choice` is for scheduler and worker and raises on nothing, whatever a
client sent past the API. Imports nothing of vLLM.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from polydraft_vllm.lanes.config import BODY, Lane, Lanes

LANE, DRAFT_TOKENS = "lane", "draft_tokens"
_EPSILON = 1e-5
"""vLLM's own `_SAMPLING_EPS`: a `min_p` up to it changes nothing."""


class Sampling(Protocol):
    """What is read of vLLM's SamplingParams."""

    extra_args: dict[str, Any] | None
    min_p: float
    logit_bias: Any


def refusal(extra_args: Mapping[str, Any] | None, lanes: Lanes) -> str | None:
    """Say why a request's lane can't be had, in words for its sender; `None` if it can."""
    said = {} if extra_args is None else extra_args
    if not isinstance(said, Mapping):
        return "vllm_xargs must be an object"
    lane, tokens = said.get(LANE), said.get(DRAFT_TOKENS)
    if lane is not None and (not isinstance(lane, str) or lane not in lanes.by_name):
        return f"vllm_xargs.{LANE} must be one of {', '.join(sorted(lanes.by_name))}"
    if tokens is None:
        return None
    most = (lanes.by_name[lane] if lane is not None else lanes.default).draft_tokens
    if not isinstance(tokens, int) or isinstance(tokens, bool) or not 0 <= tokens <= most:
        allowed = (
            f"a whole number from 0 to {most}, the most that the lane drafts" if most else "0: the lane drafts nothing"
        )
        return f"vllm_xargs.{DRAFT_TOKENS} must be {allowed}"
    return None


def choice(sampling: Sampling | None, lanes: Lanes) -> Lane:
    """The lane that a request runs in, with its own number of draft tokens.

    Whatever the verification of drafts can't honour (`min_p`, `logit_bias`) and pooling requests run on the body.
    """
    body = lanes.by_name[BODY]
    if sampling is None or not _verifiable(sampling):
        return body
    said = sampling.extra_args or {}
    if refusal(said, lanes):
        return body
    lane = lanes.by_name[said[LANE]] if said.get(LANE) is not None else lanes.default
    tokens = said.get(DRAFT_TOKENS)
    if tokens is None or tokens == lane.draft_tokens:
        return lane
    return Lane(lane.name, lane.drafter, tokens) if tokens else Lane(lane.name, None, 0)


def _verifiable(sampling: Sampling) -> bool:
    return not (sampling.min_p > _EPSILON or sampling.logit_bias)
