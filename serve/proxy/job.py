"""What the relay is given: one admitted request, and what every request is served with."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from serve.proxy.dialect import DIALECTS, RESPONSES, Dialect
from serve.proxy.fleet import Fleet
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.outcome import Asked, Outcome
from serve.routing.policy import Decision
from serve.routing.replicas import UNBOUND, Bond

Observe = Callable[[Outcome], None]
Track = Callable[[str, str], AbstractContextManager[None]]
"""Counts a request, given its lane and its engine's base URL, for as long as the context lasts."""
Clock = Callable[[], float]


class Job(NamedTuple):
    """One admitted request: where it may go, preferred lane first, and what the relay has to know of it.

    `engines` has the base URL of the engine that it goes to first on each lane that is ready. `path` is the engine's,
    with the query; `payload` is None where the request has none, and `raw` is what the client sent of it; `model` is
    the name that the client used, where it isn't the engine's own; `finished` is told the outcome beside the observers
    of all requests. `bond` is what ties it to an engine. `shortened` is a request whose client had its lane draft fewer
    tokens than the lane does.
    """

    request_id: str
    endpoint: Asked
    cell: Cell | None
    decision: Decision
    lanes: tuple[Lane, ...]
    engines: Mapping[str, str]
    payload: Mapping[str, Any] | None
    headers: Mapping[str, str]
    streamed: bool
    wants_usage: bool
    path: str
    raw: bytes = b""
    method: str = "POST"
    model: str | None = None
    finished: Observe | None = None
    bond: Bond = UNBOUND
    shortened: bool = False

    @property
    def dialect(self) -> Dialect:
        """What this request's events mean; whatever streams and isn't one of the four that generate is a response."""
        return DIALECTS.get(self.endpoint, RESPONSES)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a relay works with: the engines, the model's name there, observers, and the clock (seconds).

    `ping` is how many seconds a stream may say nothing to its client before a comment does; 0 is never. With `sampled`
    observers may look into answers.
    """

    model: str
    fleet: Fleet
    observers: Sequence[Observe]
    track: Track
    waits: Track
    clock: Clock
    ping: float = 0
    sampled: bool = False
