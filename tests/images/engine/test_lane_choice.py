"""What an engine's settings say of lanes, and which lane a request runs in, whatever a client sends."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polydraft_vllm.lanes.config import BODY, Lanes, read
from polydraft_vllm.lanes.request import choice, refusal

MTP = {"method": "mtp", "model": "assistant", "num_speculative_tokens": 4}
EAGLE3 = {"method": "eagle3", "model": "head", "num_speculative_tokens": 3}
BOTH = {"mtp": MTP, "eagle3": EAGLE3}


@dataclass
class Sampling:
    """Of vLLM's SamplingParams, what decides about the lane."""

    extra_args: Any = None
    min_p: float = 0.0
    logit_bias: Any = None


def lanes(**said: Any) -> Lanes:
    found = read({"polydraft": {"drafters": BOTH, **said}})
    assert found is not None
    return found


def test_every_drafter_gets_a_lane_and_the_body_is_the_default() -> None:
    found = lanes()
    assert {name: (lane.drafter, lane.draft_tokens) for name, lane in found.by_name.items()} == {
        "body": (None, 0),
        "mtp": ("mtp", 4),
        "eagle3": ("eagle3", 3),
    }
    assert found.default.name == BODY
    assert found.most_draft_tokens == 4


def test_several_lanes_may_share_a_drafter() -> None:
    taken = {"short": {"drafter": "mtp", "draft_tokens": 1}, "long": {"drafter": "mtp"}}
    found = lanes(drafters={"mtp": MTP}, lanes=taken, default="short")
    assert [(lane.name, lane.draft_tokens) for lane in found.by_name.values()] == [
        ("body", 0),
        ("short", 1),
        ("long", 4),
    ]
    assert found.default.name == "short"


def test_a_drafter_makes_no_more_than_its_longest_lane_takes() -> None:
    taken = {"short": {"drafter": "mtp", "draft_tokens": 1}, "longer": {"drafter": "mtp", "draft_tokens": 2}}
    drafter = MTP | {"synthetic_acceptance_rates": [0.9, 0.8, 0.7, 0.6]}
    (made,) = lanes(drafters={"mtp": drafter}, lanes=taken).cut_drafters().values()
    assert (made["num_speculative_tokens"], made["synthetic_acceptance_rates"]) == (2, [0.9, 0.8])


@pytest.mark.parametrize("config", [None, {}, {"something": "else"}])
def test_an_engine_without_lanes_has_none(config: Any) -> None:
    assert read(config) is None


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"drafters": {}}, "drafters"),
        ({"drafters": {"mtp": 4}}, "drafters.mtp"),
        ({"drafters": {"mtp": {"method": "mtp", "num_speculative_tokens": 2}}}, "lacks 'model'"),
        ({"drafters": {"mtp": MTP | {"num_speculative_tokens": 0}}}, "drafters.mtp.num_speculative_tokens"),
        ({"drafters": {"mtp": MTP | {"num_speculative_tokens": True}}}, "drafters.mtp.num_speculative_tokens"),
        ({"drafters": BOTH, "lanes": {"a": {"drafter": "medusa"}}}, "lanes.a.drafter"),
        ({"drafters": BOTH, "lanes": {"a": {"drafter": "mtp", "draft_tokens": 5}}}, "lanes.a.draft_tokens"),
        ({"drafters": BOTH, "lanes": {"body": {"drafter": "mtp"}}}, "lanes.body"),
        ({"drafters": BOTH, "lanes": {"a": {"k": 5}}}, "lanes.a"),
        ({"drafters": BOTH, "default": "fast"}, "default"),
        ({"drafters": BOTH, "lane": {}}, "'lane'"),
        ({"drafters": {"a": EAGLE3, "b": EAGLE3}}, "only one"),
        ({"drafters": BOTH, "lanes": {"a": {"drafter": "mtp"}}}, "drafters.eagle3"),
        ({"drafters": {"mtp": MTP}, "lanes": {"body": {}}}, "drafters.mtp"),
        ({"drafters": {"v1.5": MTP}}, "'v1.5'"),
        ({"drafters": {"": MTP}}, "''"),
        ({"drafters": {"mtp": MTP | {"method": ["mtp"]}}}, "drafters.mtp.method"),
        ({"drafters": BOTH, "lanes": []}, "lanes"),
        ({"drafters": BOTH, "lanes": {"a": {"drafter": ["mtp"]}}}, "lanes.a.drafter"),
        ({"drafters": BOTH, "default": []}, "default"),
        ({"drafters": {"mtp": MTP | {"rejection_sample_method": "synthetic"}, "eagle3": EAGLE3}}, "rejection_sample"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(said: Any, named: str) -> None:
    with pytest.raises(ValueError, match="additional_config") as refused:
        read({"polydraft": said})
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("extra_args", "lane", "drafter", "tokens"),
    [
        (None, "body", None, 0),
        ({}, "body", None, 0),
        ({"lane": "mtp"}, "mtp", "mtp", 4),
        ({"lane": "eagle3", "draft_tokens": 2}, "eagle3", "eagle3", 2),
        ({"lane": "eagle3", "draft_tokens": 0}, "eagle3", None, 0),
        ({"something": "else", "lane": "eagle3"}, "eagle3", "eagle3", 3),
    ],
)
def test_a_request_runs_in_the_lane_that_it_names(extra_args: Any, lane: str, drafter: str | None, tokens: int) -> None:
    assert refusal(extra_args, lanes()) is None
    chosen = choice(Sampling(extra_args), lanes())
    assert (chosen.name, chosen.drafter, chosen.draft_tokens) == (lane, drafter, tokens)


@pytest.mark.parametrize(
    "extra_args",
    [
        {"lane": "medusa"},
        {"lane": 5},
        {"lane": ["mtp"]},
        {"lane": ""},
        {"lane": "mtp", "draft_tokens": 5},
        {"lane": "mtp", "draft_tokens": -1},
        {"lane": "mtp", "draft_tokens": 1.5},
        {"lane": "mtp", "draft_tokens": True},
        {"lane": "mtp", "draft_tokens": "3"},
        {"draft_tokens": 1},
    ],
    ids=str,
)
def test_what_cannot_be_had_is_refused_and_past_the_api_runs_on_the_body(extra_args: Any) -> None:
    said = refusal(extra_args, lanes())
    assert said is not None
    assert "vllm_xargs" in said
    assert choice(Sampling(extra_args), lanes()).draft_tokens == 0


@pytest.mark.parametrize("changed", [{"min_p": 0.1}, {"logit_bias": {3: 1.0}}], ids=str)
def test_what_cannot_be_verified_runs_on_the_body(changed: dict[str, Any]) -> None:
    assert choice(Sampling({"lane": "mtp"}, **changed), lanes()).name == BODY


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["lane", "draft_tokens", "other"]), anything) | anything)
def test_choice_raises_on_nothing(extra_args: Any) -> None:
    chosen = choice(Sampling(extra_args), lanes())
    assert chosen.draft_tokens <= 4
    assert (chosen.drafter is None) == (chosen.draft_tokens == 0)
