"""Runs a profile on this machine without Docker: its engines and the router, as children that never outlive it.

Engines log to files; this process prints one line for each thing that a person waits for, and the addresses at the end.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import shlex
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from serve.deploy import memory
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.profile import Profile
from serve.deploy.reading import MEMORY, port_taken, take
from serve.errors import ConfigError

Say = Callable[[str], None]

_DRAIN = 10
"""Seconds that running answers get to finish; whoever pressed Ctrl-C is waiting."""
_GRACE = _DRAIN + 5.0
"""Seconds that a child gets between SIGTERM and SIGKILL; an idle vLLM on the CPU takes 1 to 3."""
_POLL = 0.5
_LOG_TAIL = 12
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are: the repository, vLLM's command, the folder for logs, the router, the first engine's port.

    `tls` and `keyed`: whether the router, whose other settings come from the environment, speaks TLS and asks for keys.
    """

    root: Path
    vllm: Path
    logs: Path
    router: Address
    engine_port: int
    tls: bool = False
    keyed: bool = False

    @property
    def url(self) -> str:
        """The address at which this machine reaches the router."""
        host = "127.0.0.1" if self.router.host in ("0.0.0.0", "::") else self.router.host  # noqa: S104  not bound
        named = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{named}:{self.router.port}"


@dataclass(frozen=True, slots=True)
class Child:
    """A process that was started, what people call it, and its log."""

    name: str
    process: Process
    log: Path


async def up(profile: Profile, place: Place, say: Say) -> int:
    """Start everything, wait until told to stop, stop everything; return the exit code.

    Told to before every lane is ready, that is 128 and the signal's number: it wasn't done.
    The profile's engines may start all at once: that is for CPUs alone. Raises ConfigError before anything was started
    if a port is taken, vLLM isn't installed or the engines don't fit into the memory that is free.
    """
    _check_all(profile, place, say)
    _adopt_orphans()
    loop = asyncio.get_running_loop()
    told: asyncio.Future[int] = loop.create_future()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _tell, told, number)
    children: list[Child] = []
    try:
        return await _run(profile, place, say, told, children)
    finally:
        if children:
            say(f"stopping; running answers get {_DRAIN} s ...")
            await asyncio.shield(_stop_all(children))
            left = [child.name for child in children if _alive(child.process.pid)]
            say(f"stopped, but {', '.join(left)} is still there" if left else "stopped; no process is left")


def preview(profile: Profile, place: Place, say: Say) -> None:
    """Say what `up` would run, and start nothing; raises ConfigError as `up` does."""
    _check_all(profile, place, say)
    for engine in profile.served.engines:
        say(shlex.join([*_assigned(engine_environment(profile)), *_engine_command(profile, engine.name, place)]))
    say(shlex.join([*_assigned(_router_environment(profile, place)), *_router_command()]))


def _check_all(profile: Profile, place: Place, say: Say) -> None:
    _check(profile, place)
    planned = memory.plan(profile, memory.free(profile, take(MEMORY, [])))
    memory.check(planned)
    say(f"memory: the engines take {planned.held:.1f} of {planned.pool.free:.1f} GiB that are available")


async def _run(profile: Profile, place: Place, say: Say, told: asyncio.Future[int], children: list[Child]) -> int:
    started = time.monotonic()
    place.logs.mkdir(parents=True, exist_ok=True)
    for engine in profile.served.engines:
        command = _engine_command(profile, engine.name, place)
        children.append(await _start(engine.name, command, engine_environment(profile), place))
        say(f"engine {engine.name}: loading; log in {children[-1].log}")
    router = await _start("router", _router_command(), _router_environment(profile, place), place)
    children.append(router)
    waiting = asyncio.create_task(_until_ready(profile, place.url, say, started))
    dead = asyncio.create_task(_first_death(children))
    try:
        ends: set[asyncio.Future[Any]] = {told, dead}
        await asyncio.wait({waiting, *ends}, return_when=asyncio.FIRST_COMPLETED)
        served = waiting.done() and not dead.done() and not told.done()
        if served:
            waiting.result()
            say(_ready_text(profile, place, time.monotonic() - started))
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            return 0 if served else 128 + told.result()
        say(_obituary(dead.result()))
        return 1
    finally:
        for task in (waiting, dead):
            task.cancel()
        await asyncio.gather(waiting, dead, return_exceptions=True)


def _tell(told: asyncio.Future[int], number: int) -> None:
    """Note the first signal; who presses Ctrl-C twice has nothing else in mind."""
    if not told.done():
        told.set_result(number)


def _check(profile: Profile, place: Place) -> None:
    if not place.vllm.exists():
        raise ConfigError(f"{place.vllm} isn't there; run `make setup`, or name vLLM's command with --vllm")
    ports = [
        place.router.port,
        *(profile.engine_port(engine.name, place.engine_port) for engine in profile.served.engines),
    ]
    if len(set(ports)) < len(ports) or max(ports) > 65535:
        raise ConfigError(f"ports {', '.join(map(str, ports))} must differ and be at most 65535; change --engine-port")
    for port in ports:
        if taken := port_taken(port):
            called = sys.argv[0]  # the command needn't be on PATH
            fix = f"stop what listens there, or run: {called} up {profile.name} --port 8200 --engine-port 8301"
            raise ConfigError(f"port {port} is taken ({taken}); {fix}")


