"""Looks after a stack's containers: says who died, and has them started again as often as is good.

What follows a death `deaths.py` decides. It must never let a drafting engine die again and again: after a few times it
raises `Undraftable`, and whoever runs it leaves the drafters out.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from serve.deploy.containers import deaths
from serve.deploy.containers.daemon import Daemon
from serve.deploy.containers.deaths import Deaths, Then
from serve.deploy.containers.definition import Definition
from serve.deploy.containers.hearing import Death, Hearing
from serve.deploy.containers.stack import Stack

POLL = 1.0
"""Seconds between two looks."""
_TAIL = 12
"""Lines of a dead engine's log; it logs no prompts."""


class Ended(Exception):
    """It can't go on; the text says why, for people."""


class Undraftable(Exception):
    """An engine with drafters died once too often; the text is its name."""


class Tender:
    """Looks after one stack's containers."""

    def __init__(self, daemon: Daemon, hearing: Hearing, wanted: Stack, say: Callable[[str], None]) -> None:
        self._daemon, self._hearing, self._wanted, self._say = daemon, hearing, wanted, say
        self._kept_up = {each.name for each in wanted.all if each != wanted.download}  # which is to end
        self._deaths: dict[str, Deaths] = {}
        self._health: dict[str, str] = {}
        self._told: set[str] = set()
        self._ours: set[str] = set()

    def tend(self, wanted: Definition) -> bool:
        """Look after one container once, and return whether it is healthy.

        Raises Ended if it is gone, stopped by somebody or given up, and Undraftable if its drafters are.
        """
        self._hear()
        seen = self._daemon.seen(wanted.name)
        if seen is None:
            raise Ended(f"{wanted.name} is gone: somebody removed it")
        known = self._deaths.get(wanted.name, Deaths())
        if seen.running and known.counted(time.time()) < deaths.BOUND:
            self._note(wanted.name, seen.health)
            self._told.discard(wanted.name)
            return seen.health in ("healthy", "")
        time.sleep(POLL)  # Docker tells of a death up to a second after it shows
        self._hear()
        seen = self._daemon.seen(wanted.name)
        if wanted.name not in self._told:
            self._follow(wanted, restarting=seen is not None and seen.running)
        elif seen is None or not seen.running:
            raise Ended(f"{wanted.name} was stopped by somebody, and stays so until the next polydraft up")
        return False

    def unwell(self, wanted: Definition) -> bool:
        """Tell whether a container ran without being healthy for longer than it may, when it was last looked at."""
        return self._health.get(wanted.name) == "unhealthy"

    def mine(self, name: str) -> None:
        """Remember that the end of a container, if it still runs, will be our doing."""
        seen = self._daemon.seen(name)
        if seen is not None and seen.running:
            self._ours.add(name)

    def _follow(self, wanted: Definition, *, restarting: bool) -> None:
        known, drafts = self._deaths.get(wanted.name, Deaths()), wanted.name in self._wanted.drafting
        what = deaths.then(known, time.time(), drafts=drafts, restarting=restarting)
        if what is Then.WITHOUT_DRAFTERS:
            raise Undraftable(wanted.name)
        if what is Then.GIVE_UP:
            self.mine(wanted.name)
            self._daemon.stop(wanted.name, wanted.grace)
            raise Ended(f"{wanted.name} died {deaths.BOUND} times and isn't started again; mend it, then polydraft up")
        if what is Then.AGAIN:
            self._say(f"  {wanted.name} is started again")
            self._daemon.start(wanted.name)

    def _note(self, name: str, health: str) -> None:
        """Say when a container turns unhealthy: the router leaves it alone then, and Docker doesn't start it again."""
        if health == "healthy":
            self._deaths[name] = replace(self._deaths.get(name, Deaths()), healthy=time.time())
        if health != self._health.get(name, health) and "unhealthy" in (health, self._health[name]):
            more = f"; if it stays so: docker restart {name}" if health == "unhealthy" else " again"
            self._say(f"{name} is {health}{more}")
        self._health[name] = health

    def _hear(self) -> None:
        for death in self._hearing.deaths():
            if death.name not in self._kept_up:
                continue
            if death.told:
                (self._ours.discard if death.name in self._ours else self._told.add)(death.name)
                continue
            known = self._deaths.get(death.name, Deaths())
            self._deaths[death.name] = replace(known, at=(*known.at, death.at))
            self._obituary(death, self._deaths[death.name].counted(death.at))

    def _obituary(self, death: Death, count: int) -> None:
        why = ", out of memory" if death.out_of_memory else ""
        self._say(f"{death.name} died (exit code {death.exit_code}{why}), {count} of at most {deaths.BOUND} times")
        for line in self._daemon.tail(death.name, _TAIL):
            self._say(f"  | {line}")
