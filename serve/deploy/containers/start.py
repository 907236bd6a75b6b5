"""`polydraft up PROFILE` in containers: doctor, memory plan, images, engines one by one, gate, router, watch.

The order is the point: on unified memory the host dies where an engine is started that doesn't fit. Nothing is touched
before doctor and plan have passed, and nothing at all with `dry`.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from types import FrameType

from serve.deploy import memory
from serve.deploy.containers import deaths
from serve.deploy.containers.daemon import Daemon, DockerFailed
from serve.deploy.containers.hearing import Hearing
from serve.deploy.containers.order import Means, Order
from serve.deploy.containers.run import Run, take_down
from serve.deploy.containers.stack import Stack
from serve.deploy.containers.steps import Do, Sight, Step, steps, undrafted
from serve.deploy.containers.tend import Ended, Undraftable
from serve.deploy.doctor import examine, finding, look
from serve.deploy.doctor.finding import Finding
from serve.deploy.profile import Profile
from serve.deploy.reading import Reading
from serve.errors import ConfigError

_RULE = "*" * 100


def read(order: Order) -> Reading:
    """Look at this machine, as the doctor does."""
    return asyncio.run(look.look(order.profile, order.router.port, order.router.token))


def up(order: Order, reading: Reading, means: Means) -> int:
    """Bring a profile up, watch it until told to end, and return the exit code; what runs then goes on.

    Told to end before it serves, that is 128 and the signal's number: it isn't done.
    Raises ConfigError for an image that can't be built yet, before anything is touched.
    """
    with ExitStack() as opened:
        opened.enter_context(_interruptible())
        try:
            daemon = opened.enter_context(closing(Daemon()))
        except DockerFailed:
            daemon = None  # the doctor says why
        try:
            return _up(order, reading, daemon, means)
        except (DockerFailed, Ended) as error:
            means.say(str(error))
            return 1
        except KeyboardInterrupt as interrupt:
            name = order.profile.name
            means.say(f"\nwhat was started goes on; polydraft up {name} goes on too, polydraft down {name} stops it")
            return 128 + (interrupt.number if isinstance(interrupt, _Told) else signal.SIGINT)


def down(order: Order, means: Means) -> int:
    """Stop and remove a profile's containers; volumes and images stay. Returns the exit code."""
    try:
        with closing(Daemon()) as daemon:
            take_down(daemon, order.wanted(drafters=True), means.say)
    except DockerFailed as error:
        means.say(str(error))
        return 1
    return 0


def findings(profile: Profile, reading: Reading, *, serving: bool) -> list[Finding]:
    """Return what the doctor finds; the router's port may be its own, and the memory is the plan's to judge."""
    if serving:
        reading = replace(reading, ports=dict.fromkeys(reading.ports, ""))
    return [each for each in examine.judge(profile, reading) if each.check != "memory"]


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have what ends a service interrupt as Ctrl-C does."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, _interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Told(KeyboardInterrupt):
    """A signal that ends a service came; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise _Told(number)


def _up(order: Order, reading: Reading, daemon: Daemon | None, means: Means) -> int:
    asked = order.asked
    sight = daemon.sight(order.wanted(drafters=True)) if daemon else Sight()
    drafters = asked.drafters if asked.drafters is not None else not undrafted(order.wanted(drafters=True), sight)
    wanted = order.wanted(drafters=drafters)
    planned = steps(wanted, sight, order.choice)
    fit = _examine(order, reading, wanted, sight, means)
    if not drafters:
        means.say(_off(order, "as it was left" if asked.drafters is None else "as asked for"))
    if asked.dry:
        means.say("\n".join([f"{'' if fit else 'not '}to be done:", *map(str, planned)]))
    if fit or asked.dry:
        _check_bases(wanted, planned)
    if not fit or daemon is None:
        return 1
    return 0 if asked.dry else _bring_up(order, daemon, wanted, means)


def _examine(order: Order, reading: Reading, wanted: Stack, sight: Sight, means: Means) -> bool:
    """Print the doctor's findings and the memory plan; whether both pass."""
    profile = order.served(drafters=wanted.owner.drafters)
    found = findings(profile, reading, serving=_runs(wanted, profile.name, sight))
    means.say(finding.table(profile.name, found))
    try:
        made = _plan(profile, reading, wanted, sight)
    except ConfigError as error:
        means.say(str(error))
        return False
    means.say(f"\n{memory.table(made)}\n")
    return finding.go(found) and not made.problem


def _plan(profile: Profile, reading: Reading, wanted: Stack, sight: Sight) -> memory.Plan:
    """Plan the memory; engines that run hold their part already. Raises ConfigError if this isn't such a box."""
    up_now = [each.service for each in wanted.engines if each.name in sight.containers]
    running = [name.removeprefix(f"{profile.name}-") for name in up_now if _runs(wanted, name, sight)]
    return memory.plan(profile, memory.with_running(profile, memory.free(profile, reading), running))


def _runs(wanted: Stack, service: str, sight: Sight) -> bool:
    names = [each.name for each in wanted.all if each.service == service]
    return any(sight.containers[name].running for name in names if name in sight.containers)


def _check_bases(wanted: Stack, planned: Sequence[Step]) -> None:
    """Raise ConfigError if an image is to be built from a base that nobody has read yet."""
    built = [step.what for step in planned if step.do is Do.BUILD]
    for image in wanted.images:
        base = image.arguments.get("BASE_IMAGE", "")
        if image.name in built and "@unresolved" in base:
            raise ConfigError(f"{image.name} can't be built: {base}")


def _bring_up(order: Order, daemon: Daemon, wanted: Stack, means: Means) -> int:
    name = order.profile.name
    hearing = Hearing(lambda since: daemon.events(name, since), order.project, time.time())
    while True:
        run = Run(daemon, hearing, wanted, means, _planning(order, wanted, means))
        try:
            run.carry_out(order.choice)
            means.say(f"\n{order.profile.name} serves: http://127.0.0.1:{order.router.port} speaks OpenAI's API")
            if order.asked.detach:
                return 0
            means.say("watching what runs; Ctrl-C ends the watch, and nothing else")
            _watch(run, order.profile.name, means)
            return 0
        except Undraftable as error:
            means.say(_off(order, f"{error} died {deaths.BOUND} times"))
            wanted = order.wanted(drafters=False)


def _watch(run: Run, name: str, means: Means) -> None:
    """Watch until told to end."""
    try:
        run.watch()
    except KeyboardInterrupt:
        means.say(f"\nwhat was started goes on; polydraft up {name} watches it again, polydraft down {name} stops it")


def _planning(order: Order, wanted: Stack, means: Means) -> Callable[[Sight], None]:
    """Return what plans again, after a download: other tenants may have come meanwhile."""

    def plan(sight: Sight) -> None:
        try:
            made = _plan(order.served(drafters=wanted.owner.drafters), means.look(), wanted, sight)
        except ConfigError as error:
            raise Ended(str(error)) from error
        if made.problem:
            raise Ended(f"{memory.table(made)}\nthe models are there; polydraft up {order.profile.name} goes on")

    return plan


def _off(order: Order, why: str) -> str:
    name, services = order.profile.name, order.profile.served.model
    return "\n".join(
        [
            "",
            _RULE,
            f"SPECULATION IS OFF: {why}.",
            f"{services} is served by lane body alone: slower, with the same answers.",
            f"To turn it on again, once the cause is mended: polydraft up {name} --drafters",
            _RULE,
            "",
        ]
    )
