"""Decides whether a greedy answer is the body's, token by token, and which differences are ties of rounded numbers.

A drafter makes the body compute the same logits in another shape (several tokens a step instead of one), and the sum of
the same numbers in another order rounds differently. Where two tokens are as good as equally probable, either may then
come out on top. So the first difference of an answer counts as a tie if the body itself, asked again at that very
position, puts both tokens within `epsilon` of its best one; what follows a tie isn't compared. Pure: it asks nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest


class Dtype(StrEnum):
    """What engines compute in, under vLLM's names."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class Rule:
    """What passes as a tie: `epsilon` in nats of log probability, and `ties_per_token` of them, rounded up."""

    epsilon: float
    ties_per_token: float


RULES = {
    # Logits of a language model stay below 32 (Gemma 4 caps them at 30), where neighbouring numbers of a format with m
    # bits of mantissa are 2**(4 - m) apart: one rounding of each of the two logits makes two such steps.
    Dtype.BFLOAT16: Rule(2 * 2.0**-3, 0.01),
    Dtype.FLOAT16: Rule(2 * 2.0**-6, 0.005),
    # Here the order of summation over a thousand terms weighs more than the two steps of 2**-19.
    Dtype.FLOAT32: Rule(1e-4, 0.001),
}
"""By the type that the engines compute in; ties become rarer as they become narrower."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where an answer leaves the body's: the position (from 0), both tokens (None: it had ended), the gap in nats.

    `gap` is how far the less probable of the two lies behind the body's best token there; infinite if it isn't even
    among those that the body names.
    """

    position: int
    lane_token: int | None
    body_token: int | None
    gap: float = math.inf


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer beside the body's: what was asked, how many tokens were equal, and the first that wasn't."""

    prompt: str
    tokens: int
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers of one lane together; `worst` is the one that strays farthest, if any differs by more than a tie."""

    answers: int
    tokens: int
    ties: int
    wrong: int
    worst: Compared | None
    passed: bool


def first_difference(lane: Sequence[int], body: Sequence[int]) -> Difference | None:
    """Find the first position at which two answers differ; one that ends where the other goes on differs there."""
    for position, (mine, theirs) in enumerate(zip_longest(lane, body)):
        if mine != theirs:
            return Difference(position, mine, theirs)
    return None


def gap(difference: Difference, logprobs: Mapping[int, float]) -> float:
    """Tell how many nats the less probable of two tokens lies behind the best, by the body's own `logprobs`."""
    least = min(logprobs.get(token, -math.inf) for token in _tokens(difference))
    return max(logprobs.values(), default=math.inf) - least


def tally(compared: Iterable[Compared], rule: Rule) -> Tally:
    """Judge a lane's answers: none may differ by more than a tie, and ties may not be more than the rule allows."""
    answers = list(compared)
    tokens = sum(answer.tokens for answer in answers)
    different = [(answer.difference.gap, answer) for answer in answers if answer.difference]
    wrong = [(distance, answer) for distance, answer in different if distance > rule.epsilon]
    ties = len(different) - len(wrong)
    worst = max(wrong, key=lambda pair: pair[0])[1] if wrong else None
    passed = tokens > 0 and not wrong and ties <= math.ceil(rule.ties_per_token * tokens)
    return Tally(len(answers), tokens, ties, len(wrong), worst, passed)


def _tokens(difference: Difference) -> tuple[int, int]:
    """Give both tokens; -1, which no body names, for an answer that ended without one."""
    return (
        -1 if difference.lane_token is None else difference.lane_token,
        -1 if difference.body_token is None else difference.body_token,
    )