def _adopt_orphans() -> None:
    """Become the parent of workers whose engine dies, so that they can be reaped where init doesn't (in containers)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _assigned(environment: Mapping[str, str]) -> list[str]:
    return ["env", *(f"{key}={value}" for key, value in environment.items())]


async def _start(name: str, command: Sequence[str], environment: Mapping[str, str], place: Place) -> Child:
    """Start a child in a session of its own, so that Ctrl-C reaches only us; it ends with us even if we are killed."""
    log = place.logs / f"{name}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "TERM", *_assigned(environment), *command,
            stdin=DEVNULL, stdout=output, stderr=output, cwd=place.root, start_new_session=True,
        )  # fmt: skip
    return Child(name, process, log)


def _engine_command(profile: Profile, engine: str, place: Place) -> list[str]:
    address = Address("127.0.0.1", profile.engine_port(engine, place.engine_port))
    return [str(place.vllm), "serve", *engine_args(profile, engine, address, place.root)]


def _router_command() -> list[str]:
    return [sys.executable, "-m", "serve", "serve"]


def _router_environment(profile: Profile, place: Place) -> dict[str, str]:
    upstreams = profile.upstreams(place.engine_port)
    own = {
        "POLYDRAFT_HOST": place.router.host,
        "POLYDRAFT_PORT": str(place.router.port),
        "POLYDRAFT_DRAIN_TIMEOUT": str(_DRAIN),
        "POLYDRAFT_PLANNED_MEMORY_GIB": memory.planned(profile, upstreams),
    }
    return {**profile.router_environment(upstreams), **own}


async def _until_ready(profile: Profile, router: str, say: Say, started: float) -> None:
    """Wait until the router reports every lane as ready; say so for each as it comes."""
    missing = {lane.name for lane in profile.served.lanes}
    url = f"{router}/readyz"
    said = started
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as client:
        while missing:
            await asyncio.sleep(_POLL)
            lanes = await _lanes(client, url)
            for name in sorted(name for name in missing if lanes.get(name)):
                missing.discard(name)
                say(f"lane {name}: ready after {time.monotonic() - started:.0f} s")
                said = time.monotonic()
            if missing and time.monotonic() - said > 10:
                said = time.monotonic()
                say(f"still loading after {said - started:.0f} s: {', '.join(sorted(missing))}")


async def _lanes(client: aiohttp.ClientSession, url: str) -> dict[str, bool]:
    try:
        async with client.get(url, ssl=False) as response:  # its certificate names the box, not this address
            lanes: dict[str, bool] = (await response.json())["lanes"]
            return lanes
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError):
        return {}


async def _first_death(children: Sequence[Child]) -> Child:
    waits = {asyncio.create_task(child.process.wait()): child for child in children}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return waits[done.pop()]
    finally:
        for wait in waits:
            wait.cancel()


def _ready_text(profile: Profile, place: Place, seconds: float) -> str:
    lines = [f"every lane is ready after {seconds:.0f} s; {place.url} speaks OpenAI's API. Try:", ""]
    if place.keyed:
        lines += ["  KEY=...  # one of POLYDRAFT_KEYS_FILE; `polydraft keys add` makes another", ""]
    curl = f"curl -i{' -k' if place.tls else ''} {place.url}/v1/chat/completions -H 'content-type: application/json' "
    curl += '-H "authorization: Bearer $KEY" ' if place.keyed else ""
    for example in profile.served.examples:
        payload = {"messages": [{"role": "user", "content": example.prompt}], "max_tokens": 200, "temperature": 0}
        command = f"{curl}-d {shlex.quote(json.dumps(payload, ensure_ascii=False))}"
        lines += [f"  # {example.says}", f"  {command}", ""]
    return "\n".join([*lines, "Ctrl-C stops everything.", "", f"See it work: {place.url}/"])


def _obituary(child: Child) -> str:
    """Say which child died and how its log ends; engines log no prompts."""
    with contextlib.suppress(OSError):
        tail = child.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
        return "\n".join([f"{child.name} stopped (exit code {child.process.returncode}); its log ends:", *tail])
    return f"{child.name} stopped (exit code {child.process.returncode})"


async def _stop_all(children: Sequence[Child]) -> None:
    """End the router first, so that nothing is sent to an engine that goes; then the engines together."""
    for group in ([c for c in children if c.name == "router"], [c for c in children if c.name != "router"]):
        await asyncio.gather(*(_stop(child) for child in group))
    _reap_orphans()


async def _stop(child: Child) -> None:
    """Ask a child and all that it started to end, and kill what hasn't ended after the grace time."""
    group = child.process.pid
    _signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    while _alive(group) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    _signal_group(group, signal.SIGKILL)
    await child.process.wait()


def _reap_orphans() -> None:
    """Collect adopted workers that have ended; our own children are waited for already."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _alive(group: int) -> bool:
    """Tell whether a process of the group still runs; zombies, which killpg would count, don't."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, member_of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(member_of) == group and state not in "ZX":
                return True
    return False
