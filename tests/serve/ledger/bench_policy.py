"""What the policy that learns reaches on the made-up box, against the oracle, each fixed lane and the body.

    python -m tests.serve.ledger.bench_policy [SEEDS]

Rates are expected ones, so that they don't depend on luck; a row gives the mean over the seeds, and the worst. Every
seed has drafters of its own, which nothing was tuned on.
"""

import functools
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from serve.routing.cell import Cell
from serve.routing.ledger import Ledger
from serve.routing.lesson import Lesson, lesson
from serve.routing.policy import Table, Wish, choose
from tests.serve.ledger import box as boxes
from tests.serve.ledger.box import (
    CELLS,
    LANES,
    TABLE,
    Box,
    Served,
    learner,
    of_lane,
    of_oracle,
    serve,
    trace,
)

NUMBER = 5000
CHANGE = 2000
_WINDOW = 200
_FIRST_SEED = 100
_PECULIAR = 0.4
_MEASURED = 0.3
"""Log-odds by which a table's acceptance lengths are off: other prompts, another day."""
_STRANGE = 0.7
"""Log-odds by which each seed's drafters differ from those that the policy was made with, in each language and task."""


def steady(seed: int, steps: dict[str, float], peculiar: float = 0.0) -> dict[str, float]:
    """Serve a trace on a box that stays as it is; gives the shares that the goals speak of."""
    box = Box(random.Random(seed), steps=steps, strange=_STRANGE, peculiar=peculiar)
    table, listed = perfect(box), box.table(random.Random(2000 + seed), _MEASURED)
    served = serve(learner(seed), box, trace(random.Random(1000 + seed), NUMBER))
    begun = serve(learner(seed, table=listed), box, trace(random.Random(1000 + seed), 500))
    return {
        "first 500, of the oracle": of_oracle(served[:500]),
        "first 500, begun from a table": of_oracle(begun),
        "first 500 by that table alone": of_oracle(by_table(begun, first(listed))),
        "500 to 1,000": of_oracle(served[500:1000]),
        "all": of_oracle(served),
        "last 1,000": of_oracle(served[-1000:]),
        "first 500, had every lane told what it does": of_oracle(informed(seed, steps, peculiar)),
        "all, of the best fixed lane": min(of_lane(served, lane.name) for lane in LANES),
        "worst 200 of a cell, of the body": worst_window(served),
        "a perfect table, of the oracle": of_oracle(by_table(served, table)),
    }


def informed(seed: int, steps: dict[str, float], peculiar: float) -> list[Served]:
    """Serve the first requests by a ledger that every lane teaches in every request: what nobody can do better than.

    It knows no more beforehand than the policy does, and needn't try anything.
    """
    box = Box(random.Random(seed), steps=steps, strange=_STRANGE, peculiar=peculiar)
    ledger, served = Ledger(LANES, TABLE, 48 * 3600), []
    for index, (cell, batch, tokens) in enumerate(trace(random.Random(1000 + seed), 500)):
        estimates = ledger.estimates(cell, [(lane.name, batch) for lane in LANES], index / 4)
        best = max(estimates, key=lambda each: each.mean).lane
        for lane in LANES:
            taught = lesson(box.finished(lane, cell, batch, tokens), batch)
            if isinstance(taught, Lesson):
                ledger.learn(taught, index / 4)
        served.append(box.served(cell, batch, tokens, best, "learned"))
    return served


def perfect(box: Box) -> dict[Cell, str]:
    """The lane that is the fastest in each cell alone on the box: what a bench without end would put into a table."""
    return {cell: max(LANES, key=lambda lane: box.rate(lane, cell, 1)).name for cell in CELLS}


def first(table: Table) -> dict[Cell, str]:
    """The lane that a table puts first in each cell."""
    return {cell: choose(cell, table, LANES, boxes.READY, Wish()).lane for cell in CELLS}


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


def changed(seed: int, lane: str, by: float, steps: dict[str, float] | None = None, *, seen: bool) -> dict[str, float]:
    """Serve a trace in the middle of which a drafter changes; gives the shares of the oracle after that.

    Where it is `seen`, the engine was away before: a drafter isn't replaced otherwise, but it may be worse without.
    """
    peculiar = _PECULIAR if steps else 0.0
    box = Box(random.Random(seed), steps=steps or boxes.FAST, strange=_STRANGE, peculiar=peculiar)
    policy = learner(seed)

    def change(index: int) -> None:
        if index == CHANGE:
            box.shift[lane] += by
            if seen:
                policy.returned("http://engine")

    table = perfect(box)
    served = serve(policy, box, trace(random.Random(1000 + seed), CHANGE + 500), change)
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
    _report("one drafter gets worse, of the oracle", lambda seed: changed(seed, "mtp", -2.0, seen=False), seeds)
    _report("the other drafter gets worse", lambda seed: changed(seed, "eagle3", -2.0, seen=False), seeds)
    for seen, how in ((True, "is replaced by a better"), (False, "gets better, and nothing tells of it")):
        better = functools.partial(changed, lane="eagle3", by=2.5, seen=seen)
        _report(f"the other drafter {how}", better, seeds)
    print("a family that nothing was tuned on: one drafter is cheap, one dear, and no cell is what its parts add up to")  # noqa: T201
    _report("it stays as it is", lambda seed: steady(seed, boxes.MIXED, _PECULIAR), seeds)
    _report("one drafter gets worse", lambda seed: changed(seed, "mtp", -1.5, boxes.MIXED, seen=False), seeds)
    for seen, how in ((True, "is replaced by a better"), (False, "gets better, and nothing tells of it")):
        better = functools.partial(changed, lane="eagle3", by=2.0, steps=boxes.MIXED, seen=seen)
        _report(f"the other {how}", better, seeds)
    print(f"{seeds} seeds, {time.perf_counter() - started:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
