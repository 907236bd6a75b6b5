"""Listens to the Docker engine's events about a profile's containers, and tells who died and who was told to end.

A thread of its own reads them; whoever asks gets what has come since. It must never act on what it hears.
"""

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker

from serve.deploy.containers.daemon import DockerFailed, mapped
from serve.deploy.containers.definition import PROFILE, Owner

_ENDING = ("9", "15")
"""Signals by which `docker stop` and `docker kill` end a container: then somebody meant it."""

_FOR_EVER = 10**8
"""Seconds that may pass without an event."""


@dataclass(frozen=True, slots=True)
class Death:
    """A container that ended, at a time of the clock's: whether memory ran out, and whether it was told to."""

    name: str
    at: float
    exit_code: int
    out_of_memory: bool
    told: bool


class Hearing:
    """An ear at the Docker engine; open it before the first container starts."""

    def __init__(self, owner: Owner) -> None:
        self._came: queue.SimpleQueue[dict[str, Any] | DockerFailed] = queue.SimpleQueue()
        self._marks: dict[str, set[str]] = {}
        wanted = {"type": ["container"], "event": ["die", "kill", "oom"], "label": [f"{PROFILE}={owner.profile}"]}
        with mapped():
            # Docker counts whole seconds; an old death of a container that is gone is nobody's here.
            self._api = docker.from_env(timeout=_FOR_EVER).api
            self._events = self._api.events(since=int(time.time()), filters=wanted, decode=True)
        self._prefix = f"{owner.project}-"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no longer."""
        self._events.close()
        self._thread.join()
        self._api.close()

    def deaths(self) -> Iterator[Death]:
        """Return the deaths that were heard of since the last call; raises DockerFailed once the engine is gone."""
        while not self._came.empty():
            event = self._came.get()
            if isinstance(event, DockerFailed):
                raise event
            about = event["Actor"]["Attributes"]
            marks = self._marks.setdefault(about["name"], set())
            if event["Action"] == "die":
                told, memory = "told" in marks, "memory" in marks
                marks.clear()
                if about["name"].startswith(self._prefix):
                    yield Death(about["name"], event["timeNano"] / 1e9, int(about["exitCode"]), memory, told)
            elif event["Action"] == "oom":
                marks.add("memory")
            elif about.get("signal") in _ENDING:
                marks.add("told")

    def _listen(self) -> None:
        try:
            with mapped():
                for event in self._events:
                    self._came.put(event)
            raise DockerFailed("Docker: its engine has stopped")
        except DockerFailed as error:
            self._came.put(error)
