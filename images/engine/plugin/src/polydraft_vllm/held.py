"""Tells in an engine's /metrics what memory the engine holds, which vLLM doesn't say. Reads it when somebody asks.

Without a GPU that is what its processes hold (proportional set size: what several of them share is divided among them);
on GPUs with memory of their own it is what NVML counts there. Where a GPU shares the machine's memory it is both, since
neither has the other's, and nothing if NVML doesn't tell whose is whose. Whatever can't be read is left out, and never
breaks /metrics.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import prometheus_client
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_LOGGER = logging.getLogger(__name__)
_PROC = Path("/proc")


class Place(NamedTuple):
    """Bytes in one memory, `cpu` or `gpu0`: the engine's, everybody's, all there are. None is "not known"."""

    name: str
    engine: int | None
    used: int | None = None
    total: int | None = None


def family(root: int, proc: Path = _PROC) -> set[int]:
    """Return a process and all that descend from it."""
    parents: dict[int, int] = {}
    for stat in proc.glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):  # it has ended
            continue
    found, more = {root}, {root}
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - found
        found |= more
    return found


def proportional(pid: int, proc: Path = _PROC) -> int:
    """Return the bytes of memory that a process holds; 0 for one that has ended."""
    try:
        lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def on_gpus(own: set[int], devices: list[int], nvml: Any) -> Iterator[Place]:
    """Read the GPUs of these NVML indices, those that the processes `own` hold memory on, if NVML tells whose it is."""
    nvml.nvmlInit()
    try:
        places = [_on_gpu(own, device, nvml) for device in devices]
    finally:
        nvml.nvmlShutdown()
    mine = [place for place in places if place.engine]
    yield from mine or (place for place in places if place.used is not None)


def _on_gpu(own: set[int], device: int, nvml: Any) -> Place:
    handle = nvml.nvmlDeviceGetHandleByIndex(device)
    processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    place = Place(f"gpu{device}", sum(each.usedGpuMemory or 0 for each in processes if each.pid in own) or None)
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError_NotSupported:  # it shares the machine's memory
        return place
    return place._replace(used=int(memory.used), total=int(memory.total))


class _Held(Collector):
    """The metrics, made anew for every scrape by whichever process answers it: the front end, the others' parent."""

    def __init__(self, on_cpu: bool) -> None:
        self._on_cpu = on_cpu

    def describe(self) -> list[GaugeMetricFamily]:
        """Say nothing at registration: reading takes time."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give what is held now."""
        try:
            places = list(self._places())
        except Exception:
            _LOGGER.debug("what this engine holds can't be read", exc_info=True)
            return
        engine = GaugeMetricFamily("polydraft:engine_memory_bytes", "Memory that this engine holds.", labels=["place"])
        used = GaugeMetricFamily("polydraft:gpu_memory_used_bytes", "A GPU's memory in use.", labels=["place"])
        total = GaugeMetricFamily("polydraft:gpu_memory_total_bytes", "A GPU's memory.", labels=["place"])
        for place in places:
            told = ((engine, place.engine), (used, place.used), (total, place.total))
            for metric, value in told:
                if value is not None:
                    metric.add_metric([place.name], value)
        yield from (metric for metric in (engine, used, total) if metric.samples)

    def _places(self) -> Iterator[Place]:
        own = family(os.getpid())
        if self._on_cpu:
            yield Place("cpu", sum(map(proportional, own)))
            return
        from vllm.platforms import current_platform
        from vllm.third_party import pynvml

        seen = range(current_platform.device_count())
        devices = [current_platform.visible_device_id_to_physical_device_id(each) for each in seen]
        gpus = list(on_gpus(own, devices, pynvml))
        yield from gpus
        if any(place.used is None for place in gpus):
            yield Place("cpu", sum(map(proportional, own)))


def tell(on_cpu: bool) -> None:
    """Add the metrics to this process's; calling it again changes nothing."""
    registry = prometheus_client.REGISTRY
    if not any(isinstance(each, _Held) for each in registry._collector_to_names):
        registry.register(_Held(on_cpu))
