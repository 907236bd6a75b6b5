"""The access log: one JSON line a finished request, on standard output. Never a prompt, an answer, a key or a query.

What goes to an engine is told by its Outcome, everything else by the middleware, and what is refused at the door by the
door. Probes and scrapes that went well are left out: they would be most of the log.
"""

import json
import logging
import time
from contextvars import ContextVar
from dataclasses import dataclass

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve import request_id
from serve.routing.lane import engine_name
from serve.routing.outcome import Outcome

_ENCODER = msgspec.json.Encoder()
LOGGER = logging.getLogger("polydraft.access")

_QUIET = ("/healthz", "/readyz", "/metrics")
_LONGEST_PATH = 128


@dataclass(slots=True)
class _Request:
    """One request that passes the middleware; told, once it has its line."""

    status: int = 0
    request_id: str | None = None
    told: bool = False


_PASSING: ContextVar[_Request | None] = ContextVar("_PASSING", default=None)


def observe(outcome: Outcome) -> None:
    """Write the line of one finished request."""
    if passing := _PASSING.get():
        passing.told = True
    # All of it is ours: what of it a client chose is a request's id, which was found harmless.
    LOGGER.info("%s", _ENCODER.encode(_line(outcome)).decode())


def refused(status: int, method: str, target: str, request_id: str) -> None:
    """Write the line of a request that wasn't let in; method and target are empty where they weren't understood."""
    path = target.partition("?")[0]
    line = {"request_id": request_id, "method": method, "path": path[:_LONGEST_PATH], "status": status}
    _write({**line, "end": "rejected", "duration_s": None})


class Others:
    """ASGI middleware: writes the line of each request that has no Outcome, and sees that each answer has an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note how it was answered."""
        passing, started = _Request(), time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                passing.status = message["status"]
                passing.request_id = _identified(message, scope)
            await send(message)

        token = _PASSING.set(passing)
        try:
            await self._app(scope, receive, noting)
        finally:
            _PASSING.reset(token)
            quiet = scope["path"] in _QUIET and passing.status in (200, 503)
            if not passing.told and not quiet:
                _write(_other(scope, passing, time.perf_counter() - started))


def _identified(message: Message, scope: Scope) -> str:
    """Give the id of an answer that is about to start, which gets one if it has none."""
    name = request_id.HEADER.encode()
    headers = message.setdefault("headers", [])
    found = next((value.decode("latin-1") for header, value in headers if header == name), None)
    if found is None:
        found = request_id.of(scope["headers"])
        message["headers"] = [*headers, (name, found.encode())]
    return found


def _other(scope: Scope, passing: _Request, duration: float) -> dict[str, object]:
    """Describe a request that no engine was for; it has no status if the router failed, or its client left."""
    status = passing.status
    end = "complete" if 0 < status < 400 else "rejected" if 400 <= status < 500 else "failed"
    path = str(scope["path"])[:_LONGEST_PATH]
    line = {"request_id": passing.request_id, "method": scope["method"], "path": path, "status": status}
    return {**line, "end": end, "duration_s": _rounded(duration)}


def _write(line: dict[str, object]) -> None:
    # Escaped to ASCII: what a client names can't end the line or begin another.
    LOGGER.info("%s", json.dumps(line, separators=(",", ":")))


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
        "engine": outcome.engine and engine_name(outcome.engine),
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
