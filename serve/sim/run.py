"""Runs a simulated box: its engines and the real router before them, in this process, until told to stop."""

import asyncio
import functools
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from serve import app, server
from serve.backtest.trace import Known, written
from serve.deploy import profile as profiles
from serve.deploy.profile import Profile
from serve.errors import ConfigError
from serve.routing import cell
from serve.routing.lane import Lane
from serve.routing.language import Identify
from serve.settings import Settings, read
from serve.sim import figures, likeness
from serve.sim.box import Box
from serve.sim.engine import Engine, Nature
from serve.sim.report import LIMITS, report, seconds
from serve.sim.traffic import Traffic, send
from serve.sim.work import Seats, Work

Say = Callable[[str], None]
_SEATS = 16  # of a profile that doesn't say `max-num-seqs`


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate: a profile's box, how many times faster than life, from which seed; settings of the router.

    `trace` is where to write what every request would have taken on every lane.
    """

    profile: Profile
    speed: float
    seed: int
    traffic: Traffic
    settings: dict[str, Any]
    tabled: bool = True
    trace: Path | None = None


async def simulate(plan: Plan, identify: Identify, say: Say, progress: Callable[[int, int], None]) -> bool:
    """Start all of it; send its traffic and report, or serve until a signal where there is none.

    Tells whether all that was to be sent was: Ctrl-C ends that, with a report of what came until then.
    Raises ConfigError where there are no figures, or the router's address is taken.
    """
    works: list[Work] = []
    async with _engines(plan, identify, works.append) as (box, lanes):
        wanted = _settings(plan, lanes)
        listener = server.listen(wanted, "choose another --port")
        async with app.running(wanted, identify) as application:
            serving = server.Server(server.config(wanted, application))
            running = asyncio.create_task(serving.serve(sockets=[listener]))
            url = f"http://{wanted.host}:{listener.getsockname()[1]}"
            await _until_ready(serving, running)
            say(f"simulated {plan.profile.name} ({plan.profile.body}), {plan.speed:g} times as fast as life: {url}")
            if (source := _source(plan.profile)) != plan.profile.name:
                each = f"each of a lane's {len(lanes[0].engines)} engines"
                say(f"{each} is taken for a {source}, by the figures of that box")
            say(f"\n{LIMITS}\n")
            if not plan.traffic.requests:
                say("POST /v1/route shows what the router would do and why; Ctrl-C stops it.")
                await running
                return True
            with _interrupting(serving, running):
                await send(url, plan.traffic, random.Random(plan.seed + 1), progress)  # noqa: S311  # no secret
            whole, serving.should_exit = not serving.should_exit, True
            await running
    say(report(works, box, lanes))
    if plan.trace:
        truth = (_known(work, box, lanes) for work in works)
        plan.trace.write_text("".join(f"{written(each)}\n" for each in truth), encoding="utf-8")
    return whole


def _known(work: Work, box: Box, lanes: tuple[Lane, ...]) -> Known:
    """Say what was true of one request."""
    return Known(
        cell=work.cell,
        lane=work.lane.name,
        tokens=work.tokens,
        seconds=seconds(work, box, lanes),
        batch=max(1, round(work.batch)),
        prompt_tokens=work.prompt_tokens,
        acceptance_lengths={lane.name: box.length(lane, work.cell) for lane in lanes},
        draft_tokens={lane.name: lane.draft_tokens for lane in lanes},
    )


@contextmanager
def _interrupting(serving: server.Server, running: asyncio.Task[None]) -> Iterator[None]:
    """End what goes on in here as soon as the server ends, which is what Ctrl-C tells it to.

    A server that is about to end takes no connection any more, so that whoever sends may notice first.
    """
    here = asyncio.current_task()

    def stop(_: object) -> None:
        if here:
            here.cancel()

    running.add_done_callback(stop)
    try:
        yield
    except (asyncio.CancelledError, aiohttp.ClientError, ConfigError):
        if not (serving.should_exit or running.done()):
            raise
    finally:
        running.remove_done_callback(stop)


@asynccontextmanager
async def _engines(
    plan: Plan, identify: Identify, done: Callable[[Work], None]
) -> AsyncIterator[tuple[Box, tuple[Lane, ...]]]:
    """Run the engines of a profile's body on free ports of this machine; gives the truth, and the lanes."""
    profile = plan.profile
    known = figures.load(_source(profile), profile.body)
    lanes = {lane.name: Lane(lane.name, "", lane.method, lane.draft_tokens) for lane in profile.served.lanes}
    box = Box(known, profile.body, tuple(lanes.values()))
    rng = random.Random(plan.seed)  # noqa: S311  # no secret
    classify = functools.partial(cell.classify, identify=identify)
    nature = Nature(box, profile.served.served_model_name, classify, done, rng)
    async with AsyncExitStack() as stack:
        urls: dict[str, list[str]] = {name: [] for name in lanes}
        for engine in profile.served.engines * (profile.copies * profile.host.boxes):
            served = [lanes[lane.name] for lane in engine.lanes]
            limit = profile.engine_flags(profile.served, engine).get("max-num-seqs", _SEATS)
            seats = Seats(limit if isinstance(limit, int) else _SEATS, plan.speed)
            url = await stack.enter_async_context(_listening(Engine(nature, served, seats)))
            for lane in served:
                urls[lane.name].append(url)
        yield box, tuple(replace(lane, upstream=_upstream(urls[name])) for name, lane in lanes.items())


def _source(profile: Profile) -> str:
    """Name the profile whose figures each engine is made of; raises ConfigError where there are none."""
    return likeness.source(profile, [profiles.load_named(name) for name in figures.names()])


def _upstream(urls: list[str]) -> str | tuple[str, ...]:
    return urls[0] if len(urls) == 1 else tuple(urls)


@asynccontextmanager
async def _listening(engine: Engine) -> AsyncIterator[str]:
    runner = web.AppRunner(engine.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _settings(plan: Plan, lanes: tuple[Lane, ...]) -> Settings:
    """Give the router the profile's own settings before these engines; the environment has the rest.

    Without what is the real router's own there: made-up answers must teach its ledger nothing, and ask for no key.
    Raises ConfigError where the environment has what isn't one.
    """
    upstreams = {lane.name: lane.upstream for lane in lanes}
    wanted = plan.profile.router_environment(upstreams)
    table = json.loads(wanted["POLYDRAFT_TABLE"]) if plan.tabled else [_UNKNOWN]
    lanes_of = json.loads(wanted["POLYDRAFT_LANES"])
    own = {**plan.settings, **({} if plan.tabled else {"table_file": None})}
    return read(model=wanted["POLYDRAFT_MODEL"], lanes=lanes_of, table=table, **dict.fromkeys(_REAL), **own)


_REAL = ("ledger", "keys_file", "tls_cert_file", "tls_key_file", "engine_key_file", "traces_endpoint")
_UNKNOWN = {"language": "*", "task": "*", "candidates": []}


async def _until_ready(serving: server.Server, running: asyncio.Task[None]) -> None:
    while not serving.started:
        if running.done():
            raise ConfigError("the router didn't start")
        await asyncio.sleep(0.01)
