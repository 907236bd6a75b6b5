"""Each mending is right, and each is still needed: where stock vLLM became right, its module is to be dropped."""

from typing import Any

import pytest

from tests.images.engine.conftest import Inside

pytestmark = pytest.mark.engine

EXPANDED = [0.75, 0.75, 1.0, 1.25, 1.25, 1.25]
ROUNDING = 1e-5


def drop(module: str) -> str:
    return f"upstream mended it: drop polydraft_vllm/{module}.py and this test"


@pytest.fixture(scope="module")
def facts(inside: Inside) -> dict[str, Any]:
    found: dict[str, Any] = inside.run("defects")
    return found


def test_sampling_parameters_reach_every_draft_token(facts: dict[str, Any]) -> None:
    assert facts["expanded_temperatures"]["mended"] == EXPANDED


def test_stock_drops_sampling_parameters(facts: dict[str, Any]) -> None:
    assert facts["expanded_temperatures"]["stock"] != EXPANDED, drop("sampling")


def test_heads_of_three_dimensional_queries_are_rotated_as_the_reference_does(facts: dict[str, Any]) -> None:
    assert facts["rotated_heads"]["mended"] < ROUNDING


def test_stock_rotates_three_dimensional_queries_wrongly(facts: dict[str, Any]) -> None:
    assert not isinstance(facts["rotated_heads"]["stock"], float) or facts["rotated_heads"]["stock"] > 0.1, drop(
        "rotary"
    )


def test_short_convolution_goes_on_from_the_last_accepted_token(facts: dict[str, Any]) -> None:
    assert facts["convolution_after_rejections"]["mended"] < ROUNDING


def test_stock_short_convolution_forgets_rejections(facts: dict[str, Any]) -> None:
    stock = facts["convolution_after_rejections"]["stock"]
    assert not isinstance(stock, float) or stock > 0.1, drop("short_conv")


def test_a_state_is_carried_into_the_block_that_a_step_writes(facts: dict[str, Any]) -> None:
    before = [3.0 * token for token in range(24)]
    assert facts["carried_states"]["mended"] == [*before[:4], *before[1:4], *before[7:]]


def test_a_state_is_saved_as_it_was_at_a_block_boundary(facts: dict[str, Any]) -> None:
    saved = facts["saved_states"]["mended"]
    assert saved["state"] == [[0.0, 3.0, 6.0, 9.0], [30.0, 33.0, 18.0, 21.0], [24.0, 27.0, 30.0, 33.0]]
    assert saved["accepted"] == [3, 1]


def test_stock_has_no_way_to_move_states(facts: dict[str, Any]) -> None:
    assert "error" in str(facts["carried_states"]["stock"]), drop("mamba_copy")


def test_a_drafter_with_ordered_embeddings_loads(facts: dict[str, Any]) -> None:
    assert facts["clustered_drafter"]["mended"] == "loaded"


def test_stock_records_graphs_where_there_are_none(facts: dict[str, Any]) -> None:
    assert "RuntimeError" in str(facts["clustered_drafter"]["stock"]), drop("ordered_embeddings")


def test_synthetic_acceptance_keeps_the_rates(facts: dict[str, Any]) -> None:
    """Request one keeps a draft and takes the model's token for the refused one; request two keeps both and a bonus."""
    assert facts["synthetic_acceptance"]["mended"] == [[11, 22, -1], [13, 14, 92]]


def test_stock_refuses_synthetic_acceptance(facts: dict[str, Any]) -> None:
    assert "AssertionError" in str(facts["synthetic_acceptance"]["stock"]), drop("synthetic")


def test_helpers_run_without_a_compiler(facts: dict[str, Any]) -> None:
    assert facts["helper_without_compiler"]["mended"] == [2]


def test_stock_helpers_need_a_compiler(facts: dict[str, Any]) -> None:
    assert "InvalidCxxCompiler" in str(facts["helper_without_compiler"]["stock"]), drop("compiling")


def test_gemma4_needs_no_torchvision(facts: dict[str, Any]) -> None:
    assert facts["gemma4_without_torchvision"]["mended"] == "vllm.model_executor.models.gemma4_mm"


def test_stock_gemma4_needs_torchvision(facts: dict[str, Any]) -> None:
    assert "ModuleNotFoundError" in str(facts["gemma4_without_torchvision"]["stock"]), drop("gemma4_processing")


def test_lfm2_moe_is_an_eagle3_target_with_room_for_drafts(facts: dict[str, Any]) -> None:
    assert facts["lfm2_moe_under_eagle3"]["mended"] == {"supports_eagle3": True, "state_shape": [4, 64]}


def test_stock_lfm2_moe_is_no_eagle3_target(facts: dict[str, Any]) -> None:
    assert facts["lfm2_moe_under_eagle3"]["stock"] == {"supports_eagle3": False, "state_shape": [2, 64]}, drop(
        "lfm2_moe"
    )


def test_an_unknown_release_is_refused_in_one_line(facts: dict[str, Any]) -> None:
    tested, cpu_build, newer_on_cpu, newer_on_gpu, *others = facts["unknown_release"]["mended"]
    assert (tested, cpu_build, newer_on_gpu) == ("", "", "")
    assert "0.32.0" in newer_on_cpu
    assert all("0.0.1" in refusal and "\n" not in refusal for refusal in others)


def test_vllm_loads_the_plugin_by_itself(facts: dict[str, Any]) -> None:
    assert facts["loaded_through_the_hook"]["mended"] == "polydraft_vllm.lfm2_moe"
