"""What the ledger's sums let conclude of its lanes, concluded when something was learned, not while a request waits."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serve.routing import odds, pooling, step_time
from serve.routing.belief import Belief, joined
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.moments import Moments
from serve.routing.policy import ANY, Candidate, Table, closest, indexed
from serve.routing.pooling import Pool
from serve.routing.step_time import Fit, Sums
from serve.routing.task import TASKS

_GUESSED_ACCEPTANCE = 0.6
"""Share of drafts accepted at each position, of a drafter that nobody measured."""
_OF_TABLE = 0.09
"""Variance about the table's log-odds, a standard deviation of 0.3: they were measured elsewhere, on other prompts, so
a few requests overrule them."""
_TABLE_WORTH = 1.0  # requests that a lane's step times in the table count for, and each of its acceptance lengths
TABLE_CONTEXT = 512.0
"""Tokens of context, assumed of the table's measurements and of a cell that nobody asked in yet."""
_CONTEXTS = 256.0  # tokens by which contexts are told apart
_PATIENCE = 8  # parts of the lessons so far, after so many of which more are worth another fit
_LONGEST = 16  # lessons after which a lane's steps are fitted again
_STRANGER = "x-stranger"
"""Stands for every language of which nothing is known: what is expected of lanes there is the same."""


@dataclass(slots=True)  # made by the dozen after each lesson, where a frozen one takes three times as long
class Length:
    """An acceptance length that is expected of a lane in a cell, and its logarithm with the variance of that."""

    expected: Belief
    log: float
    below: float
    above: float
    requests: float
    drafts: bool


