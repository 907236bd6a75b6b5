"""Wires the router: settings in, a running application out. The one place that makes clients, registry and watchers."""

import asyncio
import functools
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics

from serve import __version__, access_log, api, intake
from serve.admission import Admission
from serve.errors import RequestError
from serve.exposition import Exposition
from serve.intake import Service
from serve.ledger import shared
from serve.ledger.learner import Learner, Terms, Told
from serve.ledger.store import keep, opened
from serve.metrics import Metrics, breaker_open, engine_up
from serve.otel import Traces, exported
from serve.page import memory, routes, screen
from serve.page.cells import Rows
from serve.page.holdings import Holdings
from serve.page.live import Live
from serve.page.routes import Page
from serve.page.sources import Sources
from serve.page.view import View
from serve.proxy import pool
from serve.proxy.breaker import Breaker
from serve.proxy.dialect import PATHS
from serve.proxy.fleet import Fleet
from serve.proxy.job import Wiring
from serve.proxy.slots import Slots
from serve.proxy.upstream import Timeouts, Upstream
from serve.routing import cell
from serve.routing.holders import Holders
from serve.routing.language import Identify
from serve.routing.ledger import Drift, Ledger, State
from serve.security import door, keyfile, tls
from serve.security.door import Door, Limits
from serve.security.entrance import Entrance
from serve.security.sessions import Sessions
from serve.settings import Settings
from serve.tracing import Begin, passed_on

LOGGER = logging.getLogger(__name__)

_RELOAD_INTERVAL = 1
"""Seconds between two looks at the files of keys and certificate."""

_KEEP_INTERVAL = 1
"""Seconds between two writes of what was learned, or two exchanges: what a kill loses at most."""


@asynccontextmanager
async def running(settings: Settings, identify: Identify, traces: Traces | None = None) -> AsyncIterator[FastAPI]:
    """Give the application while its engines are being watched; closes every connection at the end.

    Traces go where the settings say, if they do, or where the caller wants them.
    """
    if traces is None and settings.traces_endpoint:
        traces = exported(settings.traces_endpoint)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=pool.KEEP)
    jar = aiohttp.DummyCookieJar()
    key = keyfile.bearer(settings.engine_key_file)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False, cookie_jar=jar, headers=key) as client:
        upstreams = _upstreams(settings, client, key)
        metrics = Metrics(CollectorRegistry())
        view = View(settings.lanes, time.time) if settings.page else None
        learner, keeping = _learning(settings, identify, _told(metrics, view))
        admission = _admission(settings, identify, learner)
        service = _service(settings, upstreams, admission, metrics, traces.begin if traces else passed_on, view)
        application = api.build(service, _keyless(settings))
        application.state.leave = _shown(settings, application, service, metrics, view) if view else _nothing
        application.state.client_timeout = settings.client_timeout
        application.state.direct = {
            PATHS[endpoint].encode(): functools.partial(intake.Generation, service, endpoint)
            for endpoint in intake.DIRECT
        }
        returned = learner.returned if learner else _ignored
        beside = [*_secure(settings, application, metrics), metrics.watch_loop(), *keeping]
        watchers = [_watching(work) for work in (*beside, *(each.watch(returned) for each in upstreams.values()))]
        try:
            yield application
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            for upstream in upstreams.values():
                upstream.close()
            if traces:
                await asyncio.to_thread(traces.close)


