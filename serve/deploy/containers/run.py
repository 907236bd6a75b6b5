"""Carries out the steps, and watches what runs: `polydraft up` and `down` of a profile in containers.

It says each thing that it does, and decides none of them: `steps.py` says what is to be done, `deaths.py` what follows
a death. It must never let a drafting engine die again and again: after a few times it raises `Undraftable`.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from serve.deploy.containers import deaths
from serve.deploy.containers.daemon import PROOF, Daemon
from serve.deploy.containers.deaths import Deaths, Then
from serve.deploy.containers.definition import Definition
from serve.deploy.containers.hearing import Death, Hearing
from serve.deploy.containers.order import Means
from serve.deploy.containers.stack import Stack
from serve.deploy.containers.steps import Choice, Do, Step, down, proof, steps

_POLL = 1.0
_PATIENCE = 30.0
"""Seconds between two words about an engine that is still loading."""
_TAIL = 12
"""Lines of a dead engine's log; it logs no prompts."""


class Ended(Exception):
    """It can't go on; the text says why, for people."""


class Undraftable(Exception):
    """An engine with drafters died once too often; the text is its name."""


class Run:
    """One `up`: brings a stack to what it is to be, then watches it."""

    def __init__(self, daemon: Daemon, hearing: Hearing, wanted: Stack, means: Means) -> None:
        self._daemon, self._hearing, self._wanted, self._means = daemon, hearing, wanted, means
        self._say = means.say
        self._deaths: dict[str, Deaths] = {}
        self._told: set[str] = set()
        self._ours: set[str] = set()

    def carry_out(self, choice: Choice) -> None:
        """Do every step from what is there to what is wanted.

        Raises Ended, Undraftable, and DockerFailed for what Docker refuses.
        """
        planned = steps(self._wanted, self._daemon.sight(self._wanted), choice)
        for number, step in enumerate(planned, 1):
            self._say(f"[{number}/{len(planned)}] {step}")
            self._do(step, choice)

    def watch(self) -> None:
        """Watch for ever what runs: say who dies, and have it started again as often as is good; raises as above."""
        while True:
            for each in (*self._wanted.engines, self._wanted.router):
                self._tend(each)
            time.sleep(_POLL)

    def _do(self, step: Step, choice: Choice) -> None:
        wanted, named = self._wanted, {each.name: each for each in self._wanted.all}
        images = {image.name: image for image in wanted.images}
        if step.do is Do.BUILD:
            log = self._means.logs / f"build-{step.what.replace(':', '-')}.log"
            self._daemon.build(images[step.what], self._means.root, log)
        elif step.do is Do.PULL:
            source = f"{choice.registry}{step.what.rpartition(':')[0]}:{self._means.tag}"
            self._daemon.pull(images[step.what], source, self._means.progress)
        elif step.do is Do.NETWORK:
            self._daemon.network(wanted.owner)
        elif step.do is Do.VOLUME:
            self._daemon.volume(wanted.owner, step.what.removeprefix(wanted.owner.volume("")))
        elif step.do is Do.REMOVE:
            self._mine(step.what)
            self._daemon.remove(step.what, named[step.what].grace if step.what in named else wanted.router.grace)
        elif step.do is Do.GATE:
            self._gate(named[step.what])
        else:
            self._up(named[step.what], fresh=step.do is Do.START)

    def _up(self, wanted: Definition, *, fresh: bool) -> None:
        """Start a container, or take the one that is there, and wait until it is healthy."""
        if wanted == self._wanted.gate:
            return  # a record; it has stopped
        if fresh:
            self._daemon.create(wanted)
        started = said = time.monotonic()
        while not self._tend(wanted):
            time.sleep(_POLL)
            if time.monotonic() - said >= _PATIENCE:
                said = time.monotonic()
                self._say(f"  {wanted.name}: still loading after {said - started:.0f} s; docker logs -f {wanted.name}")
        if fresh:
            self._say(f"  {wanted.name}: healthy after {time.monotonic() - started:.0f} s")

    def _gate(self, gate: Definition) -> None:
        """Have a router that nobody else asks prove the lanes; it stays, stopped, as the sign that they passed."""
        tested = proof(self._wanted, self._daemon.sight(self._wanted))
        passed = False
        try:
            self._daemon.create(gate, **{PROOF: tested})
            while not self._tend(gate):
                time.sleep(_POLL)
            command = ["python", "-m", "serve", "gate", "--dtype", self._wanted.dtype]
            passed = self._daemon.run(gate.name, command, lambda line: self._say(f"  {line}")) == 0
        finally:
            self._mine(gate.name)
            if passed:
                self._daemon.stop(gate.name, gate.grace)
            else:
                self._daemon.remove(gate.name, gate.grace)
        if not passed:
            up = f"polydraft up {self._wanted.owner.profile}"
            raise Ended(
                "the gate failed, so the router isn't started; the engines go on, for you to look at. "
                f"To serve the body alone: {up} --no-drafters. To serve regardless: {up} --no-gate"
            )

    def _tend(self, wanted: Definition) -> bool:
        """Look after one container once: say that it died, start it again if that is right; whether it is healthy."""
        self._hear()
        seen = self._daemon.seen(wanted.name)
        if seen is None:
            raise Ended(f"{wanted.name} is gone: somebody removed it")
        known = self._deaths.get(wanted.name, Deaths())
        if seen.running and known.counted(time.time()) < deaths.BOUND:
            if seen.health == "healthy":
                self._deaths[wanted.name] = replace(known, healthy=time.time())
            self._told.discard(wanted.name)
            return seen.health in ("healthy", "")
        time.sleep(_POLL)  # Docker tells of a death a moment after it shows
        self._hear()
        if wanted.name in self._told:
            raise Ended(f"{wanted.name} was stopped by somebody, and stays so until the next polydraft up")
        known = self._deaths.get(wanted.name, Deaths())
        seen = self._daemon.seen(wanted.name)
        restarting = seen is not None and seen.running
        self._follow(
            wanted, deaths.then(known, time.time(), drafts=wanted.name in self._wanted.drafting, restarting=restarting)
        )
        return False

    def _follow(self, wanted: Definition, what: Then) -> None:
        if what is Then.WITHOUT_DRAFTERS:
            raise Undraftable(wanted.name)
        if what is Then.GIVE_UP:
            self._mine(wanted.name)
            self._daemon.stop(wanted.name, wanted.grace)
            raise Ended(f"{wanted.name} died {deaths.BOUND} times and isn't started again; mend it, then polydraft up")
        if what is Then.AGAIN:
            self._say(f"  {wanted.name} is started again")
            self._daemon.start(wanted.name)

    def _mine(self, name: str) -> None:
        """Remember that the end of a container, if it still runs, will be our doing."""
        seen = self._daemon.seen(name)
        if seen is not None and seen.running:
            self._ours.add(name)

    def _hear(self) -> None:
        for death in self._hearing.deaths():
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


def take_down(daemon: Daemon, wanted: Stack, say: Callable[[str], None]) -> None:
    """Stop and remove a profile's containers, the router first; raises DockerFailed."""
    planned = down(wanted, daemon.sight(wanted))
    graces = {each.name: each.grace for each in wanted.all}
    for number, step in enumerate(planned, 1):
        say(f"[{number}/{len(planned)}] {step}")
        daemon.remove(step.what, graces.get(step.what, wanted.router.grace))
    daemon.remove_network(wanted.owner)
    say(f"nothing of {wanted.owner.profile} runs" + ("" if planned else ", and nothing did"))
