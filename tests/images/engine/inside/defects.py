# mypy: disable-error-code="import-not-found"
"""What stock vLLM computes, and what it computes once mended, defect by defect; runs in the engine's environment.

Writes, into the file that is the only argument, {defect: {"stock": ..., "mended": ...}}: a value, or {"error": text}.
"""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

Facts = dict[str, Any]


def attempt(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def around(mend: Callable[[], None], compute: Callable[[], Any]) -> Facts:
    stock = attempt(compute)
    mend()
    mend()  # a second time must change nothing
    return {"stock": stock, "mended": attempt(compute)}


def expanded_temperatures() -> Facts:
    from polydraft_vllm import sampling
    from vllm.utils import cpu_triton_utils

    def compute() -> Any:
        output = torch.full((6,), -7.0)
        counts = torch.tensor([2, 3, 6], dtype=torch.int32)
        cpu_triton_utils._expand_kernel_impl(output, torch.tensor([0.75, 0.0, 1.25]), counts, 0, 1)
        return output.tolist()

    return around(sampling.mend, compute)


def rotated_heads() -> Facts:
    """The largest difference between rotating [tokens, heads, size] on the CPU and vLLM's reference."""
    from polydraft_vllm import rotary
    from vllm.config import VllmConfig, set_current_vllm_config
    from vllm.model_executor.layers.rotary_embedding import get_rope

    with set_current_vllm_config(VllmConfig()):
        rope_parameters = {"rope_theta": 1e6, "rope_type": "default"}
        rope = get_rope(64, max_position=512, rope_parameters=rope_parameters, is_neox_style=True, dtype=torch.float32)
    torch.manual_seed(0)
    positions, query, key = torch.arange(5), torch.randn(5, 3, 64), torch.randn(5, 1, 64)

    def compute() -> Any:
        wanted = rope.forward_native(positions, query.flatten(1), key.flatten(1))
        got = rope.forward_cpu(positions, query.clone(), key.clone())
        return max((a.flatten() - b.flatten()).abs().max().item() for a, b in zip(wanted, got, strict=True))

    return around(rotary.mend, compute)


def convolution_after_rejections() -> Facts:
    """The largest difference between a speculating request's convolution and one pass over the accepted tokens."""
    from polydraft_vllm import short_conv
    from vllm.forward_context import override_forward_context
    from vllm.model_executor.layers.mamba.short_conv import ShortConv
    from vllm.v1.attention.backends.short_conv_attn import ShortConvAttentionMetadata

    torch.manual_seed(0)
    dim, width, drafts = 64, 3, 2
    weight, tokens = torch.randn(dim, width), torch.randn(12, dim)
    padded = torch.cat([torch.zeros(width - 1, dim), tokens]).T
    wanted = torch.nn.functional.conv1d(padded[None], weight[:, None], groups=dim)[0].T

    def run(layer: Any, x: torch.Tensor, **metadata: Any) -> torch.Tensor:
        described = object.__new__(ShortConvAttentionMetadata)
        for name in ShortConvAttentionMetadata.__dataclass_fields__:
            object.__setattr__(described, name, metadata.get(name))
        output = torch.empty_like(x)
        with override_forward_context(SimpleNamespace(attn_metadata={"layer": described})):
            ShortConv.forward_native(layer, x, output)
        return output

    def compute() -> Any:
        layer = SimpleNamespace(
            prefix="layer",
            kv_cache=(torch.zeros(5, width - 1 + drafts, dim),),
            conv=SimpleNamespace(weight=weight[:, None].clone(), bias=None),
            in_proj=lambda x: (torch.cat([torch.ones_like(x), torch.ones_like(x), x], dim=-1), None),
            out_proj=lambda x: (x, None),
        )
        prefill = {
            "num_prefills": 1,
            "num_prefill_tokens": 4,
            "num_decode_tokens": 0,
            "query_start_loc_p": torch.tensor([0, 4]),
            "state_indices_tensor_p": torch.tensor([[1, 2, 3]]),
            "has_initial_states_p": torch.tensor([False]),
        }
        got = [run(layer, tokens[:4], **prefill)]
        done, accepted = 4, 1
        for right in (0, 2, 1, 1):  # how many of the two drafts are the true next tokens
            step = torch.cat([tokens[done : done + 1 + right], torch.randn(drafts - right, dim)])
            verify = {
                "num_prefills": 0,
                "num_prefill_tokens": 0,
                "num_decode_tokens": 3,
                "query_start_loc_d": torch.tensor([0, 3]),
                "state_indices_tensor_d": torch.tensor([[1, 2, 3]], dtype=torch.int32),
                "num_accepted_tokens": torch.tensor([accepted]),
            }
            got.append(run(layer, step, **verify)[: 1 + right])
            done, accepted = done + 1 + right, 1 + right
        return (torch.cat(got) - wanted[:done]).abs().max().item()

    return around(short_conv.mend, compute)


def _copy_context() -> tuple[SimpleNamespace, torch.Tensor]:
    """One convolution layer's state [6 blocks, 4 tokens, 3 channels], counted up, and two requests of three blocks."""
    state = torch.arange(6 * 4 * 3, dtype=torch.float32).view(6, 4, 3)
    table = torch.tensor([[0, 1, 2], [3, 4, 5]], dtype=torch.int32)
    context = SimpleNamespace(
        is_initialized=True,
        num_states=1,
        block_size=4,
        state_base_addrs=torch.tensor([state.data_ptr()]),
        state_block_strides=torch.tensor([state.stride(0) * 4]),
        state_elem_sizes=torch.tensor([4]),
        state_inner_sizes=torch.tensor([state.stride(1)]),
        state_conv_widths=torch.tensor([4]),
        state_group_indices=torch.tensor([0]),
        state_dim_row_count=torch.tensor([0]),
        state_dim_row_stride=torch.tensor([0]),
        block_table_ptrs=torch.tensor([table.data_ptr()]),
        block_table_stride_req=3,
        num_accepted_tokens_out=torch.zeros(2, dtype=torch.int32),
        keep_alive=table,
    )
    return context, state


def carried_states() -> Facts:
    """Before a step: the first request goes on from block 0, one token further, in block 1; the second stays put."""
    from polydraft_vllm import mamba_copy
    from vllm.v1.worker.mamba_utils import MambaSpecDecodeGPUContext

    def compute() -> Any:
        context, state = _copy_context()
        columns = map(torch.tensor, ([1, 2], [0, -1], [1, 0]))
        MambaSpecDecodeGPUContext.run_fused_precopy(context, 2, *columns, None)
        return state[:, :, 0].flatten().tolist()

    return around(mamba_copy.mend, compute)


def saved_states() -> Facts:
    """After a step: the first request had 5 tokens and both its drafts were right, so it passed the boundary at 8."""
    from polydraft_vllm import mamba_copy
    from vllm.v1.worker.mamba_utils import MambaSpecDecodeGPUContext

    def compute() -> Any:
        context, state = _copy_context()
        counts = map(torch.tensor, ([3, 1], [2, 0], [3, 1], [5, 1], [2, 0]))
        MambaSpecDecodeGPUContext.run_fused_postprocess(context, 2, *counts)
        return {"state": state[:3, :, 0].tolist(), "accepted": context.num_accepted_tokens_out.tolist()}

    return around(mamba_copy.mend, compute)


def clustered_drafter() -> Facts:
    from polydraft_vllm import ordered_embeddings
    from vllm.v1.spec_decode.gemma4 import Gemma4Proposer

    def compute() -> Any:
        clusters = SimpleNamespace(hidden_size=4, get_top_tokens=lambda hidden, weight: hidden[:, 0])
        model = SimpleNamespace(masked_embedding=clusters, _get_full_lm_head_weight=lambda: None)
        graphs: dict[str, Any] = {"_centroids_graphs": {}, "_centroids_inputs": {}, "_centroids_outputs": {}}
        proposer = SimpleNamespace(model=model, dtype=torch.float32, device=torch.device("cpu"), **graphs)
        Gemma4Proposer._setup_centroids_cuda_graphs(proposer)
        return "loaded"

    return around(ordered_embeddings.mend, compute)


def synthetic_acceptance() -> Facts:
    """Two requests of two drafts: the greedy one has its second draft refused, the sampling one none."""
    from polydraft_vllm import synthetic
    from vllm.utils import cpu_triton_utils

    def compute() -> Any:
        output = torch.full((2, 3), -1, dtype=torch.int32)
        common = (torch.tensor([2, 4]), torch.tensor([11, 12, 13, 14]))
        uniform, rates = torch.tensor([0.1, 0.9, 0.1, 0.1], dtype=torch.float64), torch.tensor([0.5, 0.5])
        is_greedy, bonus, other = (
            torch.tensor([True, False]),
            torch.tensor([[91], [92]]),
            torch.tensor([21, 22, 23, 24]),
        )
        cpu_triton_utils._rejection_greedy_sample_kernel_impl(
            output, *common, other, bonus, is_greedy, 2, uniform, rates, SYNTHETIC_MODE=True
        )
        cpu_triton_utils._rejection_random_sample_kernel_impl(
            output, *common, None, None, bonus, other, uniform, is_greedy, 2, 99, rates, True, SYNTHETIC_MODE=True
        )
        return output.tolist()

    return around(synthetic.mend, compute)


def helper_without_compiler() -> Facts:
    from polydraft_vllm import compiling

    def compute() -> Any:
        module = importlib.reload(importlib.import_module("vllm.v1.sample.ops.logprobs"))
        return module.batched_count_greater_than(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[2.0]])).tolist()

    return around(compiling.mend, compute)


