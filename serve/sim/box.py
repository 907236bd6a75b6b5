"""The truth of a simulated box: how long steps take, and what drafters get accepted, by language, task and batch.

Language and task are taken to add up in the log-odds of a draft's acceptance, for nobody has published both at once.
"""

import math
import random
from collections.abc import Sequence

from serve.errors import ConfigError
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.sim.figures import Accepted, Answers, BodyFigures, Figures

_SURE = 0.999  # of a draft's acceptance, beyond which log-odds say nothing more
_HALVINGS = 40


class Box:
    """What is true of every lane of one body on one kind of box."""

    def __init__(self, figures: Figures, body: str, lanes: Sequence[Lane]) -> None:
        """Take the figures of these lanes; raises ConfigError if one has none."""
        self._figures = figures
        self._steps: dict[str, float] = {}
        self._odds: dict[tuple[str, str], tuple[float, ...]] = {}
        self._drafts = {lane.name: lane.draft_tokens for lane in lanes}
        known = figures.bodies[body]
        for lane in lanes:
            self._take(lane, known)
        self._body = next((self._steps[lane.name] for lane in lanes if not lane.drafts), None)
        self._raw = known.raw
        self._raw_odds = {
            lane.name: _of_row(row, lane, self._steps[lane.name])
            for lane in lanes
            for row in (known.raw.acceptance if known.raw else ())
            if row.lane == lane.name
        }
        self._tasks = {each.task: _odds(each.accepted) - _odds(each.prose) for each in figures.tasks}

    def _take(self, lane: Lane, known: BodyFigures) -> None:
        measured = next((each for each in known.steps if each.lane == lane.name), None)
        if measured is None:
            raise ConfigError(f"lane {lane.name} has no published figure")
        self._steps[lane.name] = measured.acceptance_length / measured.decode_rate
        for row in known.acceptance:
            if row.lane == lane.name:
                self._odds[lane.name, row.language] = _of_row(row, lane, self._steps[lane.name])
        if lane.drafts and (lane.name, "*") not in self._odds:
            raise ConfigError(f"lane {lane.name} has no figure for languages that nobody measured")

    @property
    def answers(self) -> Answers:
        """How requests differ."""
        return self._figures.answers

    def prefill(self, tokens: int) -> float:
        """Give the seconds that a prompt takes to read."""
        return self._figures.prefill.seconds_per_token * tokens

    def step(self, lane: Lane, batch: int) -> float:
        """Give the seconds of a step in a batch of so many requests.

        A lane that drafts fewer tokens than it does takes that part of what drafting adds to the body's step.
        """
        slower: float = self._figures.load.doubling ** math.log2(batch)
        whole, most = self._steps[lane.name], self._drafts[lane.name]
        if lane.draft_tokens < most and self._body is not None:
            whole = self._body + (whole - self._body) * lane.draft_tokens / most
        return whole * slower

    def circles(self, cell: Cell) -> float:
        """Give the share of a cell's answers that go round in circles."""
        return self._raw.circles if self._raw and cell.endpoint == "completions" else 0.0

    def survival(self, lane: Lane, cell: Cell, off: float = 0.0) -> tuple[float, ...]:
        """Give how likely each draft is accepted once those before it are; `off` is in log-odds."""
        if cell.endpoint == "completions" and lane.name in self._raw_odds:
            raw = self._raw_odds[lane.name][: lane.draft_tokens]
            return tuple(1 / (1 + math.exp(-(each + off))) for each in raw)
        base = cell.language.partition("-")[0]
        found = (self._odds.get((lane.name, language)) for language in (cell.language, base, "*"))
        odds = next((each for each in found if each), ())
        task = self._tasks.get(cell.task, 0.0)
        return tuple(1 / (1 + math.exp(-(each + task + off))) for each in odds[: lane.draft_tokens])

    def length(self, lane: Lane, cell: Cell) -> float:
        """Give the tokens a step that a lane is worth in a cell."""
        return 1.0 + _reached(self.survival(lane, cell))

    def rate(self, lane: Lane, cell: Cell, batch: int = 1) -> float:
        """Give the tokens a second that a lane is worth in a cell."""
        return self.length(lane, cell) / self.step(lane, batch)

    def tokens(self, rng: random.Random) -> int:
        """Draw how long an answer would be if nothing cut it off."""
        answers = self.answers
        return max(1, round(answers.median_tokens * math.exp(rng.gauss(0, answers.spread))))


def _of_row(row: Accepted, lane: Lane, step: float) -> tuple[float, ...]:
    """Turn what a source says into the log-odds of each draft once those before it were accepted."""
    if row.per_position:
        before = (1.0, *row.per_position)
        return tuple(_odds(share / former) for share, former in zip(row.per_position, before, strict=False))
    drafts = row.decode_rate * step - 1 if row.decode_rate else (row.accepted or 0.0) * lane.draft_tokens
    low, high = 0.0, _SURE
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _reached((middle,) * lane.draft_tokens) < drafts:
            low = middle
        else:
            high = middle
    return (_odds(high),) * lane.draft_tokens


def _reached(survival: Sequence[float]) -> float:
    """Add up how many drafts are accepted a step."""
    total, product = 0.0, 1.0
    for share in survival:
        product *= share
        total += product
    return total


def _odds(share: float) -> float:
    bounded = min(_SURE, max(1 - _SURE, share))
    return math.log(bounded / (1 - bounded))
