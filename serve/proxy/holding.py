"""What an engine's /metrics say of its memory: what it holds, by our plugin, and its KV cache, by vLLM.

Reads the few lines that it needs; what isn't there, as in a vLLM without the plugin, isn't known. `process_*` in the
same text is of vLLM's front end alone, a third of what the demo's engines hold, and is never taken for the engine.
"""

import re
from typing import NamedTuple

_SAMPLE = re.compile(rb'^polydraft:(engine|gpu)_memory_(used_|total_)?bytes\{place="(\w+)"\} (\S+)', re.MULTILINE)
_OF = (b"engine", b"used_", b"total_")
_KV_USED = re.compile(rb"^vllm:kv_cache_usage_perc\{[^}\n]*\} (\S+)", re.MULTILINE)
_KV_ROOM = re.compile(rb'^vllm:cache_config_info\{[^\n]*\bkv_cache_max_concurrency="([\d.]+)"', re.MULTILINE)


class Place(NamedTuple):
    """GiB in one memory, `cpu` or `gpu0`: what the engine holds, what everybody does, what there is; None: unknown."""

    name: str
    engine: float | None
    used: float | None
    total: float | None


class Holding(NamedTuple):
    """What an engine holds, by place; of its KV cache the share in use, and the longest requests it has room for."""

    places: tuple[Place, ...]
    kv_used: float | None
    kv_room: float | None


def read(metrics: bytes) -> Holding:
    """Read what an engine's metrics, in Prometheus' text format, say of its memory."""
    found: dict[str, dict[bytes, float]] = {}
    for what, of, place, value in _SAMPLE.findall(metrics):
        found.setdefault(place.decode(), {})[of or what] = _number(value) / 2**30
    return Holding(
        tuple(Place(each, *(told.get(of) for of in _OF)) for each, told in sorted(found.items())),
        # Of several, as with data parallelism, the fullest one.
        kv_used=max(map(_number, _KV_USED.findall(metrics)), default=None),
        kv_room=min(map(_number, _KV_ROOM.findall(metrics)), default=None),
    )


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
