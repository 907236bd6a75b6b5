"""Above temperature zero a speculating engine draws from the body's distribution, sampling parameters included.

A permutation test: if two engines draw alike, then which of them an answer came from doesn't matter, so the distance of
their token frequencies is one of the distances that shuffled answers show. Seeds are fixed: a machine gives one result.
"""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.images.engine.conftest import Answer, Inside, Task
from tests.images.engine.models import PROMPTS, body, drafting

pytestmark = pytest.mark.engine

SAMPLES = 600
SHUFFLES = 1000
# One in a thousand: the chance to fail an engine that draws alike.
SIGNIFICANT = 0.001
SAMPLING = {"temperature": 0.8, "top_k": 12, "top_p": 0.95, "max_tokens": 4, "ignore_eos": True}


def distance(one: Sequence[Sequence[int]], other: Sequence[Sequence[int]]) -> float:
    """Total variation distance of the tokens' frequencies, summed over the tokens after the first.

    The first token comes from the prompt's own pass; those after it are verified drafts, or stand in for refused ones.
    """
    total = 0.0
    for position in range(1, len(one[0])):
        counts = Counter(answer[position] for answer in one)
        counts.subtract(answer[position] for answer in other)
        total += sum(map(abs, counts.values())) / (2 * len(one))
    return total


def p_value(one: list[list[int]], other: list[list[int]]) -> float:
    """The share of shufflings of all answers that lie as far apart as `one` and `other` do."""
    seen = distance(one, other)
    everything, order = one + other, random.Random(0)
    farther = 0
    for _ in range(SHUFFLES):
        order.shuffle(everything)
        farther += distance(everything[: len(one)], everything[len(one) :]) >= seen
    return (farther + 1) / (SHUFFLES + 1)


@pytest.fixture(scope="module")
def answers(inside: Inside) -> list[Answer]:
    """The body, MTP and EAGLE-3; the body also warmer, to see that the test can tell."""
    prompts = [PROMPTS[0]] * SAMPLES
    batch = {"prompts": prompts, "sampling": SAMPLING}
    warmer = {"prompts": prompts, "sampling": SAMPLING | {"temperature": 1.2}}
    return inside.generate(
        [
            Task(engine=body("gemma4"), batches=[batch, warmer]),
            Task(engine=drafting("gemma4", "mtp", "gemma4-assistant", 2), batches=[batch]),
            Task(engine=drafting("gemma4", "eagle3", "gemma4-eagle3", 2), batches=[batch]),
        ]
    )


@pytest.mark.parametrize("place", [1, 2], ids=["mtp", "eagle3"])
def test_a_speculating_engine_draws_as_the_body_does(answers: list[Answer], place: int) -> None:
    assert answers[place]["metrics"]["vllm:spec_decode_num_accepted_tokens"] > 0
    assert p_value(answers[0]["batches"][0], answers[place]["batches"][0]) > SIGNIFICANT


def test_the_comparison_tells_temperatures_apart(answers: list[Answer]) -> None:
    assert p_value(answers[0]["batches"][0], answers[0]["batches"][1]) <= SIGNIFICANT
