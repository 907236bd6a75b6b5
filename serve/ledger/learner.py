"""The policy that learns: weighs the lanes of each request by the ledger, and teaches it from each outcome.

Holds what changes from request to request (ledger, budget, load, who holds whose prefix); decisions are `routing`'s.
"""

import math
import operator
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from serve.routing import thompson
from serve.routing.budget import Budget
from serve.routing.cell import Cell
from serve.routing.estimate import Estimate, Weighing
from serve.routing.guard import Guard
from serve.routing.holders import Holders
from serve.routing.lane import Lane
from serve.routing.language import Identify
from serve.routing.ledger import Drift, Ledger
from serve.routing.lesson import LeftOut, Lesson, lesson
from serve.routing.moments import Moments
from serve.routing.outcome import Outcome
from serve.routing.policy import Candidate, Decision, Reason
from serve.routing.prefix import Prefix, after
from serve.routing.turns import Turns

_WARM_UP = 2
"""First answers of an engine, whose times are those of graphs being captured and kernels compiled."""
_PREFILL = 0.0005
"""Seconds a prompt's token, assumed until prompts were timed."""
_PREFILL_WORTH = 4.0  # requests that this assumption counts for
_TRIED = 8
"""Answers of a drafting lane after which it counts as known again: an alarm needs three that surprise."""
_TIMED = 256  # tokens that a prompt needs to say something of prefill
_OPEN = frozenset({"measured", "default", "fallback"})
"""Reasons of the table that leave a choice."""


