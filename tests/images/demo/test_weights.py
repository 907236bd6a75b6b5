"""The committed model family: what it is, how big it is, and under which licence."""

import json
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).parents[3] / "images" / "demo"
ARCHITECTURES = {
    "gemma4": "Gemma4ForConditionalGeneration",
    "gemma4-assistant": "Gemma4AssistantForCausalLM",
    "gemma4-eagle3": "LlamaForCausalLMEagle3",
    "lfm2": "Lfm2MoeForCausalLM",
    "lfm2-eagle3": "LlamaForCausalLMEagle3",
}
BODIES = ("gemma4", "lfm2")


def read(name: str, file: str) -> dict[str, Any]:
    """A JSON file of a model's folder."""
    found: dict[str, Any] = json.loads((DEMO / name / file).read_text())
    return found


def header(name: str) -> dict[str, Any]:
    """Names, types and shapes of a model's tensors, from the head of its safetensors file."""
    with (DEMO / name / "model.safetensors").open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        found: dict[str, Any] = json.loads(file.read(size))
    found.pop("__metadata__", None)
    return found


@pytest.mark.parametrize(("name", "architecture"), ARCHITECTURES.items(), ids=list(ARCHITECTURES))
def test_every_model_has_the_architecture_of_its_seed(name: str, architecture: str) -> None:
    assert read(name, "config.json")["architectures"] == [architecture]


def test_all_models_together_stay_under_20_megabytes() -> None:
    files = [path for name in ARCHITECTURES for path in (DEMO / name).rglob("*") if path.is_file()]
    assert 10_000_000 < sum(path.stat().st_size for path in files) < 20_000_000


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_are_stored_in_bfloat16(name: str) -> None:
    kinds = {tensor["dtype"] for key, tensor in header(name).items() if key not in ("d2t", "t2d")}
    assert kinds == {"BF16"}


@pytest.mark.parametrize("body", BODIES)
def test_eagle3_drafter_fits_its_body(body: str) -> None:
    config, drafter = read(body, "config.json"), read(f"{body}-eagle3", "config.json")
    text = config.get("text_config", config)
    layers = drafter["eagle_config"]["eagle_aux_hidden_state_layer_ids"]
    assert drafter["hidden_size"] == text["hidden_size"]
    assert drafter["vocab_size"] == text["vocab_size"]
    assert len(layers) == 3
    assert max(layers) < text["num_hidden_layers"]
    assert header(f"{body}-eagle3")["d2t"]["shape"] == [drafter["draft_vocab_size"]]


def test_assistant_fits_the_gemma_body() -> None:
    text = read("gemma4", "config.json")["text_config"]
    assistant = read("gemma4-assistant", "config.json")
    assert assistant["backbone_hidden_size"] == text["hidden_size"]
    assert assistant["text_config"]["vocab_size"] == text["vocab_size"]
    assert assistant["text_config"]["num_kv_shared_layers"] == assistant["text_config"]["num_hidden_layers"]


def test_gemma_body_is_a_mixture_of_experts_with_five_sliding_layers_to_one() -> None:
    text = read("gemma4", "config.json")["text_config"]
    assert text["enable_moe_block"]
    assert text["layer_types"] == (["sliding_attention"] * 5 + ["full_attention"]) * 2


def test_both_bodies_share_one_tokenizer() -> None:
    first, second = ((DEMO / body / "tokenizer.json").read_bytes() for body in BODIES)
    assert first == second


@pytest.mark.parametrize("body", BODIES)
def test_answers_end_with_the_token_that_the_chat_template_closes_turns_with(body: str) -> None:
    tokens = {token["content"]: token["id"] for token in read(body, "tokenizer.json")["added_tokens"]}
    assert read(body, "generation_config.json")["eos_token_id"] == tokens["<|end|>"]
    assert "<|end|>" in (DEMO / body / "chat_template.jinja").read_text()


def test_licence_of_the_weights_and_of_their_sources_is_stated() -> None:
    licence, readme = (DEMO / "LICENSE").read_text(), (DEMO / "README.md").read_text()
    assert "CC-BY-SA-4.0" in licence
    assert "gnome-user-docs" in readme
    assert "debian-handbook" in readme
