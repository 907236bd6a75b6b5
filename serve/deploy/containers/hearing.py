"""Tells from the Docker engine's events which of a profile's containers died, and which of them were told to.

It must never act on what it hears, nor ask for anything but what came since it asked last.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Events = Callable[[int], list[dict[str, Any]]]
"""Gives what happened since a second of the clock's."""

_ENDING = ("9", "15")
"""Signals by which `docker stop` and `docker kill` end a container: then somebody meant it."""


@dataclass(frozen=True, slots=True)
class Death:
    """A container that ended, at a time of the clock's: whether memory ran out, and whether it was told to."""

    name: str
    at: float
    exit_code: int
    out_of_memory: bool
    told: bool


class Hearing:
    """An ear at the Docker engine, which hears what happens after a moment of the clock's."""

    def __init__(self, events: Events, project: str, now: float) -> None:
        self._events, self._prefix, self._since = events, f"{project}-", int(now * 1e9)
        self._marks: dict[str, set[str]] = {}

    def deaths(self) -> Iterator[Death]:
        """Return the deaths since the last call."""
        for event in self._events(self._since // 10**9):
            if event["timeNano"] < self._since:
                continue
            self._since = event["timeNano"] + 1
            about = event["Actor"]["Attributes"]
            name = about["name"]
            marks = self._marks.setdefault(name, set())
            if event["Action"] == "die":
                found = Death(name, event["timeNano"] / 1e9, int(about["exitCode"]), "oom" in marks, "told" in marks)
                marks.clear()
                if name.startswith(self._prefix):
                    yield found
            elif event["Action"] == "oom":
                marks.add("oom")
            elif about.get("signal") in _ENDING:
                marks.add("told")