class Conclusions:
    """Beliefs about lanes, by their names; `seen` and `steps` are the ledger's own, and change under it."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        table: Table,
        seen: Mapping[str, Mapping[Cell, Moments]],
        steps: Mapping[str, Sums],
    ) -> None:
        self._lanes = {lane.name: lane for lane in lanes}
        self._table, self._index = table, indexed(table)
        self._seen, self._steps = seen, steps
        self._seeds = {lane.name: _seed(lane, table) for lane in lanes}
        self._lessons = dict.fromkeys(self._lanes, 0)
        self._pooled = dict.fromkeys(self._lanes, 0)
        self._fitted = dict.fromkeys(self._lanes, 0)
        self._lengths: dict[Cell, dict[str, Length]] = {}
        self._known: set[str] = set()
        self.renew()
        for language in (_STRANGER, *(row.language for row in table)):
            self._meet(Cell(language, "", "chat", thinking=False))

    def renew(self) -> None:
        """Conclude everything anew."""
        cells = itertools.chain.from_iterable(self._seen.values())
        self._known = {_language(row.language) for row in self._table} | {_language(cell.language) for cell in cells}
        self._pools: dict[str, Pool] = {}
        self._fits: dict[str, Fit] = {}
        self._predicted: dict[str, dict[tuple[float, int], Belief]] = {}
        self._box = step_time.fit_box([self._seeded(name) for name in self._lanes])
        for lane in self._lanes:
            self._fit(lane)
            self._pool(lane)

    def learned(self, lane: str, cell: Cell) -> None:
        """Conclude what one lesson changes: at once in its cell, and elsewhere as soon as enough has come together."""
        if (language := _language(cell.language)) not in self._known:
            self._known.add(language)
            self._meet(cell)
        self._lessons[lane] = lessons = self._lessons[lane] + 1
        patience = lessons // _PATIENCE + 1
        if lessons - self._pooled[lane] >= min(patience, len(self._lengths)):
            self._box = step_time.fit_box([self._seeded(name) for name in self._lanes])
            self._pool(lane)
        else:
            self.lengths(cell)[lane] = self._length(lane, cell)
        if lessons - self._fitted[lane] >= min(patience, _LONGEST):
            self._fit(lane)

    def lengths(self, cell: Cell) -> dict[str, Length]:
        """Say what acceptance length is expected of every lane in a cell."""
        lengths = self._lengths.get(cell)
        if lengths is None and _language(cell.language) not in self._known:
            cell = cell._replace(language=_STRANGER)
            lengths = self._lengths.get(cell)
        if lengths is None:
            lengths = self._lengths[cell] = {lane: self._length(lane, cell) for lane in self._lanes}
        return lengths

    def _meet(self, cell: Cell) -> None:
        """Conclude beforehand what a language lets expect at every task, so that no request waits for it."""
        for task in TASKS:
            self.lengths(cell._replace(task=task))

    def step(self, lane: str, batch: float, context: float) -> Belief:
        """Say what the logarithm of a step's seconds is expected to be."""
        bucket = int(context / _CONTEXTS)
        predicted = self._predicted[lane]
        belief = predicted.get((batch, bucket))
        if belief is None:
            x = step_time.features(batch, (bucket + 0.5) * _CONTEXTS)
            belief = predicted[batch, bucket] = self._fits[lane].predict(x)
        return belief

    def _pool(self, lane: str) -> None:
        self._pooled[lane] = self._lessons[lane]
        if self._lanes[lane].drafts:
            drafts, seen = self._lanes[lane].draft_tokens, {**self._tabled(lane), **self._seen[lane]}
            sights = {cell: odds.sight(each, drafts) for cell, each in seen.items() if each.weight > 0}
            self._pools[lane] = pooling.fit(sights, odds.log_odds(_guess(self._lanes[lane]), drafts))
        for cell, lengths in self._lengths.items():
            lengths[lane] = self._length(lane, cell)

    def _fit(self, lane: str) -> None:
        self._fitted[lane] = self._lessons[lane]
        self._fits[lane] = step_time.fit_lane(self._seeded(lane), self._box)
        self._predicted[lane] = {}

    def _length(self, lane: str, cell: Cell) -> Length:
        if not self._lanes[lane].drafts:
            return Length(Belief(1.0, 0.0), 0.0, 0.0, 0.0, 0.0, drafts=False)  # one token a step, and that is certain
        drafts, belief = self._lanes[lane].draft_tokens, self._expected(lane, cell)
        seen = self._seen[lane].get(cell, Moments())
        told = odds.in_tokens(belief, drafts)
        expected = Belief(told.tokens, told.variance)
        return Length(expected, told.log, told.below, told.above, seen.weight, drafts=True)

    def _expected(self, lane: str, cell: Cell) -> Belief:
        drafts, belief = self._lanes[lane].draft_tokens, self._pools[lane].expect(cell)
        if listed := self._listed(lane, cell):
            belief = joined(belief, listed)
        seen = self._seen[lane].get(cell)
        if seen and seen.weight > 0:
            belief = joined(belief, odds.sight(seen, drafts))
        return belief

    def _listed(self, lane: str, cell: Cell) -> Belief | None:
        """Take log-odds out of the table's closest row; one for all tasks, or all languages, was measured in some."""
        row = closest(cell, self._index)
        listed = next((each for each in self._index[row] if each.lane == lane), None) if row else None
        belief = self._read(listed) if listed else None
        if not row or not belief:
            return None
        of_one = pooling.LANGUAGES_DIFFER * (row[0] == ANY) + pooling.TASKS_DIFFER * (row[1] == ANY)
        return Belief(belief.mean, belief.variance + 2 * of_one)  # two of them differ by twice what each does

    def _tabled(self, lane: str) -> dict[Cell, Moments]:
        """Take every row of the table for a request: what a drafter does in some cells says something of the others."""
        drafts = self._lanes[lane].draft_tokens
        rows = [(row, self._read(each)) for row in self._table for each in row.candidates if each.lane == lane]
        return {
            Cell(row.language, row.task, "chat", False): Moments(_TABLE_WORTH, odds.length(belief.mean, drafts))
            for row, belief in rows
            if belief
        }

    def _read(self, listed: Candidate) -> Belief | None:
        """Take log-odds out of an acceptance length; out of a rate alone, by the step time that is believed in."""
        drafts, length = self._lanes[listed.lane].draft_tokens, listed.acceptance_length
        if not length and listed.decode_rate:
            # An error of the step time cancels in the rate, which is what was measured.
            length = listed.decode_rate * math.exp(self.step(listed.lane, 1, TABLE_CONTEXT).mean)
        return Belief(odds.log_odds(length, drafts), _OF_TABLE) if length else None

    def _seeded(self, lane: str) -> Sums:
        """What was seen of a lane's steps, after what the table has of them."""
        sums = self._steps.get(lane)
        return self._seeds[lane].joined(sums) if sums else self._seeds[lane]


def _language(tag: str) -> str:
    """The language that is pooled: zh-Hans and zh-Hant are one."""
    return tag.partition("-")[0]


def _seed(lane: Lane, table: Table) -> Sums:
    """Take a lane's step time out of the table, where it has rate and acceptance length."""
    listed = [each for row in table for each in row.candidates if each.lane == lane.name and each.decode_rate]
    return _summed((each.acceptance_length if lane.drafts else 1.0, each.decode_rate) for each in listed)


def _summed(measured: Iterable[tuple[float | None, float | None]]) -> Sums:
    logged = [math.log(length / rate) for length, rate in measured if length and rate]
    sums, x = Sums(), step_time.features(1, TABLE_CONTEXT)
    for each in logged:
        sums = sums.plus(x, each, _TABLE_WORTH / len(logged), 0.0)
    return sums


def _guess(lane: Lane) -> float:
    """Guess a drafter's acceptance length: 1 + the sum over positions of the share that gets so far."""
    return 1.0 + sum(_GUESSED_ACCEPTANCE**position for position in range(1, lane.draft_tokens + 1))
