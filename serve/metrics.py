"""Prometheus metrics: an observer of outcomes and of engines' readiness, on a registry that is passed in.

Every label's values are a closed set known at the start (lanes, language tags, reasons, ends, positions), so no client
can make a time series. Ratios are left to PromQL: acceptance length is 1 + accepted / steps.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from serve.routing.lane import Lane
from serve.routing.language import UNDETERMINED
from serve.routing.ledger import Drift
from serve.routing.outcome import Outcome

_TTFT_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_TOKENS_PER_SECOND = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 400, 600, 1000)
_KEYS = ("lane", "language")
NONE = "none"
"""Lane and reason of a request that was rejected before a lane was chosen."""


class Metrics:
    """The router's own metrics; `observe` takes each finished request once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        def counter(name: str, text: str, *more: str, labels: Sequence[str] = _KEYS) -> Counter:
            return Counter(f"polydraft_{name}", text, (*labels, *more), registry=registry)

        def histogram(name: str, text: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(f"polydraft_{name}", text, _KEYS, buckets=buckets, registry=registry)

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
        self._lessons = counter(
            "lessons", "Finished requests by what the ledger took of them.", "lesson", labels=("lane",)
        )
        self._drifts = counter("drifts", "Changes of lanes that the ledger noticed.", "what")
        self._in_flight = Gauge(
            "polydraft_in_flight_requests", "Requests an engine works on.", ("lane",), registry=registry
        )

    @contextmanager
    def track(self, lane: str) -> Iterator[None]:
        """Count a request as in flight on a lane for as long as the context lasts."""
        gauge = self._in_flight.labels(lane)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def lesson(self, lane: str, lesson: str) -> None:
        """Count a request that the ledger learned from, or why it didn't."""
        self._lessons.labels(lane, lesson).inc()

    def drift(self, drift: Drift) -> None:
        """Count a change of a lane."""
        self._drifts.labels(drift.lane, drift.language, drift.what).inc()

    def observe(self, outcome: Outcome) -> None:
        """Count one finished request."""
        lane, reason = (outcome.decision.lane, outcome.decision.reason) if outcome.decision else (NONE, NONE)
        keys = (lane, outcome.cell.language if outcome.cell else UNDETERMINED)
        self._requests.labels(*keys, reason, outcome.end).inc()
        self._prompt.labels(*keys).inc(outcome.prompt_tokens or 0)
        self._completion.labels(*keys).inc(outcome.completion_tokens or 0)
        if outcome.unmeasured:
            self._unmeasured.labels(*keys).inc()
        if outcome.time_to_first_token is not None:
            self._ttft.labels(*keys).observe(outcome.time_to_first_token)
        if outcome.decode_rate is not None:
            self._rate.labels(*keys).observe(outcome.decode_rate)
        if acceptance := outcome.acceptance:
            self._steps.labels(*keys).inc(acceptance.num_spec_steps)
            self._drafted.labels(*keys).inc(acceptance.num_draft_tokens)
            self._accepted.labels(*keys).inc(acceptance.num_accepted_draft_tokens)
            for position, accepted in enumerate(acceptance.accepted_per_pos):
                self._per_pos.labels(*keys, str(position)).inc(accepted)


class EngineUp(Collector):
    """`polydraft_engine_up`: read when scraped, since the engines' watchers know it at any time."""

    def __init__(self, lanes: Sequence[Lane], is_ready: Callable[[Lane], bool]) -> None:
        self._lanes = lanes
        self._is_ready = is_ready

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give one gauge a lane: 1 while its engine's health check passes."""
        family = GaugeMetricFamily("polydraft_engine_up", "Whether the lane's engine is up.", labels=("lane",))
        for lane in self._lanes:
            family.add_metric((lane.name,), float(self._is_ready(lane)))
        yield family