@dataclass(frozen=True, slots=True)
class Told:
    """Who wants to know what was learned: of each lesson (its lane, `learned` or why not) and of each drift."""

    lesson: Callable[[str, str], None]
    drift: Callable[[Drift], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a learner works by: the share of requests' time that tries may cost, the only randomness, and a clock.

    `applied` is False where it only watches. The clock gives seconds, and goes on over restarts. With `identify`,
    answers' own languages correct what their conversations' next turns are taken for.
    """

    applied: bool
    exploration: float
    rng: random.Random
    clock: Callable[[], float]
    identify: Identify | None = None


class Learner:
    """Weighs the lanes of requests, and learns from their outcomes."""

    def __init__(self, lanes: Sequence[Lane], ledger: Ledger, terms: Terms, told: Told) -> None:
        self.ledger, self.changes = ledger, 0
        self._applied = terms.applied
        self._lanes = {lane.name: lane for lane in lanes}
        self.engines = len({engine for lane in lanes for engine in lane.engines})
        self._budget = Budget(terms.exploration)
        self._rng, self._clock, self._told = terms.rng, terms.clock, told
        self._identify, self.turns = terms.identify, Turns()
        self._running: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self._doubted: dict[str, int] = {}
        self.holders = Holders()
        self._prefill = Moments()
        self._guards: defaultdict[Cell, Guard] = defaultdict(Guard)

    @contextmanager
    def track(
        self, lane: str, engine: str, counted: Callable[[str, str], AbstractContextManager[None]]
    ) -> Iterator[None]:
        """Count a request on its engine for as long as the context lasts, beside another count."""
        self._running[engine] += 1
        try:
            with counted(lane, engine):
                yield
        finally:
            self._running[engine] -= 1

    def decide(self, cell: Cell, table: Decision, ready: Mapping[str, str], prefix: Prefix | None) -> Decision:
        """Decide a request for which the table has decided already; what leaves no choice stays as it is.

        `ready` names the lanes that are, each with the base URL of the engine that it would take.
        """
        decision = self._weighed(cell, table, ready, prefix, self._budget.earn(cell))
        if prefix and self.engines > 1 and decision.lane in ready:
            self.holders.follow(prefix.conversation, ready[decision.lane])
        return decision

    def returned(self, engine: str) -> None:
        """Hear that an engine is up, that was away or may have been: its drafters may be others than those it had.

        One that became better would else hardly be noticed where it was in use nowhere. Whoever only watches tries
        nothing, and would doubt it for ever.
        """
        if not self._applied:
            return
        known = [lane.name for lane in self._lanes.values() if engine in lane.engines and self.ledger.knows(lane.name)]
        if known:
            self._doubted |= dict.fromkeys(known, _TRIED)
            self._budget.renew()

    def explain(self, cell: Cell, table: Decision, ready: Mapping[str, str], prefix: Prefix | None) -> Decision:
        """Say how a request would be decided that tries nothing; leaves no trace."""
        return self._weighed(cell, table, ready, prefix, 0.0)

    def lost(self) -> dict[Cell, tuple[int, float]]:
        """Say of each cell's last requests how many they are, and what share of their tokens drafters cost them."""
        return {
            cell: (len(guard.seen), guard.lost / guard.tokens) for cell, guard in self._guards.items() if guard.tokens
        }

    def barred(self, cell: Cell, ready: Mapping[str, str]) -> tuple[Sequence[Estimate], frozenset[str]]:
        """Say what is expected of every ready lane for a cell's next request, and which drafters the guard bars there.

        `ready` is as in `decide`.
        """
        batches = [(name, self._batch(name, ready)) for name in self._lanes if name in ready]
        estimates = self.ledger.estimates(cell, batches, self._clock())
        return estimates, frozenset(estimates[at].lane for at in self._barred(cell, estimates))

    def observe(self, outcome: Outcome) -> None:
        """Learn from one finished request, if anything was to be generated."""
        if outcome.decision is None or outcome.cell is None:
            return
        self._listen(outcome, outcome.decision, outcome.cell)
        lane = outcome.decision.lane
        taught = self._lesson(outcome, outcome.engine or self._lanes[lane].engines[0])
        self._told.lesson(lane, taught if isinstance(taught, str) else "learned")
        if isinstance(taught, str):
            return
        self.changes += 1
        if lane in self._doubted:
            self._doubted[lane] -= 1
            if not self._doubted[lane]:
                del self._doubted[lane]
        self._time_prefill(outcome)
        self._hold_against_body(outcome, taught)
        for drift in self.ledger.learn(taught, self._clock()):
            self._budget.renew()
            self._told.drift(drift)

    def _lesson(self, outcome: Outcome, engine: str) -> Lesson | LeftOut:
        if outcome.end == "failed":
            self._answered[engine] = 0
        # Half-way between the company that it began in and the one that it ended in.
        began = outcome.decision.batch if outcome.decision else 1
        taught = lesson(outcome, (began + self._running[engine] + 1) / 2)
        if isinstance(taught, Lesson):
            self._answered[engine] += 1
            if self._answered[engine] <= _WARM_UP:
                return "warming"
        return taught

    def _listen(self, outcome: Outcome, decision: Decision, cell: Cell) -> None:
        """Hear in which language an answer came."""
        if outcome.end == "complete" and outcome.sample and self._identify and decision.conversation is not None:
            self.turns.heard(decision.conversation, cell.language, outcome.sample.language(self._identify))
            if cell.endpoint == "responses" and (stored := outcome.sample.response):
                self.turns.followed(decision.conversation, after(stored))

    def _hold_against_body(self, outcome: Outcome, taught: Lesson) -> None:
        """Count what a request lost against no drafter, by what is believed of the body in the company that it had."""
        decision, tokens, spent = outcome.decision, outcome.completion_tokens, outcome.generation_time
        if decision and decision.weighing and tokens and spent:
            lost = 0.0
            bodies = [(each.lane, taught.batch) for each in decision.weighing.estimates if not each.drafts]
            if bodies and self._lanes[taught.lane].drafts:
                believed = self.ledger.estimates(taught.cell, bodies, self._clock())
                lost = spent * max(each.decode_rate for each in believed) - tokens
            self._guards[taught.cell].count(tokens, lost)

    def _time_prefill(self, outcome: Outcome) -> None:
        first, tokens = outcome.time_to_first_token, outcome.prompt_tokens
        if first and tokens and tokens >= _TIMED:
            self._prefill = self._prefill.capped(50.0).plus(first / tokens, 1.0)

    def _weighed(
        self, cell: Cell, table: Decision, ready: Mapping[str, str], prefix: Prefix | None, allowance: float
    ) -> Decision:
        names = [candidate.lane for candidate in table.candidates if candidate.lane in ready]
        conversation = prefix.conversation if prefix else None
        if table.reason not in _OPEN or not names:
            return replace(table, batch=self._batch(table.lane, ready), conversation=conversation)
        now = self._clock()
        estimates = self.ledger.estimates(cell, [(name, self._batch(name, ready)) for name in names], now)
        options = self._priced(estimates, cell, prefix, ready) if prefix and self.engines > 1 else estimates
        draw = self._rng.random() if allowance > 0 else 0.0
        pick = thompson.pick(options, allowance, self._budget.alike(cell), draw, self._apart(cell, options))
        if pick.cost:
            self._budget.spend(cell, pick.cost)
        weighing = Weighing(pick.lane, pick.best, pick.propensity, self._applied, estimates, pick.shares)
        if not self._applied:
            batch = self._batch(table.lane, ready)
            return replace(table, batch=batch, weighing=weighing, conversation=conversation)
        candidates = _candidates(table, estimates)
        reason: Reason = "explored" if pick.lane != pick.best else "learned"
        if reason == "learned" and pick.lane != candidates[0].lane:
            # Without the guard it would have been the best of the options: if it still is, it was the prefix.
            reason = "guarded" if max(options, key=_RATE).lane != pick.lane else "kept"
        return Decision(pick.lane, reason, candidates, self._batch(pick.lane, ready), weighing, conversation)

    def _apart(self, cell: Cell, options: Sequence[Estimate]) -> thompson.Apart:
        barred, doubted = self._barred(cell, options), self._doubted
        if not barred and not doubted:
            return thompson.NONE_APART
        return thompson.Apart(barred, [at for at, option in enumerate(options) if option.lane in doubted])

    def _barred(self, cell: Cell, options: Sequence[Estimate]) -> Collection[int]:
        guard = self._guards.get(cell)
        return guard.barred(options, self.ledger.sizes(cell)[1]) if guard else ()

    def _priced(
        self, estimates: Sequence[Estimate], cell: Cell, prefix: Prefix, ready: Mapping[str, str]
    ) -> list[Estimate]:
        """Take off what it costs to read a conversation's prefix again, on engines that don't hold it."""
        holder = self.holders.of(prefix.conversation)
        if holder is None:
            return list(estimates)
        seconds, (_, tokens) = prefix.tokens * self._a_token(), self.ledger.sizes(cell)
        priced = []
        for each in estimates:
            # Reading takes as long in every draw: it lowers the rate, and what is uncertain of it.
            decoding = tokens / each.decode_rate
            share = 1.0 if ready[each.lane] == holder else decoding / (decoding + seconds)
            priced.append(replace(each, mean=each.mean + math.log(share), variance=each.variance * share**2))
        return priced

    def _a_token(self) -> float:
        """Seconds to read a token of a prompt."""
        timed = self._prefill
        return (_PREFILL * _PREFILL_WORTH + timed.mean * timed.weight) / (_PREFILL_WORTH + timed.weight)

    def _batch(self, lane: str, ready: Mapping[str, str]) -> int:
        """Give how many requests a lane's engine would work on with one more."""
        return self._running[ready[lane]] + 1 if lane in ready else 1


def _candidates(table: Decision, estimates: Sequence[Estimate]) -> tuple[Candidate | Estimate, ...]:
    """Order the lanes by what they are expected to bring; those that aren't ready come last."""
    ordered = sorted(estimates, key=_RATE, reverse=True)
    if len(ordered) == len(table.candidates):
        return tuple(ordered)
    names = {each.lane for each in estimates}
    return (*ordered, *(candidate for candidate in table.candidates if candidate.lane not in names))


_RATE = operator.attrgetter("mean")
