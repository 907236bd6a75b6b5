"""What was learned of every lane: acceptance length by cell, step time by load, each with its uncertainty.

Knows no clock: `now` is seconds of one that goes on over restarts. What it says of a decode rate is lognormal, since
the logarithms of its two factors are about normal.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from serve.routing import odds, pooling, step_time
from serve.routing.cell import Cell
from serve.routing.conclusions import TABLE_CONTEXT, Conclusions
from serve.routing.drift import Run, Sight, Watch
from serve.routing.estimate import Estimate
from serve.routing.lane import Lane
from serve.routing.lesson import Lesson
from serve.routing.moments import Moments
from serve.routing.policy import Table
from serve.routing.step_time import Sums

_STEPS_WITHIN = 10.0
"""Variance within a request over variance between requests, in steps (assumed: 1.5 over 0.16), so that one long answer
doesn't outvote thirty short ones."""
_STALE = 64  # parts of the half-life after which what was seen is aged again
_AFTER_DRIFT = 1.0  # requests that the past counts for after an alarm
_MOST = 3.0  # log-odds by which a drafter is taken to have become better or worse at once
_FINEST = 0.03
"""Standard deviation between requests that surprises nobody, as a share of the acceptance length: near a drafter's most
they hardly differ, and each would else be a surprise that gains or costs nothing."""
_ANSWER = 256.0  # tokens assumed of an answer in a cell that nobody asked in yet
_KNOWN = 3.0  # requests before which a surprise is the ignorance of the beginning, and says nothing of the noise


