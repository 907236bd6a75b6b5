"""What the policy that learns reaches on the made-up box, against the oracle, each fixed lane and the body.

    python -m tests.serve.ledger.bench_policy [SEEDS]

Rates are expected ones, so that they don't depend on luck; a row gives the mean over the seeds, and the worst. Every
seed has drafters of its own, which nothing was tuned on.
"""

import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from serve.routing.cell import Cell
from tests.serve.ledger import box as boxes
from tests.serve.ledger.box import LANES, LANGUAGES, TASKS, Box, Served, learner, of_lane, of_oracle, serve, trace

NUMBER = 5000
CHANGE = 2000
_WINDOW = 200
_FIRST_SEED = 100
_STRANGE = 0.7
"""Log-odds by which each seed's drafters differ from those that the policy was made with, in each language and task."""


def steady(seed: int, steps: dict[str, float], number: int = NUMBER) -> dict[str, float]:
    """Serve a trace on a box that stays as it is; gives the shares that the goals speak of."""
    box = Box(random.Random(seed), steps=steps, strange=_STRANGE)
    table = perfect(box)
    served = serve(learner(seed), box, trace(random.Random(1000 + seed), number))
    return {
        "first 500, of the oracle": of_oracle(served[:500]),
        "500 to 1,000": of_oracle(served[500:1000]),
        "all": of_oracle(served),
        "last 1,000": of_oracle(served[-1000:]),
        "all, of the best fixed lane": min(of_lane(served, lane.name) for lane in LANES),
        "worst 200 of a cell, of the body": worst_window(served),
        "a perfect table, of the oracle": of_oracle(by_table(served, table)),
    }


def perfect(box: Box) -> dict[Cell, str]:
    """The lane that is the fastest in each cell alone on the box: what a bench without end would put into a table."""
    cells = (Cell(language, task, "chat", False) for language in LANGUAGES for task in TASKS)
    return {cell: max(LANES, key=lambda lane: box.rate(lane, cell, 1)).name for cell in cells}


def by_table(served: list[Served], table: dict[Cell, str]) -> list[Served]:
    """The same requests, each on the lane that a table gives it."""
    return [replace(each, lane=table[each.cell]) for each in served]


def worst_window(served: list[Served]) -> float:
    """The lowest share of the body's rate over 200 requests in a row of any cell."""
    cells = defaultdict(list)
    for each in served:
        cells[each.cell].append(each)
    windows = [rows[at : at + _WINDOW] for rows in cells.values() for at in range(len(rows) - _WINDOW + 1)]
    return min(of_lane(window, "body") for window in windows)


def changed(seed: int, lane: str, by: float) -> dict[str, float]:
    """Serve a trace in the middle of which a drafter changes; gives the shares of the oracle after that."""
    box = Box(random.Random(seed), strange=_STRANGE)

    def change(index: int) -> None:
        if index == CHANGE:
            box.shift[lane] += by

    table = perfect(box)
    served = serve(learner(seed), box, trace(random.Random(1000 + seed), CHANGE + 500), change)
    later = served[CHANGE + 150 :]
    return {
        "first 150": of_oracle(served[CHANGE : CHANGE + 150]),
        "150 to 500": of_oracle(later),
        "150 to 500, the table that was perfect": of_oracle(by_table(later, table)),
    }


def _report(title: str, run: Callable[[int], dict[str, float]], seeds: int) -> None:
    rows = [run(_FIRST_SEED + seed) for seed in range(seeds)]
    print(title)  # noqa: T201
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"  {name:<40} {statistics.mean(values):.3f}  (worst {min(values):.3f})")  # noqa: T201


def main() -> None:
    """Print all figures."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    started = time.perf_counter()
    _report("drafting is cheap", lambda seed: steady(seed, boxes.FAST), seeds)
    _report("drafting is dear", lambda seed: steady(seed, boxes.DEAR), seeds)
    _report("drafting rarely pays", lambda seed: steady(seed, boxes.USELESS), seeds)
    _report("one drafter gets worse, of the oracle", lambda seed: changed(seed, "mtp", -2.0), seeds)
    _report("the other drafter gets worse", lambda seed: changed(seed, "eagle3", -2.0), seeds)
    _report("the other drafter is replaced by a better", lambda seed: changed(seed, "eagle3", 2.5), seeds)
    print(f"{seeds} seeds, {time.perf_counter() - started:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
