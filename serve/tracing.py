"""Where a request stands in a trace that others began: what the engine is told of it, and what happens at its end.

Without tracing, `passed_on` hands the client's trace to the engine as it came.
"""

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from serve.routing.outcome import Asked, Outcome

HEADERS = ("traceparent", "tracestate")
_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{0,64})?")
_STATE = re.compile(r"[\t -~]{1,512}")


class Trace(Protocol):
    """One request's part in a trace."""

    headers: Mapping[str, str]
    """What the engine is told: W3C's `traceparent` and `tracestate`."""

    def finish(self, outcome: Outcome) -> None:
        """End this part; called once."""


Begin = Callable[[Asked, Mapping[str, str]], Trace]
"""Begins a request's part in a trace, from what is asked for and the request's headers."""


class _PassedOn:
    """No part of our own: the engine's spans hang below the client's."""

    __slots__ = ("headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers

    def finish(self, outcome: Outcome) -> None:
        """Do nothing."""


def passed_on(_: Asked, headers: Mapping[str, str]) -> Trace:
    """Take no part, and hand on what the client sent, if it has W3C's form (Trace Context, sections 3.2 and 3.3)."""
    parent, state = (headers.get(name, "") for name in HEADERS)
    if not _PARENT.fullmatch(parent):
        return _PassedOn({})
    return _PassedOn({"traceparent": parent, **({"tracestate": state} if _STATE.fullmatch(state) else {})})
