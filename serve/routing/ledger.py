"""What was learned of every lane: acceptance length by cell, step time by load, each with its uncertainty.

Knows no clock: `now` is seconds of one that goes on over restarts. What it says of a decode rate is lognormal, since
the logarithms of its two factors are about normal.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from serve.routing import pooling, step_time
from serve.routing.cell import Cell
from serve.routing.drift import Run, Watch
from serve.routing.estimate import Estimate
from serve.routing.lane import Lane
from serve.routing.lesson import Lesson
from serve.routing.moments import Moments
from serve.routing.policy import Table, candidates_of
from serve.routing.pooling import Belief, Pool
from serve.routing.step_time import Fit, Sums

_GUESSED_ACCEPTANCE = 0.6
"""Share of drafts accepted at each position, of a drafter that nobody measured."""
_OF_TABLE = 0.25
"""Variance about the table's acceptance length: it was measured elsewhere, so a few requests overrule it."""
_TABLE_WORTH = 1.0  # requests that a step time of the table counts for
_TABLE_CONTEXT = 512.0  # tokens, assumed of the table's measurements
_STEPS_WITHIN = 10.0
"""Variance within a request over variance between requests, in steps (1.5 / 0.16: research on vLLM's histograms), so
that one long answer doesn't outvote thirty short ones."""
_REFIT = 8  # lessons of a lane after which what its cells have in common is fitted again
_STALE = 64  # parts of the half-life after which beliefs are aged again
_AFTER_DRIFT = 1.0  # requests that the past counts for after an alarm
_MOST = 10.0  # times that a drafter is taken to have become better or worse at once
_ANSWER = 256.0  # tokens assumed of an answer in a cell that nobody asked in yet
_Z90 = 1.6449  # standard deviations to either end of a 90 % interval


@dataclass(frozen=True, slots=True)
class Drift:
    """A lane that isn't what it was, in a language (`*` is all): its `acceptance` or its `step_time`.

    `change` is the factor by which it drafts more than it did (tokens a step beyond the first), or what the
    logarithm of its step time has grown by.
    """

    lane: str
    language: str
    what: str
    change: float


@dataclass(frozen=True, slots=True)
class State:
    """All that has to survive: by lane's key, by cell. Sizes are the tokens of a cell's contexts and of its answers."""

    acceptance: Mapping[tuple[str, Cell], Moments] = field(default_factory=dict)
    steps: Mapping[str, Sums] = field(default_factory=dict)
    sizes: Mapping[Cell, tuple[Moments, Moments]] = field(default_factory=dict)


def key(lane: Lane) -> str:
    """Name what a statistic is of: a lane of the same name with another drafter or draft length is another lane."""
    return f"{lane.name}/{lane.method}/{lane.draft_tokens}"


