"""One real engine serves every lane: each request with its own draft length, and the same tokens in all of them."""

from typing import Any

import pytest

from tests.images.engine.conftest import Answer, Inside, Task
from tests.images.engine.models import DEMO, PROMPTS, body

pytestmark = pytest.mark.engine

GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 64, "ignore_eos": True}
BIAS = {7: 100.0}
LANES = ("body", "eagle3", "short", None)


def lanes(model: str, drafter: str) -> dict[str, Any]:
    config = {
        "drafters": {"eagle3": {"method": "eagle3", "model": str(DEMO / drafter), "num_speculative_tokens": 3}},
        "lanes": {"eagle3": {"drafter": "eagle3"}, "short": {"drafter": "eagle3", "draft_tokens": 1}},
    }
    return body(model, additional_config={"polydraft": config}, per_request_spec_decode_metrics="detailed")


def in_lane(lane: str | None, **changed: Any) -> dict[str, Any]:
    return {**GREEDY, **changed, "extra_args": {"lane": lane} if lane else None}


def batches() -> list[dict[str, Any]]:
    alone = [{"prompts": PROMPTS, "sampling": in_lane(lane)} for lane in LANES]
    mixed = [{"prompts": PROMPTS, "sampling": [in_lane(LANES[i % 4]) for i in range(len(PROMPTS))]}]
    capped = [
        {"prompts": PROMPTS, "sampling": in_lane("eagle3") | {"extra_args": {"lane": "eagle3", "draft_tokens": 2}}}
    ]
    biased = in_lane("eagle3", logit_bias=BIAS)
    others = [biased if i % 2 else in_lane("eagle3") for i in range(len(PROMPTS))]
    certain = in_lane("eagle3", temperature=2.0, min_p=1.0, seed=1)
    unverifiable = [{"prompts": PROMPTS, "sampling": sampling} for sampling in (biased, others, certain)]
    return alone + mixed + capped + unverifiable


@pytest.fixture(scope="module", params=[("gemma4", "gemma4-eagle3"), ("lfm2", "lfm2-eagle3")], ids=["gemma4", "lfm2"])
def answers(request: pytest.FixtureRequest, inside: Inside) -> tuple[Answer, Answer]:
    """The body's own engine, and one with lanes."""
    model, drafter = request.param
    own = [Task(engine=body(model), batches=[{"prompts": PROMPTS, "sampling": GREEDY}])]
    alone, together = inside.generate([*own, Task(engine=lanes(model, drafter), batches=batches())])
    return alone, together


def drafted(answer: Answer, batch: int) -> list[list[int]]:
    return [(measured or {}).get("per_step_drafted", []) for measured in answer["measured"][batch]]


def test_every_lane_gives_the_bodys_tokens_alone_and_mixed(answers: tuple[Answer, Answer]) -> None:
    alone, together = answers
    for batch in range(6):
        assert together["batches"][batch] == alone["batches"][0], batch


def test_what_cannot_be_verified_is_honoured_on_the_body(answers: tuple[Answer, Answer]) -> None:
    """A bias that leaves one token, alone and beside drafts; `min_p` 1, which leaves the likeliest one."""
    alone, together = answers
    biased = [[7] * GREEDY["max_tokens"]] * len(PROMPTS)
    assert together["batches"][6] == biased
    assert together["batches"][7] == [biased[0] if i % 2 else alone["batches"][0][i] for i in range(len(PROMPTS))]
    assert together["batches"][8] == alone["batches"][0]


@pytest.mark.parametrize(
    ("batch", "longest"),
    [(0, 0), (1, 3), (2, 1), (3, 0), (5, 2), (6, 0), (8, 0)],
    ids=["body", "eagle3", "short", "default", "capped", "biased", "min_p"],
)
def test_a_lane_drafts_as_many_tokens_as_it_says(answers: tuple[Answer, Answer], batch: int, longest: int) -> None:
    for steps in drafted(answers[1], batch):
        assert max(steps, default=0) == longest


def test_a_mixed_batch_drafts_for_each_request_by_its_lane(answers: tuple[Answer, Answer]) -> None:
    assert [max(steps, default=0) for steps in drafted(answers[1], 4)] == [0, 3, 1, 0, 0]


def test_the_metrics_name_the_lane_and_add_up_to_vllms(answers: tuple[Answer, Answer]) -> None:
    together = answers[1]
    measured = [each for batch in together["measured"] for each in batch if each is not None]
    assert {each["lane"] for each in measured} == {"body", "eagle3", "short"}
    for counted, name in (
        ("num_draft_tokens", "num_draft_tokens"),
        ("num_accepted_draft_tokens", "num_accepted_tokens"),
    ):
        assert sum(each[counted] for each in measured) == together["metrics"][f"vllm:spec_decode_{name}"]
    accepted = [each["num_accepted_draft_tokens"] for each in measured if each["lane"] == "eagle3"]
    assert sum(accepted) > 0


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
CROWD = tuple("What is speculative decoding? " * repeated for repeated in (1, 3, 6, 9)) * 3


@pytest.fixture(scope="module")
def crowded(inside: Inside) -> tuple[Answer, Answer]:
    """Too many requests for a small cache, in prompts read piece by piece, a third of them held to a JSON schema."""
    small = {"max_num_batched_tokens": 48, "kv_cache_memory_bytes": 8 << 20, "max_num_seqs": 8, "max_model_len": 512}

    def asked(*names: str | None) -> list[dict[str, Any]]:
        free = [in_lane(name, max_tokens=96) for name in names]
        return [
            free[i % len(free)] | ({} if i % 3 else {"json_schema": SCHEMA, "ignore_eos": False})
            for i in range(len(CROWD))
        ]

    alone = [{"prompts": CROWD, "sampling": asked(None)}]
    mixed = [{"prompts": CROWD, "sampling": asked("body", "eagle3", "eagle3", "body", None, "short")}] * 2
    engine = lanes("gemma4", "gemma4-eagle3")
    done = inside.generate(
        [Task(engine=body("gemma4", **small), batches=alone), Task(engine=engine | small, batches=mixed)]
    )
    return done[0], done[1]


def test_preemption_chunked_prompts_and_schemas_change_no_token(crowded: tuple[Answer, Answer]) -> None:
    alone, together = crowded
    assert together["metrics"]["vllm:num_preemptions"] > 0
    assert together["metrics"]["vllm:spec_decode_num_accepted_tokens"] > 0
    for batch in together["batches"]:
        assert batch == alone["batches"][0]
