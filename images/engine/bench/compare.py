"""Times one engine with every lane against engines that have one each: `make bench-engine`.

One process a configuration, all loaded first, then timed in turns, so that a machine's drift meets all alike. Prints
a Markdown table after every round: steps per second of each lane as a ratio to its own engine's in the same round,
median and range. Tokens per second are those of a full batch, with what a lane's step gives in all its rounds: which
drafts a single round has accepted is luck, and the fewer requests, the more of it.
Needs a GPU and vLLM with the plugin.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from families import Family, real, toy

BATCHES = (1, 4, 16)
LANES = ("body", "mtp", "eagle3")
MIXES = (("body", "mtp"), ("body", "eagle3"), ("mtp", "eagle3"), ("body", "mtp", "eagle3"))
COMMON = {
    "max_model_len": 2048, "max_num_seqs": 16, "max_num_batched_tokens": 2048, "seed": 0, "disable_log_stats": False,
    "kv_cache_memory_bytes": 4 << 30, "gpu_memory_utilization": 0.2, "enable_prefix_caching": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timed:
    """One measurement: steps a second, tokens a step and request."""

    steps: float
    length: float


Found = dict[tuple[str, str, int], list[Timed]]
"""Measurements by engine, lanes (joined by `+`) and batch, one a round."""


class Engine:
    """An engine process, asked over its standard input."""

    def __init__(self, name: str, arguments: dict[str, Any], log: Path) -> None:
        self.name = name
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, Path(__file__).parent / "engine.py", json.dumps({"engine": COMMON | arguments})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )

    def answer(self) -> dict[str, Any]:
        """The next result. Raises RuntimeError if the engine ends instead."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("RESULT "):
                result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
                return result
        raise RuntimeError(f"engine {self.name} ended; its log says why")

    def time(self, lanes: Sequence[str | None], tokens: Sequence[int], *, profile: bool = False) -> Timed:
        """Generate `tokens` for a request in each of `lanes`, all at once."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"lanes": lanes, "tokens": tokens, "profile": profile}) + "\n")
        self.process.stdin.flush()
        result = self.answer()
        length = sum(tokens) / sum(result["steps"])
        return Timed(max(result["steps"]) / result["seconds"], length)


def configurations(family: Family, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The engines' arguments by name: without a drafter, with one each, and with all lanes."""
    drafting = {"per_request_spec_decode_metrics": "summary"}
    every = {
        "body": family.engine,
        **{name: {**family.engine, **drafting, "speculative_config": d} for name, d in family.drafters.items()},
        "lanes": {**family.engine, **drafting, "additional_config": {"polydraft": {"drafters": family.drafters}}},
    }
    return {name: every[name] for name in names}


def dealt(plan: Sequence[str], batch: int) -> list[str]:
    """The lane of each request of a batch."""
    return [plan[i % len(plan)] for i in range(batch)]


def rounds(engines: dict[str, Engine], count: int, steps: int) -> Iterator[Found]:
    """Time everything in turns `count` times, after a round that isn't counted; yields all that was found by then.

    Every request gets the tokens that its lane makes in `steps` steps, so that all lanes
    are timed over contexts of one length, and a mixed batch stays mixed to its end.
    """
    found: Found = {}
    lengths = dict.fromkeys(LANES, 1.0)
    for number in range(count + 1):
        measured = dict(lengths)
        for batch, (name, engine) in itertools.product(BATCHES, engines.items()):
            single = LANES if name == "lanes" else (name,)
            mixes = MIXES if name == "lanes" and batch > 1 else ()
            for plan in (*((lane,) for lane in single), *mixes):
                lanes = dealt(plan, batch)
                wanted = [round(steps * lengths[lane]) for lane in lanes]
                timed = engine.time(lanes if name == "lanes" else [None] * batch, wanted)
                if len(plan) == 1:
                    measured[plan[0]] = timed.length
                if number:
                    found.setdefault((name, "+".join(plan), batch), []).append(timed)
        lengths = measured
        yield found


