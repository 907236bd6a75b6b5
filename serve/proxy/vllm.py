"""vLLM's dialect, and the one place that knows it: what a request needs, and what an answer says was accepted.

`--per-request-spec-decode-metrics detailed` puts `metrics.speculative_decoding` into whole answers and, in streams,
onto the usage chunk, which therefore has to be asked for. Responses and Anthropic's messages carry no acceptance (0.32,
0.33), only counts and, in whole responses, times. Whatever in it doesn't add up is treated as not reported: a
number that may be wrong must never reach a metric, and must never break an answer.
"""

import json
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from serve.proxy import quick_json
from serve.routing.lane import Lane
from serve.routing.outcome import Acceptance, Asked

PLAIN_PATHS = {"count_tokens": "/v1/messages/count_tokens", "tokenize": "/tokenize", "detokenize": "/detokenize"}
"""Endpoints where nothing is generated, so that every lane's engine answers the same."""

STORED = "/v1/responses/"
HEALTH = "/health"
VERSION = "/version"
MODELS = "/v1/models"
METRICS = "/metrics"


class Report(NamedTuple):
    """What an engine says of one request: token counts, times in seconds, acceptance; None is "not said".

    `time_to_first_token` includes the wait in the engine's queue; `generation_time` runs from first to last token.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    time_to_first_token: float | None = None
    generation_time: float | None = None
    acceptance: Acceptance | None = None


UNREPORTED = Report()


def prepare(payload: Mapping[str, Any], raw: bytes, endpoint: Asked, model: str, lane: Lane, *, shared: bool) -> bytes:
    """Write the payload for a lane's engine: its model name, the usage chunk on, the lane if the engine has several.

    `raw` is the payload as the client sent it, and goes on as it is but for what has to be changed. vLLM 0.32 and 0.33
    read `vllm_xargs` on all four endpoints that generate (entrypoints/*/protocol.py).
    """
    changes: dict[str, Any] = {} if payload.get("model") == model else {"model": model}
    if endpoint in _CHUNKED and payload.get("stream") and not wants_usage(payload):
        options = payload.get("stream_options") or {}
        # vLLM ignores continuous_usage_stats without include_usage; with it, every chunk would carry usage unasked.
        changes["stream_options"] = {**options, "include_usage": True, "continuous_usage_stats": False}
    if shared and endpoint in _GENERATING:
        asked = payload.get("vllm_xargs") or {}
        changes["vllm_xargs"] = {**asked, "lane": lane.name, "draft_tokens": lane.draft_tokens}
    if not changes:
        return raw
    if payload and payload.keys().isdisjoint(changes):
        return b"%b,%b" % (raw.rstrip()[:-1], json.dumps(changes, separators=(",", ":"))[1:].encode())
    # Escaped beyond ASCII, so that lone surrogates that a client sent reach the engine as they came.
    return json.dumps({**payload, **changes}, separators=(",", ":")).encode()


_CHUNKED = frozenset({"chat", "completions"})
_GENERATING = frozenset({"chat", "completions", "responses", "messages"})


def wants_usage(payload: Mapping[str, Any]) -> bool:
    """Tell whether the client itself asked for the usage chunk of a stream."""
    return bool((payload.get("stream_options") or {}).get("include_usage"))


def drafts_asked(payload: Mapping[str, Any]) -> object:
    """Give the number of draft tokens that a payload asks for, whatever it is; None if it asks for none.

    Only on a lane that the client named does the router heed it: elsewhere the number belongs to the choice.
    """
    return _object(payload.get("vllm_xargs")).get("draft_tokens")


def undraftable(payload: Mapping[str, Any], endpoint: Asked) -> str | None:
    """Name the parameter for which a speculating engine refuses this payload, if there is one.

    Anthropic's messages have neither parameter, and vLLM ignores what they don't have.

    vLLM 0.32 and 0.33, SamplingParams._validate_spec_decode: min_p above its epsilon, or any logit_bias. Greedy
    sampling has put min_p to 0 by then, so with a temperature of 0 it is no obstacle.
    """
    if endpoint == "messages":
        return None
    min_p = payload.get("min_p")
    if isinstance(min_p, int | float) and min_p > _SAMPLING_EPSILON and payload.get("temperature") != 0:
        return "min_p"
    return "logit_bias" if payload.get("logit_bias") else None


_SAMPLING_EPSILON = 1e-5


def report(answer: object) -> Report:
    """Read an answer, or the event of a stream that has the counts; never raises."""
    if not isinstance(answer, dict):
        return UNREPORTED
    answer = _object(answer.get("response")) or answer  # what the last event of a response's stream wraps
    usage, metrics = _object(answer.get("usage")), _object(answer.get("metrics"))
    return Report(
        prompt_tokens=_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        completion_tokens=_count(usage.get("completion_tokens", usage.get("output_tokens"))),
        time_to_first_token=_sum(
            _seconds(metrics.get("queue_time_ms")), _seconds(metrics.get("time_to_first_token_ms"))
        ),
        generation_time=_seconds(metrics.get("generation_time_ms")),
        acceptance=_acceptance(_object(metrics.get("speculative_decoding"))),
    )


def decode(raw: bytes) -> object:
    """Parse an engine's JSON; None if it isn't any."""
    try:
        return quick_json.read(raw)
    except (ValueError, RecursionError):
        return None


def _acceptance(reported: Mapping[str, Any]) -> Acceptance | None:
    """Turn the histogram (steps by number of accepted drafts) into counts a position, if it agrees with the totals."""
    if not reported:
        return None
    steps, drafted = _count(reported.get("num_spec_steps")), _count(reported.get("num_draft_tokens"))
    accepted = _count(reported.get("num_accepted_draft_tokens"))
    histogram = reported.get("acceptance_histogram")
    if steps is None or drafted is None or accepted is None or not isinstance(histogram, list):
        return None
    if None in map(_count, histogram) or accepted > drafted:
        return None
    per_position = list(accumulate(reversed(histogram)))[::-1]  # steps that accepted so many drafts, or more
    if (per_position[0] if per_position else 0) != steps or sum(per_position[1:]) != accepted:
        return None
    return Acceptance(steps, drafted, accepted, tuple(per_position[1:]))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) and milliseconds >= 0 else None


def _sum(queued: float | None, first: float | None) -> float | None:
    return None if first is None else first + (queued or 0)
