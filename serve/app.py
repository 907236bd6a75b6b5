"""Wires the router: settings in, a running application out. The one place that makes clients, registry and watchers."""

import asyncio
import functools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics

from serve import access_log, api
from serve.admission import Admission
from serve.ledger.learner import Learner, Terms, Told
from serve.ledger.store import keep, opened
from serve.metrics import EngineUp, Metrics
from serve.proxy.relay import Wiring
from serve.proxy.upstream import Timeouts, Upstream
from serve.routing import cell
from serve.routing.language import Identify
from serve.routing.ledger import Ledger, State
from serve.settings import Settings

_KEEPALIVE = 3
"""Seconds that an idle connection to an engine is kept: below the 5 s after which vLLM's server closes its end."""

_KEEP_INTERVAL = 1
"""Seconds between two writes of what was learned: what a kill loses at most."""


@asynccontextmanager
async def running(settings: Settings, identify: Identify) -> AsyncIterator[FastAPI]:
    """Give the application while its engines are being watched; closes every connection at the end."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False, cookie_jar=jar) as client:
        upstreams = _upstreams(settings, client)
        metrics = Metrics(CollectorRegistry())
        learner, keeping = _learning(settings, metrics)
        watchers = [asyncio.create_task(work) for work in (*keeping, *(each.watch() for each in upstreams.values()))]
        try:
            yield api.build(_service(settings, upstreams, identify, metrics, learner))
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)


def _upstreams(settings: Settings, client: aiohttp.ClientSession) -> dict[str, Upstream]:
    timeouts = Timeouts(
        connect=settings.connect_timeout,
        silence=settings.silence_timeout,
        probe=settings.probe_timeout,
        probe_interval=settings.probe_interval,
    )
    return {lane.upstream: Upstream(lane.upstream.rstrip("/"), client, timeouts) for lane in settings.lanes}


def _learning(settings: Settings, metrics: Metrics) -> tuple[Learner | None, list[Coroutine[Any, Any, None]]]:
    """Make the policy that learns, if it is wanted; gives what has to run beside it.

    Raises ConfigError if its file can't be written.
    """
    if settings.policy == "static":
        return None, []
    store, state = opened(settings.ledger, settings.model) if settings.ledger else (None, State())
    ledger = Ledger(settings.lanes, settings.table, settings.half_life, state)
    rng = random.Random(settings.seed)  # noqa: S311  # which lane to try is no secret
    terms = Terms(settings.policy == "apply", settings.exploration, rng, time.time)
    learner = Learner(settings.lanes, ledger, terms, Told(metrics.lesson, metrics.drift))
    return learner, [keep(store, ledger.state, lambda: learner.changes, _KEEP_INTERVAL)] if store else []


def _service(
    settings: Settings, upstreams: dict[str, Upstream], identify: Identify, metrics: Metrics, learner: Learner | None
) -> api.Service:
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nothing here reads
    ProcessCollector(registry=metrics.registry)
    PlatformCollector(registry=metrics.registry)
    metrics.registry.register(EngineUp(settings.lanes, lambda lane: upstreams[lane.upstream].ready))
    lanes_of = Counter(lane.upstream for lane in settings.lanes)
    wiring = Wiring(
        model=settings.model,
        upstreams=upstreams,
        shared=frozenset(url for url, lanes in lanes_of.items() if lanes > 1),
        observers=(metrics.observe, access_log.observe, *([learner.observe] if learner else [])),
        track=functools.partial(learner.track, counted=metrics.track) if learner else metrics.track,
        clock=time.perf_counter,
    )
    classify = functools.partial(cell.classify, identify=identify)
    admission = Admission(settings.model, settings.lanes, settings.table, classify, learner)
    return api.Service(admission, wiring, metrics.registry, settings.max_payload_bytes)
