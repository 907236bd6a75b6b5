"""Speculation changes no token: greedy output of real engines, with a drafter and without."""

import json

import pytest

from tests.images.engine.conftest import Answer, Inside, Task
from tests.images.engine.models import DEMO, PROMPTS, body, drafting

pytestmark = pytest.mark.engine

GREEDY = {"temperature": 0, "max_tokens": 96, "ignore_eos": True}
# Several cache blocks long: the later prompts, and all of them the second time, find those computed.
BLOCK = 32
SHARED = "This option causes the command to print the name of each file, its size and the time of its last change. " * 4
PREFIXED = (SHARED, SHARED + "See also", SHARED + "The", SHARED + "如果指定了这个选项")
LFM2_DRAFTS = (1, 2, 3)


@pytest.fixture(scope="module")
def lfm2(inside: Inside) -> list[Answer]:
    """The body, then EAGLE-3 with 1, 2 and 3 draft tokens."""
    batches = [{"prompts": PROMPTS, "sampling": GREEDY}]
    engines = [body("lfm2"), *(drafting("lfm2", "eagle3", "lfm2-eagle3", k) for k in LFM2_DRAFTS)]
    return inside.generate([Task(engine=engine, batches=batches) for engine in engines])


@pytest.fixture(scope="module")
def cached(inside: Inside) -> list[Answer]:
    """The body without a prefix cache, then EAGLE-3 with one; the second batch is the first again."""
    batches = [{"prompts": PREFIXED, "sampling": GREEDY | {"max_tokens": 160}}] * 2
    engines = [body("lfm2"), drafting("lfm2", "eagle3", "lfm2-eagle3", 2, enable_prefix_caching=True, block_size=BLOCK)]
    return inside.generate([Task(engine=engine, batches=batches) for engine in engines])


@pytest.fixture(scope="module")
def gemma4(inside: Inside, tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """The body, then its MTP assistant, EAGLE-3, and the assistant with ordered embeddings, 3 draft tokens each."""
    clustered = tmp_path_factory.mktemp("models") / "clustered-assistant"
    inside.run(
        "cluster_assistant", json.dumps({"assistant": str(DEMO / "gemma4-assistant"), "clustered": str(clustered)})
    )
    drafters = (("mtp", "gemma4-assistant"), ("eagle3", "gemma4-eagle3"), ("mtp", str(clustered)))
    engines = [body("gemma4"), *(drafting("gemma4", method, drafter, 3) for method, drafter in drafters)]
    batches = [{"prompts": PROMPTS, "sampling": GREEDY}]
    return inside.generate([Task(engine=engine, batches=batches) for engine in engines])


def accepted(answer: Answer) -> float:
    return answer["metrics"]["vllm:spec_decode_num_accepted_tokens"]


@pytest.mark.parametrize("place", range(1, 4), ids=[f"{k} drafts" for k in LFM2_DRAFTS])
def test_lfm2_speculates_without_changing_a_token(lfm2: list[Answer], place: int) -> None:
    assert accepted(lfm2[place]) > 0
    assert lfm2[place]["batches"] == lfm2[0]["batches"]


@pytest.mark.parametrize("place", [1, 2, 3], ids=["mtp", "eagle3", "mtp with ordered embeddings"])
def test_gemma4_speculates_without_changing_a_token(gemma4: list[Answer], place: int) -> None:
    assert accepted(gemma4[place]) > 0
    assert gemma4[place]["batches"] == gemma4[0]["batches"]


def test_ordered_embeddings_that_leave_nothing_out_draft_the_same(gemma4: list[Answer]) -> None:
    assert accepted(gemma4[3]) == accepted(gemma4[1])


def test_lfm2_speculates_with_a_prefix_cache_without_changing_a_token(cached: list[Answer]) -> None:
    assert accepted(cached[1]) > 0
    assert cached[1]["metrics"]["vllm:prefix_cache_hits"] > 0
    assert cached[1]["batches"] == cached[0]["batches"]
