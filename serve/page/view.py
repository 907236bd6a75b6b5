"""What the page shows of requests: sums by language and lane, and the last requests. An observer of outcomes.

Bounded, whatever comes: sums are by lane and by the closed set of languages, lists have a longest length. A request
costs the same however many came before. It keeps no prompt and no answer: an Outcome has none.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from serve.page.minute import Minute
from serve.page.yardstick import Against, Yardstick
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.ledger import Drift
from serve.routing.outcome import Acceptance, Outcome

Clock = Callable[[], float]

KEPT = 200
"""Requests that the page can list and explain."""
_HISTORY = 64  # requests of one language on one lane
_DRIFTS = 8
BUCKET = 5
"""Seconds that one point of the chart of speed stands for."""
BUCKETS = 60


class Seen(NamedTuple):
    """One finished request: its number since the start, when it ended (seconds since 1970), its outcome, and how fast
    it was beside no drafter, as that was found when it ended.
    """

    number: int
    at: float
    outcome: Outcome
    against: Against


@dataclass(frozen=True, slots=True)
class Noticed:
    """A change of a lane that the ledger noticed, and when (seconds since 1970)."""

    at: float
    drift: Drift


@dataclass(slots=True)
class Sums:
    """Requests of one language on one lane. Counts are those of the metrics; rates are tokens a second."""

    requests: int = 0
    refused: int = 0  # by the router or an engine, before anything was written
    aborted: int = 0  # left by their clients
    failed: int = 0
    tokens: int = 0
    chosen: int = 0  # requests whose lane no client named, and their tokens
    chosen_tokens: int = 0
    explored: int = 0
    drafts: int = 0  # answers with drafts, and over them: steps, drafts, squares and products of accepted and steps
    steps: int = 0
    drafted: int = 0
    accepted: int = 0
    squared: tuple[int, int, int] = (0, 0, 0)
    per_pos: list[int] = field(default_factory=list)
    timed: int = 0
    rate: float = 0.0
    squares: float = 0.0  # of the distances from the mean rate (Welford)
    history: deque[tuple[float, float | None, float | None]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    cells: Counter[Cell] = field(default_factory=Counter)

    @property
    def length(self) -> float | None:
        """Acceptance length; None where nothing was drafted."""
        return 1 + self.accepted / self.steps if self.steps else None  # vLLM counts the bonus token

    @property
    def length_error(self) -> float | None:
        """Standard error of the drafts accepted a step, as a share of them; None before the second answer.

        Of a ratio of sums, over answers: those of one answer aren't independent of each other.
        """
        if self.drafts < 2 or not self.accepted:
            return None
        ratio, (accepted, both, steps) = self.accepted / self.steps, self.squared
        residuals = max(0.0, accepted - 2 * ratio * both + ratio**2 * steps)
        return math.sqrt(residuals * self.drafts / (self.drafts - 1)) / self.accepted

    @property
    def error(self) -> float | None:
        """Standard error of the mean rate, as a share of it; None before the second request."""
        if self.timed < 2 or not self.rate:
            return None
        return math.sqrt(self.squares / (self.timed - 1) / self.timed) / self.rate

    def add(self, outcome: Outcome, at: float) -> None:
        """Count one request, whose lane and cell are known."""
        assert outcome.decision
        assert outcome.cell
        tokens, reason, acceptance = outcome.completion_tokens or 0, outcome.decision.reason, outcome.acceptance
        self.requests += 1
        self.refused += outcome.end in ("refused", "rejected")
        self.aborted += outcome.end == "aborted"
        self.failed += outcome.end == "failed"
        self.tokens += tokens
        if reason != "forced":
            self.chosen += 1
            self.chosen_tokens += tokens
        self.explored += reason == "explored"
        self.cells[outcome.cell] += 1
        if acceptance and acceptance.num_spec_steps:
            self._draft(acceptance)
        if (rate := outcome.decode_rate) is not None:
            self.timed += 1
            off = rate - self.rate
            self.rate += off / self.timed
            self.squares += off * (rate - self.rate)
            self.history.append((at, acceptance.acceptance_length if acceptance else None, rate))

    def _draft(self, acceptance: Acceptance) -> None:
        """Add what a drafter achieved on one answer."""
        steps, accepted = acceptance.num_spec_steps, acceptance.num_accepted_draft_tokens
        self.drafts += 1
        self.steps += steps
        self.drafted += acceptance.num_draft_tokens
        self.accepted += accepted
        squares, products, others = self.squared
        self.squared = (squares + accepted**2, products + accepted * steps, others + steps**2)
        self.per_pos += [0] * (len(acceptance.accepted_per_pos) - len(self.per_pos))
        for position, number in enumerate(acceptance.accepted_per_pos):
            self.per_pos[position] += number


class View:
    """All that was seen since the start; `clock` gives seconds since 1970."""

    def __init__(self, lanes: Sequence[Lane], clock: Clock) -> None:
        self.lanes = tuple(lanes)
        self.clock = clock
        self.started = clock()
        self.count = 0
        self.sums: dict[tuple[str, str], Sums] = {}
        self.yardstick = Yardstick(lane.name for lane in self.lanes if not lane.drafts)
        self.drifts: deque[Noticed] = deque(maxlen=_DRIFTS)
        self.minute = Minute()
        self._last: deque[Seen] = deque(maxlen=KEPT)
        self._speed: deque[tuple[int, dict[str, float]]] = deque(maxlen=BUCKETS)

    def observe(self, outcome: Outcome) -> None:
        """Take one finished request in; what never had a lane, or generates nothing, isn't shown."""
        if outcome.decision is None or outcome.cell is None:
            return
        at, key = self.clock(), (outcome.cell.language, outcome.decision.lane)
        sums = self.sums.get(key)
        if sums is None:
            sums = self.sums[key] = Sums()
        sums.add(outcome, at)
        against = self.yardstick.compare(outcome, at)
        self.count += 1
        # A sample holds some of the answer, which is never kept.
        kept = outcome if outcome.sample is None else outcome._replace(sample=None)
        self._last.append(Seen(self.count, at, kept, against))
        if outcome.completion_tokens:
            self.minute.add(outcome.decision.lane, outcome.completion_tokens, at)
            self._spread(outcome.decision.lane, outcome.completion_tokens, at, outcome.generation_time or 0.0)

    def drift(self, drift: Drift) -> None:
        """Take in that a lane isn't any more what it was."""
        self.drifts.append(Noticed(self.clock(), drift))

    def after(self, number: int) -> Iterator[Seen]:
        """Give the requests that ended after the one of this number, oldest first, as far as they are kept."""
        kept = len(self._last)
        return islice(self._last, max(0, kept - (self.count - number)), kept)

    def request(self, number: int) -> Seen | None:
        """Give one request, None if it isn't kept any more or never was."""
        kept = len(self._last)
        index = kept - 1 - (self.count - number)
        return self._last[index] if 0 <= index < kept else None

    def speed(self, now: float) -> list[tuple[int, dict[str, float]]]:
        """Give tokens by lane for each of the last buckets, the running one left out: (its beginning, tokens)."""
        latest = int(now // BUCKET)
        known = dict(self._speed)
        return [(at * BUCKET, known.get(at, {})) for at in range(latest - BUCKETS + 1, latest)]

    def _spread(self, lane: str, tokens: int, end: float, seconds: float) -> None:
        """Count tokens in the buckets in which they were generated: an engine says them all at the end."""
        last = int(end // BUCKET)
        first = max(last - BUCKETS + 1, int((end - seconds) // BUCKET))
        self._reach(first, last)
        share = tokens / (last - first + 1)
        for at, counted in reversed(self._speed):
            if at < first:
                break
            counted[lane] = counted.get(lane, 0.0) + share

    def _reach(self, first: int, last: int) -> None:
        """Begin the buckets up to the last; those in which nothing came are there too, if they are still shown."""
        begin = self._speed[-1][0] + 1 if self._speed else min(first, int(self.started // BUCKET))
        if begin > last:
            return
        for at in range(max(begin, last - BUCKETS + 1), last + 1):
            self._speed.append((at, {}))
