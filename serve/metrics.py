"""Prometheus metrics: an observer of outcomes and of engines' readiness, on a registry that is passed in.

Every label's values are a closed set known at the start (lanes, engines, language tags, reasons, ends, positions), so
no client can make a time series. Ratios are left to PromQL: acceptance length is 1 + accepted / steps.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from serve.errors import EngineBusy
from serve.exposition import Family
from serve.routing.lane import Lane, engine_name
from serve.routing.language import UNDETERMINED
from serve.routing.ledger import Drift
from serve.routing.outcome import Outcome

_TTFT_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_TOKENS_PER_SECOND = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 400, 600, 1000)
_LAG_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
_LAG_INTERVAL = 0.1
"""Seconds between two measurements: ten wake-ups a second cost nothing, and a scrape sees hundreds of them."""
_KEYS = ("lane", "language")
_PLACE = ("lane", "engine")
F = TypeVar("F", Counter, Gauge, Histogram)
NONE = "none"
"""Lane and reason of a request that was rejected before a lane was chosen."""


class Metrics:
    """The router's own metrics; `observe` takes each finished request once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *more: str, labels: Sequence[str] = _KEYS) -> Counter:
            return kept(Counter(f"polydraft_{name}", text, (*labels, *more), registry=registry))

        def histogram(name: str, text: str, buckets: Sequence[float], labels: Sequence[str] = _KEYS) -> Histogram:
            return kept(Histogram(f"polydraft_{name}", text, labels, buckets=buckets, registry=registry))

        def kept(family: F) -> F:
            self.families.append(family)
            return family

        self.families: list[Family] = []
        self._children: dict[tuple[Family, tuple[str, ...]], Family] = {}

        self._requests = counter("requests", "Finished requests.", "reason", "end")
        self._unmeasured = counter("unmeasured_requests", "Requests on a drafting lane whose acceptance isn't known.")
        self._prompt = counter("prompt_tokens", "Prompt tokens, as the engine counts them.")
        self._completion = counter("completion_tokens", "Output tokens, as the engine counts them.")
        self._steps = counter("num_spec_steps", "Verification passes of measured requests.")
        self._drafted = counter("num_draft_tokens", "Draft tokens of measured requests.")
        self._accepted = counter("num_accepted_draft_tokens", "Accepted draft tokens of measured requests.")
        self._per_pos = counter(
            "num_accepted_draft_tokens_per_pos", "Accepted draft tokens of measured requests by position.", "position"
        )
        self._ttft = histogram("time_to_first_token_seconds", "From the request to its first token.", _TTFT_SECONDS)
        self._rate = histogram("decode_rate", "Output tokens per second after the first.", _TOKENS_PER_SECOND)
        self._in_flight = kept(
            Gauge("polydraft_in_flight_requests", "Requests an engine works on.", _PLACE, registry=registry)
        )
        self._waiting = kept(
            Gauge(
                "polydraft_waiting_requests",
                "Requests that wait for their engine's turn.",
                _PLACE,
                registry=registry,
            )
        )
        self._lessons = counter(
            "lessons", "Finished requests by what the ledger took of them.", "lesson", labels=("lane",)
        )
        self._drifts = counter("drifts", "Changes of lanes that the ledger noticed.", "what")
        self._turned_away = counter(
            "refused_requests", "Requests refused at the door, by the code of the error.", labels=("code",)
        )
        self._busy = counter(
            "busy_requests", "Requests rejected (429) because every engine's line was full.", labels=()
        )
        self._lag = histogram(
            "event_loop_lag_seconds", "How late the event loop woke a task that slept.", _LAG_SECONDS, labels=()
        )

    def track(self, lane: str, engine: str) -> "Counted":
        """Count a request as in flight on a lane's engine (its base URL) for as long as the context lasts."""
        return Counted(self._child(self._in_flight, (lane, engine_name(engine))))

    @contextmanager
    def waits(self, lane: str, engine: str) -> Iterator[None]:
        """Count a request as waiting for a lane's engine for as long as the context lasts."""
        gauge = self._waiting.labels(lane, engine_name(engine))
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def running(self, lane: Lane) -> int:
        """Say how many requests engines work on for a lane."""
        children = [self._child(self._in_flight, (lane.name, engine_name(url))) for url in lane.engines]
        return sum(int(child._value.get()) for child in children)

    def lesson(self, lane: str, lesson: str) -> None:
        """Count a request that the ledger learned from, or why it didn't."""
        self._child(self._lessons, (lane, lesson)).inc()

    def drift(self, drift: Drift) -> None:
        """Count a change of a lane."""
        self._drifts.labels(drift.lane, drift.language, drift.what).inc()

    def observe(self, outcome: Outcome) -> None:
        """Count one finished request."""
        lane, reason = (outcome.decision.lane, outcome.decision.reason) if outcome.decision else (NONE, NONE)
        keys = (lane, outcome.cell.language if outcome.cell else UNDETERMINED)
        child = self._child
        child(self._requests, (*keys, reason, outcome.end)).inc()
        child(self._prompt, keys).inc(outcome.prompt_tokens or 0)
        child(self._completion, keys).inc(outcome.completion_tokens or 0)
        if outcome.status == EngineBusy.status and outcome.end != "refused":  # which is an engine's own 429
            self._busy.inc()
        if outcome.unmeasured:
            child(self._unmeasured, keys).inc()
        if outcome.time_to_first_token is not None:
            child(self._ttft, keys).observe(outcome.time_to_first_token)
        if outcome.decode_rate is not None:
            child(self._rate, keys).observe(outcome.decode_rate)
        if acceptance := outcome.acceptance:
            child(self._steps, keys).inc(acceptance.num_spec_steps)
            child(self._drafted, keys).inc(acceptance.num_draft_tokens)
            child(self._accepted, keys).inc(acceptance.num_accepted_draft_tokens)
            for position, accepted in enumerate(acceptance.accepted_per_pos):
                child(self._per_pos, (*keys, str(position))).inc(accepted)

    def _child(self, family: F, labels: tuple[str, ...]) -> F:
        """Give a family's series; `labels` checks, converts and locks, at three times the cost of counting."""
        known = self._children.get((family, labels))
        if known is None:
            known = self._children[family, labels] = family.labels(*labels)
        return cast(F, known)

    def refused(self, code: str) -> None:
        """Count one request that wasn't let in; `code` is that of its error."""
        self._turned_away.labels(code).inc()

    async def watch_loop(self) -> None:
        """Measure the event loop's lag until cancelled: whatever holds the loop up, holds every stream up."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_INTERVAL
            await asyncio.sleep(_LAG_INTERVAL)
            self._lag.observe(max(0.0, loop.time() - due))


class Counted:
    """A context in which a gauge is one higher; a generator would take three times as long."""

    __slots__ = ("_gauge",)

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge

    def __enter__(self) -> None:
        self._gauge.inc()

    def __exit__(self, *_: object) -> None:
        self._gauge.dec()


class PerEngine(Collector):
    """A gauge of 0 or 1 for each engine of each lane, read when scraped, since the engines know it at any time."""

    def __init__(self, name: str, text: str, lanes: Sequence[Lane], read: Callable[[str], bool]) -> None:
        self._name, self._text = name, text
        self._lanes, self._read = lanes, read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the gauge."""
        family = GaugeMetricFamily(self._name, self._text, labels=_PLACE)
        for lane in self._lanes:
            for engine in lane.engines:
                family.add_metric((lane.name, engine_name(engine)), float(self._read(engine)))
        yield family


def engine_up(lanes: Sequence[Lane], is_ready: Callable[[str], bool]) -> PerEngine:
    """Make `polydraft_engine_up`: 1 while requests may go to the engine, known by its base URL."""
    return PerEngine("polydraft_engine_up", "Whether the lane's engine is up.", lanes, is_ready)


def breaker_open(lanes: Sequence[Lane], is_open: Callable[[str], bool]) -> PerEngine:
    """Make `polydraft_breaker_open`: 1 while the engine failed so often that it is left alone, or just tried."""
    return PerEngine("polydraft_breaker_open", "Whether the lane's engine is left alone.", lanes, is_open)