class Ledger:
    """Learns from lessons, and estimates lanes; begins from the table and from a state that was kept."""

    def __init__(self, lanes: Sequence[Lane], table: Table, half_life: float, state: State | None = None) -> None:
        state = state or State()
        self._lanes = {lane.name: lane for lane in lanes}
        self._keys = {lane.name: key(lane) for lane in lanes}
        self._table = table
        self._half_life = half_life
        self._acceptance: dict[str, dict[Cell, Moments]] = {}
        for (lane, cell), moments in state.acceptance.items():
            self._acceptance.setdefault(lane, {})[cell] = moments
        self._steps = dict(state.steps)
        self._sizes = dict(state.sizes)
        self._watches: dict[tuple[str, str, str], Watch] = {}
        self._since_fit = dict.fromkeys(self._lanes, 0)
        self._pools: dict[str, Pool] = {}
        self._seeds = {lane.name: _seed(lane, table) for lane in lanes}
        self._box: Fit | None = None
        self._fits: dict[str, Fit] = {}
        self._beliefs: dict[tuple[str, Cell], Belief] = {}
        self._estimates: dict[tuple[str, Cell, float], Estimate] = {}
        self._aged = 0.0

    def state(self) -> State:
        """Give what has to survive, as it is now."""
        acceptance = {(lane, cell): each for lane, cells in self._acceptance.items() for cell, each in cells.items()}
        return State(acceptance, dict(self._steps), dict(self._sizes))

    def learn(self, lesson: Lesson, now: float) -> tuple[Drift, ...]:
        """Take one request in; gives what it was the last straw for."""
        lane, lane_key = lesson.lane, self._keys[lesson.lane]
        self._age(now)
        weight = lesson.steps / (lesson.steps + _STEPS_WITHIN)
        drifts = self._surprises(lesson, weight)
        x = step_time.features(lesson.batch, lesson.context)
        logged = math.log(lesson.step_time)
        surprise = logged - self._fit(lane).predict(x).mean
        sums = self._steps.get(lane_key, Sums(at=now)).aged(now, self._half_life)
        # While little is known, a surprise is the ignorance of the beginning, and says nothing of the noise.
        self._steps[lane_key] = sums.plus(x, logged, weight, surprise if sums.weight > 3 else 0.0)
        if self._lanes[lane].drafts:
            cells = self._acceptance.setdefault(lane_key, {})
            seen = cells.get(lesson.cell, Moments(at=now)).aged(now, self._half_life)
            cells[lesson.cell] = seen.plus(lesson.acceptance_length, weight)
        self._measure(lesson, now)
        self._revise(lane, lesson.cell)
        return drifts

    def estimate(self, lane: str, cell: Cell, batch: float, now: float) -> Estimate:
        """Say what a lane is expected to do in a cell, as one of `batch` requests on its engine."""
        self._age(now)
        known = self._estimates.get((lane, cell, batch))
        if known is None:
            known = self._estimates[lane, cell, batch] = self._estimate(lane, cell, batch)
        return known

    def _estimate(self, lane: str, cell: Cell, batch: float) -> Estimate:
        belief = self._belief(lane, cell)
        context, _ = self.sizes(cell)
        fit = self._fit(lane)
        step = fit.predict(step_time.features(batch, context))
        length = belief.mean if belief.mean > 1.0 else 1.0
        mean = math.log(length) - step.mean
        variance = belief.variance / (length * length) + step.variance
        wide = math.exp(_Z90 * math.sqrt(variance))
        rate = math.exp(mean)
        seen = self._acceptance.get(self._keys[lane], {}).get(cell)
        requests = seen.weight if seen else 0.0
        return Estimate(lane, length, math.exp(step.mean), rate, rate / wide, rate * wide, requests, mean, variance)

    def sizes(self, cell: Cell) -> tuple[float, float]:
        """Give the tokens of context and of an answer that are usual in a cell."""
        sizes = self._sizes.get(cell)
        return (sizes[0].mean, sizes[1].mean) if sizes else (_TABLE_CONTEXT, _ANSWER)

    def _measure(self, lesson: Lesson, now: float) -> None:
        context, answer = self._sizes.get(lesson.cell, (Moments(at=now), Moments(at=now)))
        self._sizes[lesson.cell] = (
            context.aged(now, self._half_life).plus(lesson.context, 1.0),
            answer.aged(now, self._half_life).plus(lesson.completion_tokens, 1.0),
        )

    def _surprises(self, lesson: Lesson, weight: float) -> tuple[Drift, ...]:
        """Hold a lesson against what was expected, and correct what is no longer to be believed."""
        lane, found = lesson.lane, []
        step = self._fit(lane).predict(step_time.features(lesson.batch, lesson.context))
        noise = self._steps.get(self._keys[lane], Sums()).noise
        logged = math.log(lesson.step_time)
        surprise = (logged - step.mean) / math.sqrt(step.variance + noise / weight)
        if run := self._alarms((lane, "step_time", "*"), surprise, logged, step.mean):
            found.append(Drift(lane, "*", "step_time", (run.seen - run.expected) / run.length))
        if self._lanes[lane].drafts:
            belief = self._belief(lane, lesson.cell)
            seen = self._acceptance.get(self._keys[lane], {}).get(lesson.cell, Moments())
            gained, expected = lesson.acceptance_length - 1, max(0.0, belief.mean - 1)
            surprise = (gained - expected) / math.sqrt(belief.variance + pooling.spread(seen) / weight)
            for language in ("*", pooling.parts_of(lesson.cell)[0]):
                if run := self._alarms((lane, "acceptance", language), surprise, gained, expected):
                    found.append(Drift(lane, language, "acceptance", _ratio(run)))
                    break
        for drift in found:
            self._correct(drift)
            self._forget(self._lanes)
        return tuple(found)

    def _alarms(self, which: tuple[str, str, str], surprise: float, seen: float, expected: float) -> Run | None:
        watch = self._watches.get(which, Watch()).after(surprise, seen, expected)
        alarm = watch.alarm
        if alarm:  # the other watches of the lane saw the same, which will be corrected
            self._watches = {each: kept for each, kept in self._watches.items() if each[:2] != which[:2]}
        else:
            self._watches[which] = watch
        return alarm

    def _correct(self, drift: Drift) -> None:
        """Move what is known by what has been seen in the run, and let it count for one request from now on."""
        lane_key = self._keys[drift.lane]
        if drift.what == "step_time":
            # Lanes of one engine share what slows a step down, such as heat or a neighbour.
            engine = self._lanes[drift.lane].upstream
            for each in [self._keys[lane.name] for lane in self._lanes.values() if lane.upstream == engine]:
                self._steps[each] = self._steps.get(each, Sums()).slower(drift.change).capped(_AFTER_DRIFT)
            return
        cells = self._acceptance.get(lane_key, {})
        for cell, moments in cells.items():
            if drift.language in ("*", pooling.parts_of(cell)[0]):
                cells[cell] = moments.moved(1 + (moments.mean - 1) * drift.change).capped(_AFTER_DRIFT)

    def _age(self, now: float) -> None:
        """Let beliefs age: nothing that was cached says how long ago it was seen."""
        if now - self._aged <= self._half_life / _STALE:
            return
        self._aged = now
        for cells in self._acceptance.values():
            cells.update({cell: moments.aged(now, self._half_life) for cell, moments in cells.items()})
        self._steps = {each: sums.aged(now, self._half_life) for each, sums in self._steps.items()}
        self._forget(self._lanes)

    def _revise(self, lane: str, cell: Cell) -> None:
        """Drop what was concluded before a lesson; what cells have in common is fitted again only now and then."""
        self._since_fit[lane] += 1
        self._estimates.clear()
        if self._since_fit[lane] <= 2 * _REFIT or self._since_fit[lane] % _REFIT == 0:
            return self._forget([lane])
        self._beliefs.pop((lane, cell), None)
        self._fits.pop(lane, None)
        return None

    def _forget(self, lanes: Iterable[str]) -> None:
        self._box = None
        self._fits.clear()
        self._estimates.clear()
        for lane in lanes:
            self._pools.pop(lane, None)
        gone = set(lanes)
        self._beliefs = {where: belief for where, belief in self._beliefs.items() if where[0] not in gone}

    def _belief(self, lane: str, cell: Cell) -> Belief:
        """What acceptance length is expected, and how sure that is."""
        known = self._beliefs.get((lane, cell))
        if known is None:
            known = self._beliefs[lane, cell] = self._expected(lane, cell)
        return known

    def _expected(self, lane: str, cell: Cell) -> Belief:
        if not self._lanes[lane].drafts:
            return Belief(1.0, 0.0)  # the body gives one token a step, and that is certain
        cells = self._acceptance.get(self._keys[lane], {})
        pool = self._pools.get(lane)
        if pool is None:
            pool = self._pools[lane] = pooling.fit(cells, _guess(self._lanes[lane]))
        prior = pool.expect(cell)
        listed = next((each for each in candidates_of(cell, self._table) if each.lane == lane), None)
        if listed and listed.acceptance_length:
            prior = pooling.joined(prior, Belief(listed.acceptance_length, _OF_TABLE))
        return pooling.posterior(prior, cells.get(cell, Moments()))

    def _fit(self, lane: str) -> Fit:
        fit = self._fits.get(lane)
        if fit is None:
            if self._box is None:
                self._box = step_time.fit_box([self._seeded(name) for name in self._lanes])
            fit = self._fits[lane] = step_time.fit_lane(self._seeded(lane), self._box)
        return fit

    def _seeded(self, lane: str) -> Sums:
        """What was seen of a lane's steps, after what the table has of them."""
        sums = self._steps.get(self._keys[lane])
        return self._seeds[lane].joined(sums) if sums else self._seeds[lane]


def _seed(lane: Lane, table: Table) -> Sums:
    """Take a lane's step time out of the table, where it has rate and acceptance length."""
    listed = [each for row in table for each in row.candidates if each.lane == lane.name and each.decode_rate]
    sums, x = Sums(), step_time.features(1, _TABLE_CONTEXT)
    for each in listed:
        length = each.acceptance_length if lane.drafts else 1.0
        if length and each.decode_rate:
            sums = sums.plus(x, math.log(length / each.decode_rate), _TABLE_WORTH / len(listed), 0.0)
    return sums


def _ratio(run: Run) -> float:
    """How much more was drafted in a run than expected, within bounds: a run is short."""
    return min(_MOST, max(1 / _MOST, run.seen / max(run.expected, 1e-6)))


def _guess(lane: Lane) -> float:
    """Guess a drafter's acceptance length: 1 + the sum over positions of the share that gets so far."""
    return 1.0 + sum(_GUESSED_ACCEPTANCE**position for position in range(1, lane.draft_tokens + 1))
