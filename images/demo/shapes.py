"""Sizes of the demo models: the seeds' architectures, shrunk until all five fit into 20 MB of bfloat16.

The bodies keep what makes their family: Gemma 4's five sliding layers to one full layer, shared key and value,
softcap and MoE beside a dense MLP; LFM2-MoE's short convolutions, dense first layers and sigmoid router. Depth is
kept and width given up, so that a pass of the body costs several times a pass of its drafter, as it does at full
size.
"""

import tokens
from transformers import (
    Gemma4AssistantConfig,
    Gemma4Config,
    Gemma4TextConfig,
    Gemma4VisionConfig,
    Lfm2MoeConfig,
)

HIDDEN = 160
POSITIONS = 2048
WINDOW = 128
DRAFT_VOCABULARY = 1536
AUX_LAYERS = {"gemma4": (2, 6, 11), "lfm2": (2, 5, 9)}  # outputs of these layers feed the EAGLE-3 drafter
IDS = {"bos_token_id": tokens.BOS, "eos_token_id": tokens.END, "pad_token_id": tokens.PAD}


def gemma4() -> Gemma4TextConfig:
    """The Gemma 4 body's language model."""
    return Gemma4TextConfig(
        vocab_size=tokens.VOCABULARY,
        vocab_size_per_layer_input=tokens.VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=192,
        num_hidden_layers=12,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        global_head_dim=64,
        num_global_key_value_heads=1,
        attention_k_eq_v=True,
        num_kv_shared_layers=0,
        hidden_size_per_layer_input=0,
        max_position_embeddings=POSITIONS,
        sliding_window=WINDOW,
        final_logit_softcapping=30.0,
        enable_moe_block=True,
        num_experts=8,
        top_k_experts=2,
        moe_intermediate_size=40,
        **IDS,
    )


def gemma4_whole(text: Gemma4TextConfig) -> Gemma4Config:
    """The body as the seeds have it, with a vision tower: tiny, untrained and never run, for the demo is text alone."""
    vision = Gemma4VisionConfig(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=32,
        position_embedding_size=64,
    )
    return Gemma4Config(
        text_config=text,
        vision_config=vision,
        audio_config=None,
        image_token_id=tokens.IMAGE,
        boi_token_id=tokens.BOI,
        eoi_token_id=tokens.EOI,
        video_token_id=tokens.VIDEO,
        audio_token_id=tokens.AUDIO,
        boa_token_id=tokens.BOA,
        eoa_token_index=tokens.EOA,
        **IDS,
    )


def assistant() -> Gemma4AssistantConfig:
    """Gemma 4's MTP drafter: no keys and values of its own, it reads the body's."""
    text = Gemma4TextConfig(
        vocab_size=tokens.VOCABULARY,
        vocab_size_per_layer_input=0,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        global_head_dim=64,
        num_global_key_value_heads=1,
        attention_k_eq_v=True,
        num_kv_shared_layers=2,
        hidden_size_per_layer_input=0,
        max_position_embeddings=POSITIONS,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention"],
        **IDS,
    )
    return Gemma4AssistantConfig(text_config=text, backbone_hidden_size=HIDDEN, use_ordered_embeddings=False)


def lfm2() -> Lfm2MoeConfig:
    """The LFM2-MoE body."""
    block = ["conv", "conv", "full_attention"]
    return Lfm2MoeConfig(
        vocab_size=tokens.VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=448,
        moe_intermediate_size=40,
        num_hidden_layers=10,
        num_attention_heads=5,
        num_key_value_heads=1,
        num_dense_layers=2,
        num_experts=8,
        num_experts_per_tok=2,
        conv_L_cache=3,
        max_position_embeddings=POSITIONS,
        layer_types=[*block, *block, *block, "conv"],
        **IDS,
    )


def eagle3(body: str) -> dict[str, object]:
    """The config.json of an EAGLE-3 drafter for `body`, in the format of vLLM's LlamaForCausalLMEagle3."""
    return {
        "architectures": ["LlamaForCausalLMEagle3"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": 768,
        "num_attention_heads": 5,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "num_hidden_layers": 1,
        "vocab_size": tokens.VOCABULARY,
        "draft_vocab_size": DRAFT_VOCABULARY,
        "max_position_embeddings": POSITIONS,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "rope_theta": 10000.0,
        "attention_bias": False,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "eagle_config": {
            "use_aux_hidden_state": True,
            "eagle_aux_hidden_state_layer_ids": list(AUX_LAYERS[body]),
        },
        **IDS,
    }
