"""What the relay is given: one admitted request, and what every request is served with."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from serve.proxy.dialect import DIALECTS, RESPONSES, Dialect
from serve.proxy.upstream import Upstream
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.outcome import Asked, Outcome
from serve.routing.policy import Decision

Observe = Callable[[Outcome], None]
Track = Callable[[str], AbstractContextManager[None]]
Clock = Callable[[], float]


class Job(NamedTuple):
    """One admitted request: where it may go, preferred lane first, and what the relay has to know of it.

    `path` is the engine's, with the query; `payload` is None where the request has none, and `raw` is what the client
    sent of it; `model` is the name that the client used, where it isn't the engine's own; `finished` is told the
    outcome beside the observers of all requests. `shortened` is a request whose client had its lane draft fewer tokens
    than the lane does.
    """

    request_id: str
    endpoint: Asked
    cell: Cell | None
    decision: Decision
    lanes: tuple[Lane, ...]
    payload: Mapping[str, Any] | None
    headers: Mapping[str, str]
    streamed: bool
    wants_usage: bool
    path: str
    raw: bytes = b""
    method: str = "POST"
    model: str | None = None
    finished: Observe | None = None
    shortened: bool = False

    @property
    def dialect(self) -> Dialect:
        """What this request's events mean; whatever streams and isn't one of the four that generate is a response."""
        return DIALECTS.get(self.endpoint, RESPONSES)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a relay works with: engines by base URL, the model's name there, observers, and the clock (seconds).

    `ping` is how many seconds a stream may say nothing to its client before a comment does; 0 is never. With `sampled`
    observers may look into answers.
    """

    model: str
    upstreams: Mapping[str, Upstream]
    shared: frozenset[str]
    observers: Sequence[Observe]
    track: Track
    waits: Track
    clock: Clock
    ping: float = 0
    sampled: bool = False
