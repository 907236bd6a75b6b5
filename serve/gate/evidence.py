"""What a gate saw, before anybody judges it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from serve.gate.compare import Compared
from serve.gate.garbage import Text
from serve.routing.outcome import Acceptance

BODY = "body"
"""The lane that every other one is compared with."""

COPY = "@"
"""Between a lane and the engine that is meant, where the lane has several: `mtp@10.0.0.2:8101`."""

Where = tuple[str, str]
"""A lane, and how its answers came: `alone` or `mixed`."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Tokens drawn at one position after one prompt, by the body and by a lane."""

    prompt: str
    setting: str
    position: int
    body: Sequence[int]
    lane: Sequence[int]


@dataclass(slots=True)
class Evidence:
    """All that was seen; lanes in the router's order, the body first, each with its copies, of which the first leads.

    What all others are compared with is the first one.
    """

    lanes: Sequence[str]
    compared: dict[Where, list[Compared]] = field(default_factory=dict)
    accepted: dict[str, list[tuple[str, Acceptance]]] = field(default_factory=dict)
    promised: dict[str, dict[str, float]] = field(default_factory=dict)
    draws: dict[str, list[Draws]] = field(default_factory=dict)
    texts: dict[str, list[Text]] = field(default_factory=dict)

    @property
    def body(self) -> str:
        """What all others are compared with."""
        return self.lanes[0]


def lane_of(name: str) -> str:
    """Return the lane of a name, which may mean one of its engines."""
    return name.partition(COPY)[0]


def engine_of(name: str) -> str:
    """Return the engine that a name means, empty where it means whichever the lane has."""
    return name.partition(COPY)[2]
