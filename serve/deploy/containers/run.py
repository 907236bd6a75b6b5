"""Carries out the steps, and watches what runs: `polydraft up` and `down` of a profile in containers.

It says each thing that it does, and decides none of them: `steps.py` says what is to be done.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serve.deploy.containers.daemon import PROOF, Daemon
from serve.deploy.containers.definition import Definition
from serve.deploy.containers.hearing import Hearing
from serve.deploy.containers.order import Means
from serve.deploy.containers.stack import Stack
from serve.deploy.containers.steps import Choice, Do, Sight, Step, down, proof, steps
from serve.deploy.containers.tend import POLL, Ended, Tender

_PATIENCE = 30.0
"""Seconds between two words about an engine that is still loading, or models that still come."""
_TAIL = 6
"""Lines of the download's log."""


class Run:
    """One `up`: brings a stack to what it is to be, then watches it."""

    def __init__(
        self, daemon: Daemon, hearing: Hearing, wanted: Stack, means: Means, plan: Callable[[Sight], None]
    ) -> None:
        """`plan` holds the engines against the memory that is free now, given what runs; it raises Ended."""
        self._daemon, self._wanted, self._means, self._plan = daemon, wanted, means, plan
        self._say = means.say
        self._lost: set[str] = set()
        self._tender = Tender(daemon, hearing, wanted, means.say)

    def carry_out(self, choice: Choice) -> None:
        """Do every step from what is there to what is wanted.

        Raises Ended, Undraftable, and DockerFailed for what Docker refuses.
        """
        planned = steps(self._wanted, self._daemon.sight(self._wanted), choice)
        for number, step in enumerate(planned, 1):
            self._say(f"[{number}/{len(planned)}] {step}")
            with self._spared(step.what):
                self._do(step, choice)

    def watch(self) -> None:
        """Watch for ever what runs: say who dies, and have it started again as often as is good; raises as above."""
        while True:
            for each in (*self._wanted.engines, self._wanted.router):
                if each.name not in self._lost:
                    with self._spared(each.name):
                        self._tender.tend(each)
            time.sleep(POLL)

    @contextmanager
    def _spared(self, name: str) -> Iterator[None]:
        """Go on without a copy of an engine that can't be had, as long as there is another."""
        try:
            yield
        except Ended as error:
            copies = {each.name for each in self._wanted.engines} if self._wanted.copies else set()
            if name not in copies or len(self._lost) + 1 >= len(copies):
                raise
            self._lost.add(name)
            self._say(f"{error}; the other copies serve without it")

    def _do(self, step: Step, choice: Choice) -> None:
        wanted, named = self._wanted, {each.name: each for each in self._wanted.all}
        images = {image.name: image for image in wanted.images}
        if step.do is Do.BUILD:
            log = self._means.logs / f"build-{step.what.replace(':', '-')}.log"
            self._daemon.build(images[step.what], self._means.root, log)
        elif step.do is Do.PULL:
            self._daemon.pull(images[step.what], f"{choice.registry}{step.what}", self._means.progress)
        elif step.do is Do.NETWORK:
            self._daemon.network(wanted.owner)
        elif step.do is Do.VOLUME:
            self._daemon.volume(wanted.owner, step.what.removeprefix(wanted.owner.volume("")))
        elif step.do is Do.REMOVE:
            self._tender.mine(step.what)
            self._daemon.remove(step.what, named[step.what].grace if step.what in named else wanted.router.grace)
        elif step.do is Do.DOWNLOAD:
            self._download(named[step.what])
        elif step.do is Do.PLAN:
            self._plan(self._daemon.sight(wanted))
        elif step.do is Do.GATE:
            self._gate(named[step.what])
        else:
            self._up(named[step.what], fresh=step.do is Do.START)

    def _up(self, wanted: Definition, *, fresh: bool) -> None:
        """Start a container, or take the one that is there, and wait until it is healthy."""
        if wanted in (self._wanted.gate, self._wanted.download):
            return  # a record; it has stopped
        if fresh:
            self._daemon.create(wanted)
        seconds = self._await(wanted)
        if fresh:
            self._say(f"  {wanted.name}: healthy after {seconds:.0f} s")

    def _await(self, wanted: Definition) -> float:
        """Wait until a container is healthy, and return how many seconds that took; raises Ended if it never is."""
        started = said = time.monotonic()
        while not self._tender.tend(wanted):
            if self._tender.unwell(wanted):
                raise Ended(f"{wanted.name} runs, but isn't healthy; look into: docker logs {wanted.name}")
            time.sleep(POLL)
            if time.monotonic() - said >= _PATIENCE:
                said = time.monotonic()
                self._say(f"  {wanted.name}: still loading after {said - started:.0f} s; docker logs -f {wanted.name}")
        return time.monotonic() - started

    def _download(self, wanted: Definition) -> None:
        """Fetch the models, or wait for the one that is at it; what came stays if it fails. Raises Ended if it does."""
        if self._daemon.seen(wanted.name) is None:
            self._daemon.create(wanted)
        said = time.monotonic()
        while (seen := self._daemon.seen(wanted.name)) is not None and seen.running:
            time.sleep(POLL)
            if time.monotonic() - said >= _PATIENCE:
                said = time.monotonic()
                self._say(f"  {' '.join(self._daemon.tail(wanted.name, 1)) or wanted.name}")
        for line in self._daemon.tail(wanted.name, _TAIL) if seen else ():
            self._say(f"  | {line}")
        if seen is None or seen.exit_code:
            why = f"failed with exit code {seen.exit_code}" if seen else "is gone: somebody removed it"
            raise Ended(f"{wanted.name} {why}; polydraft up goes on from what has come")

    def _gate(self, gate: Definition) -> None:
        """Have a router that nobody else asks prove the lanes; it stays, stopped, as the sign that they passed."""
        tested = proof(self._wanted, self._daemon.sight(self._wanted))
        passed = False
        try:
            self._daemon.create(gate, **{PROOF: tested})
            self._await(gate)
            command = ["python", "-m", "serve", "gate", "--dtype", self._wanted.dtype]
            passed = self._daemon.run(gate.name, command, lambda line: self._say(f"  {line}")) == 0
        finally:
            self._tender.mine(gate.name)
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


def take_down(daemon: Daemon, wanted: Stack, say: Callable[[str], None]) -> None:
    """Stop and remove a profile's containers, the router first; raises DockerFailed."""
    planned = down(wanted, daemon.sight(wanted))
    graces = {each.name: each.grace for each in wanted.all}
    for number, step in enumerate(planned, 1):
        say(f"[{number}/{len(planned)}] {step}")
        daemon.remove(step.what, graces.get(step.what, wanted.router.grace))
    daemon.remove_network(wanted.owner)
    say(f"nothing of {wanted.owner.profile} runs" + ("" if planned else ", and nothing did"))
