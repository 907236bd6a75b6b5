"""A made-up box for the policy to learn on: every number here is invented, and stands for nothing that was measured.

A drafter's share of accepted tokens depends on language and task, step times on the lane and the batch, and requests
scatter about both. What is known of the truth here is what the oracle decides by.
"""

import contextlib
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from serve.ledger.learner import Learner, Terms, Told
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.ledger import Ledger
from serve.routing.outcome import Acceptance, Outcome
from serve.routing.policy import Candidate, Decision, Row, Table, Wish, choose
from serve.routing.prefix import Prefix

LANES = (
    Lane("body", "http://engine"),
    Lane("mtp", "http://engine", "mtp", 4),
    Lane("eagle3", "http://engine", "eagle3", 4),
)
READY = dict.fromkeys((lane.name for lane in LANES), "http://engine")
LANGUAGES = ("en", "zh-Hans", "de", "ja", "ru", "da", "es", "ar")
TASKS = ("prose", "code", "json", "translation", "edit")
CELLS = tuple(Cell(language, task, "chat", False) for language in LANGUAGES for task in TASKS)

# Log-odds of a draft's acceptance: of the lane in the language, and of the task.
_LANGUAGE = {
    "mtp": (0.5, 0.3, 0.2, -0.2, 0.1, -1.6, 0.3, -0.7),
    "eagle3": (1.1, -1.6, -0.2, -1.8, -0.6, -1.9, 0.5, -1.9),
}
_TASK = {"mtp": (0.0, 0.9, -0.6, -0.2, 0.7), "eagle3": (0.0, 0.9, -1.3, -0.4, 0.4)}
FAST = {"body": 0.025, "mtp": 0.030, "eagle3": 0.029}
"""Seconds a step, alone on the box: drafting is cheap, and mtp is the best lane nearly everywhere."""
DEAR = {"body": 0.025, "mtp": 0.045, "eagle3": 0.043}
"""Drafting is dear: the body is the best lane in about half of the cells."""
USELESS = {"body": 0.025, "mtp": 0.080, "eagle3": 0.080}
"""Drafting rarely pays."""
MIXED = {"body": 0.025, "mtp": 0.036, "eagle3": 0.052}
"""One drafter is cheap, the other dear."""
_SLOPE = {"body": 0.10, "mtp": 0.15, "eagle3": 0.16}


TABLE: Table = (Row("*", "*", ()),)


class Policy(Protocol):
    """What a trace is served by: a learner, or one that is timed."""

    def track(
        self, lane: str, engine: str, counted: Callable[[str, str], AbstractContextManager[None]]
    ) -> AbstractContextManager[None]: ...

    def decide(self, cell: Cell, table: Decision, ready: Mapping[str, str], prefix: Prefix | None) -> Decision: ...

    def observe(self, outcome: Outcome) -> None: ...


@dataclass
class Box:
    """The truth, which may change in the middle; `strange` boxes have other drafters, by so many log-odds.

    In `peculiar` ones each cell differs besides from what its language and its task add up to.
    """

    rng: random.Random
    scatter: float = 0.08
    steps: dict[str, float] = field(default_factory=lambda: FAST)
    strange: float = 0.0
    peculiar: float = 0.0
    own: dict[tuple[str, Cell], float] = field(default_factory=dict)
    off: dict[tuple[str, str], float] = field(default_factory=dict)
    shift: dict[str, float] = field(default_factory=lambda: {"mtp": 0.0, "eagle3": 0.0})

    def __post_init__(self) -> None:
        if self.strange:
            names = [(lane.name, each) for lane in LANES[1:] for each in (*LANGUAGES, *TASKS)]
            self.off = {name: self.rng.gauss(0, self.strange) for name in names}
        if self.peculiar:
            places = [(lane.name, cell) for lane in LANES[1:] for cell in CELLS]
            self.own = {place: self.rng.gauss(0, self.peculiar) for place in places}

    def length(self, lane: Lane, cell: Cell, off: float = 0.0) -> float:
        share = self._share(lane, cell, off) if lane.drafts else 0.0
        return 1.0 + sum(share**position for position in range(1, lane.draft_tokens + 1))

    def step(self, lane: Lane, batch: int) -> float:
        return self.steps[lane.name] * math.exp(_SLOPE[lane.name] * math.log2(batch))

    def rate(self, lane: Lane, cell: Cell, batch: int) -> float:
        return self.length(lane, cell) / self.step(lane, batch)

    def outcome(self, lane: Lane, cell: Cell, batch: int, tokens: int) -> tuple[Acceptance | None, float]:
        """What a request of so many tokens comes to: what was accepted, and the seconds from first to last token."""
        factor = math.exp(self.rng.gauss(0, self.scatter))
        if not lane.drafts:
            return None, (tokens - 1) * self.step(lane, batch) * factor
        share = self._share(lane, cell, self.rng.gauss(0, 0.3))
        steps, left = 0, tokens - 1
        accepted = [0] * lane.draft_tokens
        while left > 0:
            steps += 1
            got = 0
            while got < lane.draft_tokens and self.rng.random() < share:
                accepted[got] += 1
                got += 1
            left -= got + 1
        counts = Acceptance(steps, steps * lane.draft_tokens, sum(accepted), tuple(accepted))
        return counts, steps * self.step(lane, batch) * factor

    def table(self, rng: random.Random, off: float) -> Table:
        """What a bench of prose alone on the box would write by language, each figure off by so much (log-odds, and a
        fifth of that in the logarithm of the rate).
        """
        rows = []
        for language in LANGUAGES:
            cell, found = Cell(language, "prose", "chat", False), []
            for lane in LANES:
                length = self.length(lane, cell, rng.gauss(0, off))
                rate = length / self.step(lane, 1) * math.exp(rng.gauss(0, off / 5))
                found.append(Candidate(lane.name, length if lane.drafts else None, rate))
            rows.append(Row(language, "*", tuple(sorted(found, key=lambda each: -(each.decode_rate or 0.0)))))
        return tuple(rows)

    def finished(self, lane: Lane, cell: Cell, batch: int, tokens: int, decision: Decision | None = None) -> Outcome:
        """What a lane would tell of a request."""
        acceptance, spent = self.outcome(lane, cell, batch, tokens)
        return _OUTCOME._replace(
            cell=cell,
            decision=decision or Decision(lane.name, "learned", ()),
            drafted=lane.drafts,
            acceptance=acceptance,
            generation_time=spent,
            completion_tokens=tokens,
        )

    def served(self, cell: Cell, batch: int, tokens: int, lane: str, reason: str) -> "Served":
        """Note what a request takes on each lane, in expectation."""
        return Served(cell, tokens, lane, reason, {each.name: tokens / self.rate(each, cell, batch) for each in LANES})

    def _share(self, lane: Lane, cell: Cell, off: float) -> float:
        odds = _LANGUAGE[lane.name][LANGUAGES.index(cell.language)] + _TASK[lane.name][TASKS.index(cell.task)]
        odds += self.off.get((lane.name, cell.language), 0.0) + self.off.get((lane.name, cell.task), 0.0)
        odds += self.own.get((lane.name, cell), 0.0)
        return 1 / (1 + math.exp(-(odds + off + self.shift[lane.name])))


