"""What is benchmarked: the demo's family, and Gemma 4 26B-A4B at its real size with weights that mean nothing.

The body's shape is google/gemma-4-26B-A4B-it's; the drafters' are a query-only assistant of about the published 0.84 GB
and an EAGLE-3 head of one layer with an output layer of its own, for 32,000 tokens. Acceptance at real size is
synthetic, at the rates of the drafter's card.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEMO = Path(__file__).parents[2] / "demo"
CARD_RATES = (0.844, 0.749, 0.741, 0.727)
"""Acceptance at positions 0 to 3, 4 draft tokens, English, from the card of the EAGLE-3 drafter for GB10."""

_ROPE = {
    "full_attention": {"partial_rotary_factor": 0.25, "rope_theta": 1e6, "rope_type": "proportional"},
    "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"},
}
_BODY: dict[str, Any] = {
    "architectures": ["Gemma4ForCausalLM"], "model_type": "gemma4_text", "attention_k_eq_v": True,
    "enable_moe_block": True, "final_logit_softcapping": 30.0, "global_head_dim": 512, "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2816, "hidden_size_per_layer_input": 0,
    "intermediate_size": 2112, "max_position_embeddings": 131072,
    "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 5, "moe_intermediate_size": 704,
    "num_attention_heads": 16, "num_experts": 128, "num_global_key_value_heads": 2, "num_hidden_layers": 30,
    "num_key_value_heads": 8, "num_kv_shared_layers": 0, "rms_norm_eps": 1e-6, "rope_parameters": _ROPE,
    "sliding_window": 1024, "tie_word_embeddings": True, "top_k_experts": 8, "vocab_size": 262144,
    "use_double_wide_mlp": False, "dtype": "bfloat16", "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip
_EAGLE3: dict[str, Any] = {
    "architectures": ["LlamaForCausalLMEagle3"], "model_type": "llama", "hidden_size": 2816, "intermediate_size": 8448,
    "head_dim": 128, "num_attention_heads": 22, "num_key_value_heads": 11, "num_hidden_layers": 1,
    "vocab_size": 262144, "draft_vocab_size": 32000, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
    "hidden_act": "silu", "rope_theta": 1e6, "attention_bias": False, "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
    "eagle_config": {"use_aux_hidden_state": True, "eagle_aux_hidden_state_layer_ids": [2, 15, 27]},
}  # fmt: skip


def _assistant() -> dict[str, Any]:
    config: dict[str, Any] = json.loads((DEMO / "gemma4-assistant" / "config.json").read_text())
    text = config["text_config"] | {
        "hidden_size": 1024, "intermediate_size": 8192, "num_hidden_layers": 4, "num_kv_shared_layers": 4,
        "layer_types": ["sliding_attention"] * 3 + ["full_attention"], "num_attention_heads": 16, "head_dim": 256,
        "num_key_value_heads": 8, "per_layer_config": {"3": {"head_dim": 512, "num_key_value_heads": 2}},
        "sliding_window": 1024, "vocab_size": 262144, "max_position_embeddings": 131072, "rope_parameters": _ROPE,
        "bos_token_id": 2, "eos_token_id": 1,
    }  # fmt: skip
    return config | {"backbone_hidden_size": 2816, "text_config": text}


@dataclass(frozen=True, slots=True)
class Family:
    """A body's `vllm.LLM` arguments and its drafters' speculative configs."""

    engine: dict[str, Any]
    drafters: dict[str, dict[str, Any]]


def _write_head(folder: Path) -> None:
    """The head's weights, from a seed: one without a checkpoint gets the body's output layer, 8 times as large."""
    import torch
    from safetensors.torch import save_file

    hidden, wide, head = _EAGLE3["hidden_size"], _EAGLE3["intermediate_size"], _EAGLE3["head_dim"]
    queries, keys = (_EAGLE3[f"num_{kind}_heads"] * head for kind in ("attention", "key_value"))
    shapes = {
        "fc": (hidden, 3 * hidden), "norm": (hidden,), "midlayer.hidden_norm": (hidden,),
        "midlayer.input_layernorm": (hidden,), "midlayer.post_attention_layernorm": (hidden,),
        "midlayer.self_attn.q_proj": (queries, 2 * hidden), "midlayer.self_attn.k_proj": (keys, 2 * hidden),
        "midlayer.self_attn.v_proj": (keys, 2 * hidden), "midlayer.self_attn.o_proj": (hidden, queries),
        "midlayer.mlp.gate_proj": (wide, hidden), "midlayer.mlp.up_proj": (wide, hidden),
        "midlayer.mlp.down_proj": (hidden, wide), "lm_head": (_EAGLE3["draft_vocab_size"], hidden),
    }  # fmt: skip
    seeded = torch.Generator().manual_seed(0)
    weights = {
        f"{name}.weight": torch.empty(shape, dtype=torch.bfloat16).normal_(0, 0.02, generator=seeded)
        for name, shape in shapes.items()
    }
    weights["d2t"] = torch.zeros(_EAGLE3["draft_vocab_size"], dtype=torch.int64)
    save_file(weights, folder / "model.safetensors")


def toy() -> Family:
    """The demo's own models: so small that what the engine does besides computing shows."""
    drafters = {"mtp": "gemma4-assistant", "eagle3": "gemma4-eagle3"}
    return Family(
        {
            "model": str(DEMO / "gemma4"), "dtype": "bfloat16", "language_model_only": True,
            "attention_backend": "TRITON_ATTN",
        },
        {
            name: {"method": name, "model": str(DEMO / folder), "num_speculative_tokens": 3}
            for name, folder in drafters.items()
        },
    )  # fmt: skip


def real(folder: Path) -> Family:
    """The real size in FP8, as the seed's body has it; writes the shapes into `folder`."""
    for name, config in (("body", _BODY), ("assistant", _assistant()), ("head", _EAGLE3)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "config.json").write_text(json.dumps(config))
    _write_head(folder / "head")
    synthetic = {
        "num_speculative_tokens": len(CARD_RATES),
        "rejection_sample_method": "synthetic",
        "synthetic_acceptance_rates": list(CARD_RATES),
    }
    return Family(
        {
            "model": str(folder / "body"), "load_format": "dummy", "quantization": "fp8", "skip_tokenizer_init": True,
            "attention_backend": "TRITON_ATTN",
        },
        {
            "mtp": {
                "method": "mtp", "model": str(folder / "assistant"), "draft_load_config": {"load_format": "dummy"},
                **synthetic,
            },
            "eagle3": {
                "method": "eagle3", "model": str(folder / "head"), "draft_load_config": {"load_format": "safetensors"},
                **synthetic,
            },
        },
    )  # fmt: skip
