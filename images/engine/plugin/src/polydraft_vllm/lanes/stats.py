"""Counts of drafts by lane, carried from scheduler to front end inside vLLM's own statistics and exported there.

Adds a field to two of vLLM's dataclasses, which both processes encode by their fields. What vLLM counts stays as is.
"""

import dataclasses
from collections.abc import Mapping
from functools import wraps
from typing import Any

import prometheus_client
from vllm.v1.metrics.loggers import StatLoggerBase
from vllm.v1.metrics.stats import RequestSpecDecodeMetrics
from vllm.v1.spec_decode.metrics import SpecDecodingStats

from polydraft_vllm.lanes import config

_COUNTED = (
    ("polydraft:spec_decode_num_drafts", "Drafts verified, by lane."),
    ("polydraft:spec_decode_num_draft_tokens", "Draft tokens verified, by lane."),
    ("polydraft:spec_decode_num_accepted_tokens", "Draft tokens accepted, by lane."),
)
_PER_POSITION = "polydraft:spec_decode_num_accepted_tokens_per_pos"


def extend() -> None:
    """Give vLLM's per-step statistics `by_lane` and its per-request ones `lane`.

    `by_lane`: lane -> [drafts, draft tokens, accepted tokens, accepted at position 0, at position 1, ...].
    """
    if "by_lane" in SpecDecodingStats.__dataclass_fields__:
        return
    _add_field(SpecDecodingStats, "by_lane", dict[str, list[int]], dict)
    _add_field(RequestSpecDecodeMetrics, "lane", str, str)
    RequestSpecDecodeMetrics.to_dict = _naming_lane(RequestSpecDecodeMetrics.to_dict)


def _add_field(cls: Any, name: str, kind: Any, factory: Any) -> None:
    # The decorator keeps what a class has and took the factories away when it first ran: undo both.
    for made in ("__init__", "__repr__", "__eq__"):
        delattr(cls, made)
    for field in dataclasses.fields(cls):
        if field.default_factory is not dataclasses.MISSING:
            setattr(cls, field.name, field)
    cls.__annotations__[name] = kind
    setattr(cls, name, dataclasses.field(default_factory=factory))
    dataclasses.dataclass(cls)


def _naming_lane(stock: Any) -> Any:
    @wraps(stock)
    def to_dict(self: Any) -> dict[str, Any]:
        said: dict[str, Any] = stock(self)
        return {**said, "lane": self.lane} if self.lane else said

    return to_dict


class LaneStatLogger(StatLoggerBase):  # type: ignore[misc]
    """Exports the counts as Prometheus counters that are named as vLLM's, with a lane."""

    def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
        lanes = config.read(vllm_config.additional_config)
        self._engine = str(engine_index)
        self._model = vllm_config.model_config.served_model_name
        self._counters: list[prometheus_client.Counter] = []
        if lanes is not None:
            names = ["model_name", "engine", "lane"]
            self._counters = [_counter(name, said, names) for name, said in _COUNTED]
            self._per_position = _counter(
                _PER_POSITION, "Draft tokens accepted at a position, by lane.", [*names, "position"]
            )
            for lane in lanes.by_name.values():
                self._add(lane.name, [0] * (3 + lane.draft_tokens))

    def record(self, scheduler_stats: Any, iteration_stats: Any, *args: Any, **kwargs: Any) -> None:
        """Add one step's counts."""
        counts: Mapping[str, list[int]] = (
            getattr(getattr(scheduler_stats, "spec_decoding_stats", None), "by_lane", None) or {}
        )
        for lane, counted in counts.items():
            self._add(lane, counted)

    def _add(self, lane: str, counted: list[int]) -> None:
        if not self._counters:
            return
        for counter, amount in zip(self._counters, counted, strict=False):
            counter.labels(self._model, self._engine, lane).inc(amount)
        for position, amount in enumerate(counted[3:]):
            self._per_position.labels(self._model, self._engine, lane, str(position)).inc(amount)

    def log_engine_initialized(self) -> None:
        """Nothing to say at start."""


def _counter(name: str, said: str, labels: list[str]) -> prometheus_client.Counter:
    known = prometheus_client.REGISTRY._names_to_collectors.get(f"{name}_total")
    return known if isinstance(known, prometheus_client.Counter) else prometheus_client.Counter(name, said, labels)
