"""What lanes do on a GPU alone, as far as it goes without one: who drafts for whom, which CUDA graph a batch gets."""

from typing import Any

import pytest

from tests.images.engine.conftest import Inside

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def answer(inside: Inside) -> dict[str, Any]:
    done: dict[str, Any] = inside.run("lanes")
    return done


@pytest.mark.parametrize(
    ("case", "asked"),
    [
        ("bodies alone", []),
        ("mtp alone", [["mtp", 4, False]]),
        ("eagle3 alone", [["eagle3", 3, True]]),
        ("a prompt's first part", [["eagle3", 0, True]]),
        ("all mixed", [["mtp", 4, False], ["eagle3", 3, True]]),
        ("mtp beside bodies", [["mtp", 4, False]]),
    ],
)
def test_a_drafter_is_asked_only_for_its_own(answer: dict[str, Any], case: str, asked: list[Any]) -> None:
    """The one that keeps KV reads prompts even where nothing is drafted, and is asked last, whatever is named first."""
    assert answer["asked"][case] == asked


def test_each_request_gets_its_own_drafters_tokens(answer: dict[str, Any]) -> None:
    mixed = answer["drafts"]["all mixed"]
    for row in (2, 5):
        assert mixed[row] == [100 + row * 10 + step for step in range(4)]
    for row in (1, 3):
        assert mixed[row][:3] == [200 + row * 10 + step for step in range(3)]
    assert answer["drafts"]["mtp alone"] == [[100 + row * 10 + step for step in range(4)] for row in range(3)]
    assert [row[:3] for row in answer["drafts"]["eagle3 alone"]] == [[200, 201, 202], [210, 211, 212]]


@pytest.mark.parametrize(
    ("batch", "graph"),
    [
        ("one body", ["FULL", 1, 1, 1, None]),
        ("eight bodies", ["FULL", 8, 8, 1, None]),
        ("three mtp", ["FULL", 20, 4, 5, None]),
        ("six eagle3", ["FULL", 24, 6, 4, None]),
        ("a body and an mtp", ["FULL", 8, 8, None, 5]),
        ("a short prompt", ["PIECEWISE", 8, None, None, None]),
    ],
)
def test_every_batch_of_lanes_has_a_full_graph(answer: dict[str, Any], batch: str, graph: list[Any]) -> None:
    assert answer["graphs"][batch] == graph


def test_layers_with_a_state_are_captured_at_every_lanes_query_length(answer: dict[str, Any]) -> None:
    stock, short, longest, longer = answer["states"]
    assert stock is None, "vLLM captures short queries of layers with a state: `capture_short_queries` can go"
    assert (short, longest, longer) == ([1, 1], [4, 4], None)


def test_a_drafters_kv_leaves_the_bodys_groups_as_they_were(answer: dict[str, Any]) -> None:
    groups = answer["kv groups"]
    assert len(groups["body"]) == 6
    assert len(groups["vLLM's"]) == 31, "vLLM no longer takes the body's groups to pieces: `kv_groups` can go"
    assert [[name for name in group if name != "drafter.0"] for group in groups["lanes"]] == groups["body"]
    assert ["drafter.0" in group for group in groups["lanes"]].count(True) == 1


def test_a_layer_that_reads_the_bodys_kv_has_a_spec_in_its_group(answer: dict[str, Any]) -> None:
    """vLLM names such layers in the group only, and the start would end in a KeyError."""
    assert answer["kv shared"] == [True] * 7


def test_engines_whose_drafter_keeps_kv_have_a_blocks_layers_side_by_side(answer: dict[str, Any]) -> None:
    layouts = answer["kv layouts"]
    assert layouts["lanes"] == ["BLNHC", "BLHNC", "LBNHC", "LBHNC"]
    assert layouts["no drafter with KV"] == layouts["no lanes"] == ["LBNHC", "LBHNC", "BLNHC", "BLHNC"]


def test_a_drafter_without_kv_leaves_the_others_slots_alone(answer: dict[str, Any]) -> None:
    assert answer["slots"] == [[1, 2, 3], [0, 0, 0]]


def test_drafters_draft_at_once_only_where_all_is_in_full_graphs(answer: dict[str, Any]) -> None:
    assert answer["in graphs"] == [True, False, False]


def test_a_drafter_beside_another_has_full_graphs_of_its_own_for_that(answer: dict[str, Any]) -> None:
    narrow = answer["narrow graphs"]
    assert narrow["captured"] == [["FULL", "PIECEWISE"], ["FULL"]]
    assert narrow["apart"]
    assert narrow["restored"]


def test_only_lanes_without_a_drafter_that_keeps_kv_share_a_prefix_cache(answer: dict[str, Any]) -> None:
    """EAGLE-3 never finds a block that was filled while it rested; a client's own salt keeps its meaning."""
    plain, salted, forged = answer["salts"]
    assert plain["body"] is plain["mtp"] is None
    assert salted["body"] == salted["mtp"]
    assert len({plain["body"], salted["body"], plain["eagle3"], salted["eagle3"]}) == 4
    assert forged["body"] != plain["eagle3"]


@pytest.mark.parametrize(
    ("case", "classes"),
    [
        ("async", ["polydraft_vllm.lanes.worker.LaneWorker", "polydraft_vllm.lanes.scheduler.LaneAsyncScheduler"]),
        ("sync", ["polydraft_vllm.lanes.worker.LaneWorker", "polydraft_vllm.lanes.scheduler.LaneScheduler"]),
        ("no lanes", ["vllm.v1.worker.gpu_worker.Worker", None]),
    ],
)
def test_lanes_bring_their_worker_and_scheduler(answer: dict[str, Any], case: str, classes: list[Any]) -> None:
    assert answer["settled"][case] == classes


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("another body", "Gemma 4 alone"),
        ("another worker", "--worker-cls mine.Worker"),
        ("data parallel", "data parallelism"),
        ("watermarks", "watermark_config"),
    ],
)
def test_what_lanes_cannot_be_combined_with_stops_the_start(answer: dict[str, Any], case: str, said: str) -> None:
    assert said in answer["settled"][case]
    assert "\n" not in answer["settled"][case]
