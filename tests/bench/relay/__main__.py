"""Compares the router with other relays on this machine, and prints a Markdown table of ratios to nginx.

All relays run at once, each pinned to the last core; engine and load share the first. They take turns, a scenario at a
time, so that whatever else the machine does hits all alike; a figure is the median over rounds of the ratio to nginx in
the same round. CPU time comes from /proc, since time by the clock depends on the machine's other work.
"""

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import uvloop

from tests.bench.relay import peers, syscalls
from tests.bench.relay.load import Scenario, Tally, drive, payloads
from tests.bench.relay.peers import Peer

BASE = "nginx"
DIFFERENT = 3_000
"""Payloads of a scenario that differ: no relay gets by on remembering them."""

_COUNTED = 1.5
"""Seconds in which system calls are counted: in fewer, those that set connections up are many of them."""

SCENARIOS = (
    Scenario("one stream at a time", 1, 1_024, chunks=2),
    Scenario("64 paced streams of 50 chunks", 64, 1_024, chunks=50, pace_ms=10),
    Scenario("64 paced streams of 250 chunks", 64, 1_024, chunks=250, pace_ms=10),
    Scenario("256 paced streams", 256, 1_024, chunks=50, pace_ms=40),
    Scenario("64 burst streams", 64, 1_024, chunks=50),
    Scenario("64 whole answers", 64, 1_024),
    Scenario("64 whole answers, 32 KB in", 64, 32_768),
)

Key = tuple[str, str]
"""A scenario and what was measured in it."""


def figures(scenario: Scenario, tally: Tally, cpu_seconds: float) -> dict[Key, float]:
    """Turn one turn's tally into figures, all in microseconds."""
    found: dict[str, float] = {}
    if scenario.connections == 1:
        found["first byte p50"] = median(tally.first_us)
    if scenario.chunks:
        found["CPU a chunk"] = cpu_seconds * 1e6 / tally.chunks
    else:
        found["CPU a request"] = cpu_seconds * 1e6 / tally.requests
        found["time p50"] = median(tally.total_us)
    if scenario.pace_ms and tally.delay_us:
        found["delay p50"] = median(tally.delay_us)
        found["delay p99"] = quantiles(tally.delay_us, n=100)[98]
    return {(scenario.name, name): value for name, value in found.items()}


def measure(running: list[Peer], asked: argparse.Namespace) -> dict[str, dict[Key, list[float]]]:
    """Give every peer's figures, one a round."""
    results: dict[str, dict[Key, list[float]]] = {peer.name: defaultdict(list) for peer in running}
    rounds, seconds = asked.rounds, asked.seconds
    for scenario in (scenario for scenario in SCENARIOS if asked.only in scenario.name):
        sent = payloads(scenario, DIFFERENT if scenario.payload_bytes < 10_000 else DIFFERENT // 10)
        for peer in running:  # warm up: connections, caches, compiled code
            uvloop.run(drive(peer.port, scenario, sent, seconds / 3))
        for number in range(rounds):
            for peer in running[number % len(running) :] + running[: number % len(running)]:
                before = peer.cpu_seconds()
                tally = uvloop.run(drive(peer.port, scenario, sent, seconds))
                used = peer.cpu_seconds() - before
                if tally.errors:
                    _say(f"{peer.name}, {scenario.name}: {tally.errors} of {tally.requests} answers were wrong")
                for key, value in figures(scenario, tally, used).items():
                    results[peer.name][key].append(value)
        if not syscalls.missing():
            for peer in running:
                if peer.process:
                    found = syscalls.counted(peer, scenario, sent, max(seconds, _COUNTED))
                    results[peer.name][scenario.name, f"syscalls a {_unit(scenario)}"].append(found)
        _say(f"{scenario.name}: done")
    return results


def _unit(scenario: Scenario) -> str:
    return "chunk" if scenario.chunks else "request"


def table(results: dict[str, dict[Key, list[float]]], resident: dict[str, float]) -> str:
    """Write the ratios to nginx, and in brackets their spread over the rounds."""
    names = list(results)
    keys = list(results[BASE])
    first = "ratio to nginx, median (lowest to highest round); syscalls as counted"
    lines = [f"| {first} | nginx, us | " + " | ".join(names[1:]) + " |"]
    lines.append("| --- " * (len(names) + 1) + "|")
    for key in keys:
        base = results[BASE][key]
        counted = key[1].startswith("syscalls")
        cells = [(_count if counted else _ratio)(results[name][key], base) for name in names[1:]]
        lines.append(f"| {key[0]}: {key[1]} | {median(base):.1f} | " + " | ".join(cells) + " |")
    sizes = " | ".join(f"{resident[name]:.0f} MB" for name in names[1:])
    return "\n".join([*lines, f"| resident memory afterwards | {resident[BASE]:.0f} MB | {sizes} |"])


def _count(values: list[float], _: list[float]) -> str:
    return f"{values[0]:.2f}" if values else ""


def _ratio(values: list[float], base: list[float]) -> str:
    if not any(values) or len(values) != len(base):
        return ""
    ratios = [value / other for value, other in zip(values, base, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


@contextlib.contextmanager
def engine(ports: list[int]) -> Iterator[None]:
    """Run the engine that costs next to nothing."""
    command = [sys.executable, "-m", "tests.bench.relay.upstream", *map(str, ports)]
    with subprocess.Popen(["taskset", "-c", "0", *command], cwd=peers.ROOT) as process:
        try:
            yield
        finally:
            process.kill()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-relay")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="how long a peer is loaded in a round")
    parser.add_argument("--peers", nargs="*", default=peers.installed())
    parser.add_argument("--only", default="", help="measure the scenarios whose name has this in it")
    asked = parser.parse_args()
    if BASE not in peers.installed():
        raise SystemExit("bench-relay compares with nginx: apt-get install nginx-light haproxy")
    if why := syscalls.missing():
        _say(why)
    os.sched_setaffinity(0, {0})
    core = (os.cpu_count() or 1) - 1
    engines = [peers.free_port(), peers.free_port()]
    direct = Peer("no relay", engines[0], None)
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(engine(engines))
        wanted = [name for name in peers.COMMANDS if name in {*asked.peers, BASE}]
        running = [
            stack.enter_context(peers.started(name, engines, place / str(number), core))
            for number, name in enumerate(wanted)
        ]
        results = measure([*running, direct], asked)
        resident = {peer.name: peer.resident_mb() for peer in [*running, direct]}
    missing = sorted(set(peers.COMMANDS) - set(wanted))
    sys.stdout.write(table(results, resident) + "\n")
    sys.stdout.write(f"\n{time.strftime('%Y-%m-%d')}, {_machine()}, {asked.rounds} rounds of {asked.seconds:g} s.")
    sys.stdout.write(f" Not measured: {', '.join(missing)}.\n" if missing else "\n")


def _machine() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
