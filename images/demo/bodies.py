"""Builds and runs the bodies for training: transformers' own modules, with some passes replaced by ones that repeat.

transformers computes experts with index_add_, the router with gathers, the short convolution with cuDNN and the
embedding's gradient with a sort: none repeats to the bit on a GPU and can be captured in a CUDA graph as well. The
replacements compute the same functions: every expert for every token, weighted by the router (zero for those not
chosen); the convolution as shifted products; the embedding's gradient as a product with one-hot vectors.
"""

from types import MethodType

import shapes
import torch
from torch import Tensor, nn
from transformers import Gemma4ForCausalLM, Lfm2MoeForCausalLM
from transformers.models.gemma4 import modeling_gemma4
from transformers.models.lfm2_moe import modeling_lfm2_moe

EXPERTS = (modeling_gemma4.Gemma4TextExperts, modeling_lfm2_moe.Lfm2MoeExperts)


def one_hot(index: Tensor, classes: int) -> Tensor:
    """Boolean one-hot vectors along a new last dimension."""
    return index.unsqueeze(-1) == torch.arange(classes, device=index.device)


class Lookup(torch.autograd.Function):
    """Embedding lookup whose gradient is a matrix product."""

    @staticmethod
    def forward(ctx: object, weight: Tensor, ids: Tensor) -> Tensor:
        """Rows of `weight` [vocabulary, dim] for `ids`."""
        ctx.save_for_backward(ids)
        ctx.classes = weight.shape[0]
        return weight[ids]

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> tuple[Tensor, None]:
        """Sum of the gradients of each row's occurrences."""
        (ids,) = ctx.saved_tensors
        hot = one_hot(ids.flatten(), ctx.classes).to(torch.bfloat16)
        return (hot.T @ grad.flatten(0, -2).to(torch.bfloat16)).float(), None


def embed(module: nn.Module, ids: Tensor) -> Tensor:
    """An embedding's forward pass; Gemma's is scaled."""
    rows = Lookup.apply(module.weight, ids)
    return rows * module.embed_scale if hasattr(module, "embed_scale") else rows


def every_expert(module: nn.Module, hidden: Tensor, chosen: Tensor, weight: Tensor) -> Tensor:
    """Experts' output for `hidden` [tokens, dim]; `chosen`, `weight` [tokens, k] from the router."""
    share = (one_hot(chosen, module.num_experts) * weight.unsqueeze(-1)).sum(1).to(hidden.dtype)
    gate, up = torch.einsum("td,eid->tei", hidden, module.gate_up_proj).chunk(2, dim=-1)
    inner = module.act_fn(gate) * up * share.unsqueeze(-1)
    return torch.einsum("tei,edi->td", inner, module.down_proj).to(hidden.dtype)


def gemma4_router(module: nn.Module, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gemma4TextRouter.forward without gathers; hidden [tokens, dim]."""
    scores = module.proj(module.norm(hidden) * module.scale * module.scalar_root_size)
    probabilities = scores.float().softmax(-1)
    chosen = probabilities.detach().topk(module.config.top_k_experts, dim=-1).indices
    hot = one_hot(chosen, module.config.num_experts)
    weight = (hot * probabilities.unsqueeze(1)).sum(-1)
    weight = weight / weight.sum(-1, keepdim=True)
    return probabilities, weight * (hot * module.per_expert_scale).sum(-1), chosen


def lfm2_router(module: nn.Module, hidden: Tensor, expert_bias: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Lfm2MoeTopKRouter.forward without gathers; the expert bias stays zero in the demo's model."""
    scores = nn.functional.linear(hidden, module.weight)
    gates = scores.sigmoid()
    ranked = gates.detach() if expert_bias is None else gates.detach() + expert_bias
    chosen = ranked.topk(module.top_k, dim=-1).indices
    weight = (one_hot(chosen, module.num_experts) * gates.unsqueeze(1)).sum(-1)
    weight = weight / (weight.sum(-1, keepdim=True) + 1e-6)
    return scores, weight * module.routed_scaling_factor, chosen


def shifted_conv(hidden: Tensor, weight: Tensor, bias: Tensor | None, **_: object) -> Tensor:
    """Causal depthwise convolution of `hidden` [batch, dim, time] with `weight` [dim, width]; LFM2 has no bias."""
    if bias is not None:
        raise ValueError("LFM2-MoE's short convolution has no bias: set conv_bias to False")
    width, time = weight.shape[1], hidden.shape[-1]
    padded = nn.functional.pad(hidden, (width - 1, 0))
    return sum(padded[..., i : i + time] * weight[:, i, None].to(hidden.dtype) for i in range(width))


def repeatable(model: nn.Module) -> nn.Module:
    """Replace the passes named above in every module of `model`."""
    for module in model.modules():
        if isinstance(module, EXPERTS):
            module.forward = MethodType(every_expert, module)
        elif isinstance(module, modeling_gemma4.Gemma4TextRouter):
            module.forward = MethodType(gemma4_router, module)
        elif isinstance(module, modeling_lfm2_moe.Lfm2MoeTopKRouter):
            module.forward = MethodType(lfm2_router, module)
        elif isinstance(module, nn.Embedding):
            module.forward = MethodType(embed, module)
    return model


def build(name: str) -> nn.Module:
    """The body `gemma4` or `lfm2`, freshly initialised from torch's seed."""
    config = {"gemma4": shapes.gemma4, "lfm2": shapes.lfm2}[name]()
    config._attn_implementation = "sdpa"
    modeling_lfm2_moe.causal_conv1d_fn = shifted_conv
    return repeatable({"gemma4": Gemma4ForCausalLM, "lfm2": Lfm2MoeForCausalLM}[name](config))


def masks(time: int, device: torch.device) -> dict[str, Tensor | None]:
    """Attention masks of both families for rows without padding; no mask means causal."""
    i = torch.arange(time, device=device)
    apart = i[:, None] - i[None]
    near = (apart >= 0) & (apart < shapes.WINDOW)
    return {"full_attention": None, "sliding_attention": near[None, None], "conv": None}
