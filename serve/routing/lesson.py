"""What one finished request teaches of its lane, or why nothing is to be learned from it."""

from dataclasses import dataclass
from typing import Literal

from serve.routing.cell import Cell
from serve.routing.outcome import Outcome

_FEWEST_STEPS = 4
"""A shorter answer says more of the clock's grain than of the drafter."""

LeftOut = Literal["unfinished", "unmeasured", "short", "warming", "repeating", "shortened"]
"""unfinished: aborted, failed, refused or rejected; unmeasured: the engine didn't say what the lane achieved (`n` above
1, its metrics off); short: fewer than four steps; warming: the engine's first answers since the router came up, or
since the engine broke; repeating: the answer went round in circles, which every drafter predicts; shortened: the
client had the lane draft fewer tokens than it does."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a lane achieved on one request: tokens a step, seconds a step, over how many steps, in which company.

    `batch` is how many requests its engine worked on, this one included; tokens are the engine's counts.
    """

    lane: str
    cell: Cell
    acceptance_length: float
    step_time: float
    steps: int
    batch: float
    prompt_tokens: int
    completion_tokens: int

    @property
    def context(self) -> float:
        """Tokens of context, in the middle of the answer."""
        return self.prompt_tokens + self.completion_tokens / 2


def lesson(outcome: Outcome, batch: float) -> Lesson | LeftOut:
    """Take the lesson of a request; the engine's own time counts, since a slow client stretches ours."""
    if outcome.end != "complete" or outcome.cell is None or outcome.decision is None:
        return "unfinished"
    if outcome.shortened:
        return "shortened"
    tokens, spent, acceptance = outcome.completion_tokens, outcome.generation_time, outcome.acceptance
    if outcome.drafted and (acceptance is None or acceptance.acceptance_length is None):
        return "unmeasured"
    if not tokens or not spent:
        return "unmeasured"
    length = acceptance.acceptance_length if acceptance and outcome.drafted else None
    steps = acceptance.num_spec_steps if acceptance and outcome.drafted else tokens - 1
    if steps < _FEWEST_STEPS:
        return "short"
    if outcome.sample is not None and outcome.sample.repeats():
        return "repeating"
    # So that acceptance length / step time is the rate that was really reached, whatever steps weren't counted.
    step_time = (length or 1.0) * spent / (tokens - 1)
    return Lesson(
        lane=outcome.decision.lane,
        cell=outcome.cell,
        acceptance_length=length or 1.0,
        step_time=step_time,
        steps=steps,
        batch=batch,
        prompt_tokens=outcome.prompt_tokens or 0,
        completion_tokens=tokens,
    )