def gemma4_without_torchvision() -> Facts:
    from polydraft_vllm import gemma4_processing

    def compute() -> Any:
        return importlib.import_module("vllm.model_executor.models.gemma4_mm").__name__

    return around(gemma4_processing.mend, compute)


def lfm2_moe_under_eagle3() -> Facts:
    from vllm.model_executor.models.interfaces import supports_eagle3
    from vllm.model_executor.models.lfm2_moe import Lfm2MoeForCausalLM as Stock

    config = SimpleNamespace(
        parallel_config=SimpleNamespace(tensor_parallel_size=1),
        model_config=SimpleNamespace(hf_config=SimpleNamespace(hidden_size=64, conv_L_cache=3)),
        num_speculative_tokens=2,
    )

    def describe(model: Any) -> dict[str, Any]:
        [shape] = model.get_mamba_state_shape_from_config(config)
        return {"supports_eagle3": bool(supports_eagle3(model)), "state_shape": list(shape)}

    stock = describe(Stock)
    from polydraft_vllm.lfm2_moe import Lfm2MoeForCausalLM as Mended

    return {"stock": stock, "mended": describe(Mended)}


def unknown_release() -> Facts:
    import vllm
    from polydraft_vllm import supported

    tested, refusals = vllm.__version__, []
    newer, none = "0.33.0", "0.0.1"
    asked = [(tested, True), (f"{tested}+cpu", True), (newer, True), (newer, False), (none, True), (none, False)]
    for version, on_cpu in asked:
        vllm.__version__ = version
        try:
            supported.require_known_vllm(on_cpu)
            refusals.append("")
        except SystemExit as refusal:
            refusals.append(str(refusal))
    vllm.__version__ = tested
    return {"stock": None, "mended": refusals}


def loaded_through_the_hook() -> Facts:
    """The module of vLLM's LFM2-MoE class once vLLM has loaded its plugins by itself."""
    from vllm import ModelRegistry
    from vllm.plugins import load_general_plugins

    load_general_plugins()
    return {"stock": None, "mended": ModelRegistry.models["Lfm2MoeForCausalLM"].module_name}


def main() -> None:
    from vllm.platforms import current_platform

    current_platform.import_kernels()
    kernels = (expanded_temperatures, rotated_heads, convolution_after_rejections, carried_states, saved_states)
    drafting = (clustered_drafter, synthetic_acceptance, helper_without_compiler)
    models = (gemma4_without_torchvision, lfm2_moe_under_eagle3, unknown_release, loaded_through_the_hook)
    facts = kernels + drafting + models
    Path(sys.argv[1]).write_text(json.dumps({fact.__name__: fact() for fact in facts}))


if __name__ == "__main__":
    main()