def _watching(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin what runs beside the requests; nobody waits for it, so that its death is told here or never."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            LOGGER.error("%s has died; it won't run again before a restart", task.get_name(), exc_info=error)

    task = asyncio.create_task(work, name=getattr(work, "__qualname__", "a watcher"))
    task.add_done_callback(ended)
    return task


def _upstreams(
    settings: Settings, client: aiohttp.ClientSession, credentials: Mapping[str, str]
) -> dict[str, Upstream]:
    timeouts = Timeouts(
        connect=settings.connect_timeout,
        first_byte=settings.first_byte_timeout,
        silence=settings.silence_timeout,
        whole=settings.whole_timeout,
        probe=settings.probe_timeout,
        probe_interval=settings.probe_interval,
    )

    def upstream(url: str) -> Upstream:
        slots = Slots(settings.max_running, settings.max_waiting, time.perf_counter)
        breaker = Breaker(settings.breaker_failures, settings.breaker_pause)
        return Upstream(url, client, timeouts, slots, breaker, credentials)

    return {url: upstream(url) for lane in settings.lanes for url in lane.engines}


def _keyless(settings: Settings) -> list[str] | None:
    """List the paths that need no key; None if no path needs one."""
    if settings.keys_file is None:
        return None
    return [path.decode() for path in (*door.KEYLESS, *([door.METRICS] if settings.open_metrics else []))]


def _secure(settings: Settings, application: FastAPI, metrics: Metrics) -> list[Coroutine[Any, Any, None]]:
    """Put the door before an application; gives what has to run beside it. Raises ConfigError for files of no use."""
    limits = Limits(
        head_bytes=settings.max_head_bytes,
        headers=settings.max_headers,
        head_seconds=settings.head_timeout,
        payload_seconds=settings.payload_timeout,
        connections=settings.max_connections,
    )
    file = keyfile.KeyFile(settings.keys_file) if settings.keys_file else None
    known = (lambda: file.keys) if file else None
    sessions = Sessions(time.monotonic) if settings.page else None
    entry = Door(limits, known, settings.open_metrics, settings.allowed_hosts, sessions)

    def refused(error: RequestError, method: bytes, target: bytes, request_id: str | None) -> None:
        metrics.refused(error.code or "")
        if request_id is not None:
            access_log.refused(error.status, method.decode("latin-1"), target.decode("latin-1"), request_id)

    entrance = application.state.entrance = Entrance(entry, refused)
    application.state.tls = None
    application.add_middleware(access_log.Others)
    watching = []
    if settings.tls_cert_file and settings.tls_key_file:
        certificate = tls.Certificate(settings.tls_cert_file, settings.tls_key_file)
        application.state.tls = tls.context(certificate)
        watching.append(tls.watch(application.state.tls, certificate, _RELOAD_INTERVAL))
    if file:
        watching.append(file.watch(_RELOAD_INTERVAL))
    return [*watching, entrance.watch()]


def _told(metrics: Metrics, view: View | None) -> Told:
    """Say who hears of what is learned: the metrics, and of drifts the page too."""

    def drifted(drift: Drift) -> None:
        metrics.drift(drift)
        if view:
            view.drift(drift)

    return Told(metrics.lesson, drifted)


def _learning(
    settings: Settings, identify: Identify, told: Told
) -> tuple[Learner | None, list[Coroutine[Any, Any, None]]]:
    """Make the policy that learns, if it is wanted; gives what has to run beside it.

    Raises ConfigError if its file can't be written, or its server's client isn't there.
    """
    if settings.policy == "static":
        return None, []
    place = settings.ledger
    server = shared.connected(place) if place and shared.is_shared(place) else None
    store, state = opened(Path(place), settings.model) if place and not server else (None, State())
    ledger = Ledger(settings.lanes, settings.table, settings.half_life, state)
    rng = random.Random(settings.seed)  # noqa: S311  # which lane to try is no secret
    terms = Terms(settings.policy == "apply", settings.exploration, rng, time.time, identify)
    learner = Learner(settings.lanes, ledger, terms, told)
    if server:
        sharing = shared.Shared(server, ledger, settings.model, settings.half_life)
        return learner, [shared.share(sharing, time.time, _KEEP_INTERVAL)]
    return learner, [keep(store, ledger.state, lambda: learner.changes, _KEEP_INTERVAL)] if store else []


def _admission(settings: Settings, identify: Identify, learner: Learner | None) -> Admission:
    classify = functools.partial(cell.classify, identify=identify)
    return Admission(settings.model, settings.lanes, settings.table, classify, learner)


def _service(
    settings: Settings,
    upstreams: dict[str, Upstream],
    admission: Admission,
    metrics: Metrics,
    begin_trace: Begin,
    view: View | None,
) -> Service:
    # They would be a second series for every counter, which nothing here reads.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(engine_up(settings.lanes, lambda engine: upstreams[engine].ready))
    registry.register(breaker_open(settings.lanes, lambda engine: upstreams[engine].left_alone))
    learner = admission.learner
    more = [*([learner.observe] if learner else []), *([view.observe] if view else [])]
    wiring = Wiring(
        model=settings.model,
        fleet=Fleet(settings.lanes, upstreams, learner.holders if learner else Holders()),
        observers=(metrics.observe, access_log.observe, *more),
        track=functools.partial(learner.track, counted=metrics.track) if learner else metrics.track,
        waits=metrics.waits,
        clock=time.perf_counter,
        ping=settings.ping_interval,
        sampled=learner is not None,
    )
    exposition = Exposition(metrics.families)
    return Service(admission, wiring, registry, exposition, settings.max_payload_bytes, begin_trace)


def _shown(
    settings: Settings, application: FastAPI, service: Service, metrics: Metrics, view: View
) -> Callable[[], None]:
    """Put the live page on an application; gives what ends its streams."""
    learner, upstreams = service.admission.learner, service.wiring.fleet.upstreams
    holdings = Holdings(upstreams)
    sources = Sources(
        model=settings.model,
        version=__version__,
        policy=settings.policy,
        exploration=settings.exploration if settings.policy == "apply" else 0.0,
        table=settings.table,
        view=view,
        upstreams=upstreams,
        in_flight=metrics.running,
        memory=memory.read,
        planned=settings.planned_memory_gib,
        holding=holdings.last,
        learner=learner,
    )
    live = Live(view, functools.partial(screen.state, sources, Rows(sources)), holdings.follow)
    application.state.page = Page(sources, live, secure=settings.behind_tls or settings.tls_cert_file is not None)
    application.include_router(routes.router)
    return live.close


def _ignored(engine: str) -> None:
    """Without a policy that learns nobody asks whether an engine came back with other drafters."""


def _nothing() -> None:
    """There is no page whose streams would have to end."""