def table(found: Found) -> str:
    """The ratios as Markdown; a mixed batch is held against the slowest of its lanes, batched alone."""
    lines = [
        "| batch | lane | tokens/s | steps/s | its own engine, steps/s | ratio | range |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, lanes, batch), timed in found.items():
        if name != "lanes":
            continue
        if own := found.get((lanes, lanes, batch)):
            ratios = [t.steps / o.steps for t, o in zip(timed, own, strict=True)]
            against = f"{_steps(own):.1f}"
        else:
            slowest = min(lanes.split("+"), key=lambda lane: _median_rate(found, lane, batch))
            ratios = [a / b for a, b in zip(_rates(found, lanes, batch), _rates(found, slowest, batch), strict=True)]
            against = f"slowest lane: {_median_rate(found, slowest, batch):.0f} tokens/s"
        lines.append(
            f"| {batch} | {lanes.replace('+', ' + ')} | {_median_rate(found, lanes, batch):.0f} | {_steps(timed):.1f} "
            f"| {against} | {statistics.median(ratios):.3f} | {min(ratios):.3f} to {max(ratios):.3f} |"
        )
    return "\n".join(lines)


def _steps(timed: Sequence[Timed]) -> float:
    return statistics.median(t.steps for t in timed)


def _median_rate(found: Found, lanes: str, batch: int) -> float:
    return statistics.median(_rates(found, lanes, batch))


def _rates(found: Found, lanes: str, batch: int) -> list[float]:
    """Tokens per second of each round, while all requests of the batch run."""
    tokens = sum(_tokens_a_step(found, lane) for lane in dealt(lanes.split("+"), batch))
    return [timed.steps * tokens for timed in found["lanes", lanes, batch]]


def _tokens_a_step(found: Found, lane: str) -> float:
    """What a request of a lane gets from a step, by all rounds and batches of that lane alone."""
    alone = [
        (batch, t.length)
        for (name, lanes, batch), all_ in found.items()
        if (name, lanes) == ("lanes", lane)
        for t in all_
    ]
    return sum(batch * length for batch, length in alone) / sum(batch for batch, _ in alone)


def main() -> int:
    """Load, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--family", choices=("toy", "real"), default="toy")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, default=128, help="of each request; a lane's tokens are so many times more"
    )
    parser.add_argument("--engines", default="body,mtp,eagle3,lanes")
    parser.add_argument("--profile", choices=LANES, help="at the end write to the logs what a full batch of it spends")
    parser.add_argument("--logs", type=Path, default=Path(tempfile.gettempdir()) / "bench-engine")
    given = parser.parse_args()
    given.logs.mkdir(parents=True, exist_ok=True)
    family = toy() if given.family == "toy" else real(given.logs / "shapes")
    begun = time.perf_counter()
    engines = {
        name: Engine(name, arguments, given.logs / f"{given.family}-{name}.log")
        for name, arguments in configurations(family, given.engines.split(",")).items()
    }
    out = sys.stdout.write
    for name, engine in engines.items():
        said = engine.answer()
        out(f"{name}: ready after {said['started']} s, {said['memory']} GiB\n")
        sys.stdout.flush()
    out(f"all ready after {time.perf_counter() - begun:.0f} s\n")
    sys.stdout.flush()
    for number, found in enumerate(rounds(engines, given.rounds, given.steps)):
        out(f"\nafter {number} of {given.rounds} rounds\n\n{table(found)}\n" if number else "warm\n")
        sys.stdout.flush()
    for name in {given.profile, "lanes"} & engines.keys() if given.profile else ():
        lane = given.profile if name == "lanes" else None
        engines[name].time([lane] * BATCHES[-1], [64] * BATCHES[-1], profile=True)
    os._exit(0)  # the engines end with their standard input


if __name__ == "__main__":
    sys.exit(main())
