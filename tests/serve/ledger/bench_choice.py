"""How long a choice takes on this machine, of three lanes by a ledger that goes on learning, and how long a lesson.

python -m tests.serve.ledger.bench_choice
"""

import random
import statistics
import time
import timeit
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from serve.ledger.learner import Learner
from serve.routing.cell import Cell
from serve.routing.outcome import Outcome
from serve.routing.policy import Decision, Wish, choose
from serve.routing.prefix import Prefix
from tests.serve.ledger.box import LANES, READY, TABLE, TASKS, Box, learner, serve, trace

_ROUNDS, _NUMBER = 5, 2000


class Timed:
    """A learner that notes how long each of its answers takes."""

    def __init__(self, policy: Learner) -> None:
        self._policy = policy
        self.choices: list[float] = []
        self.lessons: list[float] = []

    def track(
        self, lane: str, engine: str, counted: Callable[[str, str], AbstractContextManager[None]]
    ) -> AbstractContextManager[None]:
        """Count a request, as the learner does."""
        return self._policy.track(lane, engine, counted)

    def decide(self, cell: Cell, table: Decision, ready: Mapping[str, str], prefix: Prefix | None) -> Decision:
        """Decide, on the clock."""
        started = time.perf_counter()
        decision = self._policy.decide(cell, table, ready, prefix)
        self.choices.append(time.perf_counter() - started)
        return decision

    def observe(self, outcome: Outcome) -> None:
        """Learn, on the clock."""
        started = time.perf_counter()
        self._policy.observe(outcome)
        self.lessons.append(time.perf_counter() - started)


def main() -> None:
    """Print the median and the 95th percentile, of the fastest round: the machine's other work isn't ours."""
    rounds: list[Timed] = []
    for seed in range(_ROUNDS):
        timed = Timed(learner(seed))
        serve(timed, Box(random.Random(seed)), trace(random.Random(seed), _NUMBER))
        rounds.append(timed)
    _report("a choice", rounds, lambda each: each.choices)
    _report("a lesson", rounds, lambda each: each.lessons)
    print(f"a choice, again and again: {_again() * 1e6:.1f} us of CPU")  # noqa: T201
    print(f"the first choice of a cell: {_first() * 1e6:.1f} us of CPU (median)")  # noqa: T201


def _again() -> float:
    """Seconds of CPU of a choice in a loop of its own, which finds all that it needs in the processor's caches."""
    policy = learner(0)
    cell = serve(policy, Box(random.Random(0)), trace(random.Random(0), 1000))[-1].cell
    table = choose(cell, TABLE, LANES, READY, Wish())
    number = 10_000
    timed = timeit.Timer(lambda: policy.decide(cell, table, READY, None), timer=time.process_time)
    return min(timed.repeat(_ROUNDS, number)) / number


def _first() -> float:
    """Seconds of CPU of a choice in a cell that nobody asked in yet, where its expectations have to be pooled first."""
    policy = learner(0)
    serve(policy, Box(random.Random(0)), trace(random.Random(0), 1000))
    taken = []
    for cell in (Cell(f"x{number}", task, "chat", False) for number in range(200) for task in TASKS):
        table = choose(cell, TABLE, LANES, READY, Wish())
        started = time.process_time()
        policy.decide(cell, table, READY, None)
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def _report(name: str, rounds: list[Timed], times: Callable[[Timed], list[float]]) -> None:
    cuts = [statistics.quantiles(times(each), n=20) for each in rounds]
    median, high = min(cut[9] for cut in cuts), min(cut[18] for cut in cuts)
    print(f"{name}: median {median * 1e6:.1f} us, 95 % below {high * 1e6:.1f} us")  # noqa: T201


if __name__ == "__main__":
    main()