@dataclass(frozen=True)
class Served:
    """One request as it was served: seconds that its tokens take in expectation, by lane, and which lane it got."""

    cell: Cell
    tokens: int
    lane: str
    reason: str
    seconds: dict[str, float]

    @property
    def best(self) -> float:
        return min(self.seconds.values())


def trace(rng: random.Random, number: int) -> Iterator[tuple[Cell, int, int]]:
    """Requests with their batch and tokens: languages and tasks in uneven parts, load that comes and goes."""
    for index in range(number):
        language = rng.choices(LANGUAGES, (30, 20, 12, 10, 8, 6, 8, 6))[0]
        task = rng.choices(TASKS, (45, 20, 10, 15, 10))[0]
        company = 1 + 7 * max(0.0, math.sin(index / 150))
        batch = max(1, min(16, round(rng.gauss(company, 1.5))))
        yield Cell(language, task, "chat", False), batch, round(min(1500, max(20, rng.lognormvariate(5.2, 0.7))))


def learner(seed: int, exploration: float = 0.01, lanes: Sequence[Lane] = LANES, table: Table = TABLE) -> Learner:
    clock = iter(range(10**9))
    told = Told(lambda lane, lesson: None, lambda drift: None)
    terms = Terms(applied=True, exploration=exploration, rng=random.Random(seed), clock=lambda: next(clock) / 4)
    return Learner(lanes, Ledger(lanes, table, 48 * 3600), terms, told)


def serve(
    policy: Policy, box: Box, requests: Iterator[tuple[Cell, int, int]], change: Callable[[int], None] | None = None
) -> list[Served]:
    """Serve a trace one request after the other, each in the company that the trace gives it."""
    served = []
    for index, (cell, batch, tokens) in enumerate(requests):
        if change:
            change(index)
        with contextlib.ExitStack() as company:
            for _ in range(batch - 1):
                company.enter_context(policy.track("body", "http://engine", lambda *_: contextlib.nullcontext()))
            decision = choose(cell, TABLE, LANES, {"body", "mtp", "eagle3"}, Wish())
            decision = policy.decide(cell, decision, READY, None)
            lane = next(lane for lane in LANES if lane.name == decision.lane)
            policy.observe(box.finished(lane, cell, batch, tokens, decision))
        served.append(box.served(cell, batch, tokens, lane.name, decision.reason))
    return served


_OUTCOME = Outcome(
    "x", "chat", None, None, drafted=False, streamed=True, status=200, end="complete", duration=1.0, prompt_tokens=200
)


def of_oracle(served: Sequence[Served]) -> float:
    """Total tokens a second, as a share of the oracle's."""
    return sum(each.best for each in served) / sum(each.seconds[each.lane] for each in served)


def of_lane(served: Sequence[Served], lane: str) -> float:
    """Total tokens a second, as a share of one fixed lane's."""
    return sum(each.seconds[lane] for each in served) / sum(each.seconds[each.lane] for each in served)
