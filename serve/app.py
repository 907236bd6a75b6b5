"""Wires the router: settings in, a running application out. The one place that makes clients, registry and watchers."""

import asyncio
import functools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics

from serve import access_log, api
from serve.admission import Admission
from serve.metrics import EngineUp, Metrics
from serve.proxy.relay import Wiring
from serve.proxy.upstream import Timeouts, Upstream
from serve.routing import cell
from serve.routing.language import Identify
from serve.settings import Settings

_KEEPALIVE = 3
"""Seconds that an idle connection to an engine is kept: below the 5 s after which vLLM's server closes its end."""


@asynccontextmanager
async def running(settings: Settings, identify: Identify) -> AsyncIterator[FastAPI]:
    """Give the application while its engines are being watched; closes every connection at the end."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False, cookie_jar=jar) as client:
        upstreams = _upstreams(settings, client)
        watchers = [asyncio.create_task(upstream.watch()) for upstream in upstreams.values()]
        try:
            yield api.build(_service(settings, upstreams, identify))
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


def _service(settings: Settings, upstreams: dict[str, Upstream], identify: Identify) -> api.Service:
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nothing here reads
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(EngineUp(settings.lanes, lambda lane: upstreams[lane.upstream].ready))
    metrics = Metrics(registry)
    lanes_of = Counter(lane.upstream for lane in settings.lanes)
    wiring = Wiring(
        model=settings.model,
        upstreams=upstreams,
        shared=frozenset(url for url, lanes in lanes_of.items() if lanes > 1),
        observers=(metrics.observe, access_log.observe),
        track=metrics.track,
        clock=time.perf_counter,
    )
    classify = functools.partial(cell.classify, identify=identify)
    admission = Admission(settings.model, settings.lanes, settings.table, classify)
    return api.Service(admission, wiring, registry, settings.max_payload_bytes)