@dataclass(frozen=True, slots=True)
class Drift:
    """A lane that isn't what it was, in a language (`*` is all): its `acceptance` or its `step_time`.

    `change` is what the log-odds of its drafts' being accepted have grown by, or the logarithm of its step time. The
    evidence: means of what was `seen` and `expected` over the last `answers`, the first of which came at `since`, in
    tokens a step, or in seconds a step (then geometric means).
    """

    lane: str
    language: str
    what: str
    change: float
    seen: float
    expected: float
    answers: int
    since: float


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
        kept = state or State()
        self._lanes = {lane.name: lane for lane in lanes}
        self._half_life = half_life
        names = {key(lane): lane.name for lane in lanes}
        self._acceptance: dict[str, dict[Cell, Moments]] = {lane.name: {} for lane in lanes}
        for (lane_key, cell), moments in kept.acceptance.items():
            if lane_key in names:
                self._acceptance[names[lane_key]][cell] = moments
        self._steps = {names[lane_key]: sums for lane_key, sums in kept.steps.items() if lane_key in names}
        self._sizes = dict(kept.sizes)
        self._watches: dict[tuple[str, str, str], Watch] = {}
        self._aged = 0.0
        self.drifted: set[str] = set()
        """Keys of lanes that were corrected since somebody took note of it."""
        self._conclusions = Conclusions(lanes, table, self._acceptance, self._steps)

    def state(self) -> State:
        """Give what has to survive, as it is now."""
        keys = {name: key(lane) for name, lane in self._lanes.items()}
        acceptance = {
            (keys[lane], cell): moments for lane, cells in self._acceptance.items() for cell, moments in cells.items()
        }
        return State(acceptance, {keys[lane]: sums for lane, sums in self._steps.items()}, dict(self._sizes))

    def adopt(self, state: State, moved: Iterable[str]) -> None:
        """Take over a state that others have learned too; lanes that they corrected are watched anew."""
        names = {key(lane): lane.name for lane in self._lanes.values()}
        for cells in self._acceptance.values():
            cells.clear()
        for (lane_key, cell), moments in state.acceptance.items():
            if lane_key in names:
                self._acceptance[names[lane_key]][cell] = moments
        self._steps.clear()
        self._steps |= {names[lane_key]: sums for lane_key, sums in state.steps.items() if lane_key in names}
        self._sizes = dict(state.sizes)
        stale = {names[each] for each in moved if each in names}
        self._watches = {which: watch for which, watch in self._watches.items() if which[0] not in stale}
        self._conclusions.renew()

    def learn(self, lesson: Lesson, now: float) -> tuple[Drift, ...]:
        """Take one request in; gives what it was the last straw for."""
        self._age(now)
        weight = lesson.steps / (lesson.steps + _STEPS_WITHIN)
        drifts = self._surprises(lesson, weight, now)
        for drift in drifts:
            self._correct(drift)
        if drifts:
            self._conclusions.renew()
        self._time(lesson, weight, now)
        if self._lanes[lesson.lane].drafts:
            cells = self._acceptance[lesson.lane]
            seen = cells.get(lesson.cell, Moments(at=now)).aged(now, self._half_life)
            cells[lesson.cell] = seen.plus(lesson.acceptance_length, weight)
        self._measure(lesson, now)
        self._conclusions.learned(lesson.lane, lesson.cell)
        return drifts

    def estimates(self, cell: Cell, batches: Iterable[tuple[str, float]], now: float) -> tuple[Estimate, ...]:
        """Say what lanes are expected to do in a cell, each with the batch that its engine would then work on."""
        self._age(now)
        context, _ = self.sizes(cell)
        lengths, predict = self._conclusions.lengths(cell), self._conclusions.step
        found = []
        for lane, batch in batches:
            length, step = lengths[lane], predict(lane, batch, context)
            mean, below, above = length.log - step.mean, length.below + step.variance, length.above + step.variance
            found.append(Estimate(lane, length.expected.mean, mean, below, above, length.requests, length.drafts))
        return tuple(found)

    def knows(self, lane: str) -> bool:
        """Say whether anything was seen of a drafter."""
        return bool(self._acceptance[lane])

    def sizes(self, cell: Cell) -> tuple[float, float]:
        """Give the tokens of context and of an answer that are usual in a cell."""
        sizes = self._sizes.get(cell)
        return (sizes[0].mean, sizes[1].mean) if sizes else (TABLE_CONTEXT, _ANSWER)

    def _time(self, lesson: Lesson, weight: float, now: float) -> None:
        logged = math.log(lesson.step_time)
        surprise = logged - self._conclusions.step(lesson.lane, lesson.batch, lesson.context).mean
        sums = self._steps.get(lesson.lane, Sums(at=now)).aged(now, self._half_life)
        x = step_time.features(lesson.batch, lesson.context)
        self._steps[lesson.lane] = sums.plus(x, logged, weight, surprise if sums.weight > _KNOWN else 0.0)

    def _measure(self, lesson: Lesson, now: float) -> None:
        context, answer = self._sizes.get(lesson.cell, (Moments(at=now), Moments(at=now)))
        self._sizes[lesson.cell] = (
            context.aged(now, self._half_life).plus(lesson.context, 1.0),
            answer.aged(now, self._half_life).plus(lesson.completion_tokens, 1.0),
        )

    def _surprises(self, lesson: Lesson, weight: float, now: float) -> tuple[Drift, ...]:
        """Hold a lesson against what was expected, and tell what is no longer to be believed."""
        lane, found = lesson.lane, []
        step = self._conclusions.step(lane, lesson.batch, lesson.context)
        logged, noise = math.log(lesson.step_time), self._steps.get(lane, Sums()).noise
        surprise = (logged - step.mean) / math.sqrt(step.variance + noise / weight)
        if run := self._alarms((lane, "step_time", "*"), surprise, Sight(logged, step.mean, now)):
            seen, expected = run.seen / run.length, run.expected / run.length
            evidence = (math.exp(seen), math.exp(expected), run.length, run.began)
            found.append(Drift(lane, "*", "step_time", seen - expected, *evidence))
        if self._lanes[lane].drafts:
            belief = self._conclusions.lengths(lesson.cell)[lane].expected
            known = self._acceptance[lane].get(lesson.cell, Moments(mean=belief.mean))
            drafts = self._lanes[lane].draft_tokens
            noise = max(odds.spread(known, drafts), (_FINEST * belief.mean) ** 2) / weight
            sight = Sight(lesson.acceptance_length, belief.mean, now)
            surprise = (lesson.acceptance_length - belief.mean) / math.sqrt(belief.variance + noise)
            for language in ("*", pooling.parts_of(lesson.cell)[0]):
                which = (lane, "acceptance", language)
                if run := self._alarms(which, surprise, sight):
                    evidence = (run.seen / run.length, run.expected / run.length, run.length, run.began)
                    found.append(Drift(lane, language, "acceptance", _shift(run, drafts), *evidence))
                    break
        return tuple(found)

    def _alarms(self, which: tuple[str, str, str], surprise: float, sight: Sight) -> Run | None:
        watch = self._watches.get(which, Watch()).after(surprise, sight)
        alarm = watch.alarm
        if alarm:  # the other watches of the lane saw the same, which will be corrected
            self._watches = {each: kept for each, kept in self._watches.items() if each[:2] != which[:2]}
        else:
            self._watches[which] = watch
        return alarm

    def _correct(self, drift: Drift) -> None:
        """Move what is known by what has been seen in the run, and let it count for one request from now on."""
        self.drifted.add(key(self._lanes[drift.lane]))
        if drift.what == "step_time":
            # Engines of one machine share what slows a step down, such as heat or a neighbour.
            machines = _machines(self._lanes[drift.lane])
            for each in [lane.name for lane in self._lanes.values() if _machines(lane) & machines]:
                self._steps[each] = self._steps.get(each, Sums()).slower(drift.change).capped(_AFTER_DRIFT)
                self.drifted.add(key(self._lanes[each]))
            return
        cells, drafts = self._acceptance[drift.lane], self._lanes[drift.lane].draft_tokens
        for cell, moments in cells.items():
            if drift.language in ("*", pooling.parts_of(cell)[0]):
                moved = odds.length(odds.log_odds(moments.mean, drafts) + drift.change, drafts)
                cells[cell] = moments.moved(moved).capped(_AFTER_DRIFT)

    def _age(self, now: float) -> None:
        """Let everything age: conclusions don't say how long ago it was seen."""
        if now - self._aged <= self._half_life / _STALE:
            return
        self._aged = now
        for cells in self._acceptance.values():
            cells.update({cell: moments.aged(now, self._half_life) for cell, moments in cells.items()})
        self._steps.update({each: sums.aged(now, self._half_life) for each, sums in self._steps.items()})
        self._conclusions.renew()


def _machines(lane: Lane) -> set[str | None]:
    return {urlsplit(engine).hostname for engine in lane.engines}


def _shift(run: Run, drafts: int) -> float:
    """Say by how much the log-odds in a run lay off those expected, within bounds: a run is short."""
    seen, expected = (odds.log_odds(each / run.length, drafts) for each in (run.seen, run.expected))
    return min(_MOST, max(-_MOST, seen - expected))
