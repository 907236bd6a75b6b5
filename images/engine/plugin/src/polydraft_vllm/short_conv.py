"""LFM2's short convolution in a verification step.

After a rejection the convolution has to go on from the last accepted token. Stock `ShortConv.forward_native` ignores
`num_accepted_tokens` and treats every draft token as a request of its own, so speculation changes the text. CUDA does
it right, by the scheme written out in `convolve_drafts`; this is that scheme for the CPU.
"""

from functools import wraps
from typing import Any, NamedTuple

import torch
from torch.nn import functional


class Drafts(NamedTuple):
    """Where each request's state and tokens lie: three int tensors, [requests], [requests + 1] and [requests]."""

    slots: torch.Tensor
    query_start_loc: torch.Tensor
    num_accepted_tokens: torch.Tensor


def convolve_drafts(
    x: torch.Tensor, state: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, drafts: Drafts
) -> torch.Tensor:
    """Convolve each request's tokens with its own past and remember them; the output has `x`'s shape.

    `x` [tokens, dim]; `weight` [dim, width]; `state` [blocks, dim, at least width - 1 + tokens of a request - 1] is
    updated in place. A state holds the inputs before the last step's first token, then that step's: its window slides
    by `num_accepted_tokens - 1`, since the first token of the last step has already pushed one input out. The same as
    `causal_conv1d_update` with `num_accepted_tokens` (vllm/model_executor/layers/mamba/ops/causal_conv1d.py).
    """
    out = torch.empty_like(x)
    past = weight.shape[1] - 1
    starts = drafts.query_start_loc.tolist()
    accepted = drafts.num_accepted_tokens.tolist()
    for request, slot in enumerate(drafts.slots.tolist()):
        begin, end = starts[request], starts[request + 1]
        if begin == end:
            continue
        first = max(accepted[request] - 1, 0)
        tokens = x[begin:end].T.to(state.dtype)
        window = torch.cat([state[slot, :, first : first + past], tokens], dim=-1)
        convolved = functional.conv1d(window.to(weight.dtype), weight.unsqueeze(1), bias, groups=weight.shape[0])
        out[begin:end] = convolved.T.to(x.dtype)
        state[slot, :, : window.shape[1] - 1] = window[:, 1:]
    return out


def _verify(self: Any, hidden_states: torch.Tensor, output: torch.Tensor, metadata: Any) -> None:
    """`ShortConv.forward_native` for a batch whose decoding requests carry drafts; prefills follow the decodes."""
    from vllm.model_executor.layers.mamba.mamba_utils import is_conv_state_dim_first
    from vllm.model_executor.layers.mamba.ops.cpu.causal_conv1d import causal_conv1d_fn_cpu

    gate_in, gate_out, x = self.in_proj(hidden_states)[0].chunk(3, dim=-1)
    weight = self.conv.weight.flatten(1)
    state = self.kv_cache[0] if is_conv_state_dim_first() else self.kv_cache[0].transpose(-1, -2)
    decoded, tokens = metadata.num_decode_tokens, metadata.num_decode_tokens + metadata.num_prefill_tokens
    gated = (gate_in * x)[:tokens]
    drafts = Drafts(metadata.state_indices_tensor_d[:, 0], metadata.query_start_loc_d, metadata.num_accepted_tokens)
    convolved = [convolve_drafts(gated[:decoded], state, weight, self.conv.bias, drafts)]
    if metadata.num_prefills:
        prefilled = causal_conv1d_fn_cpu(
            gated[decoded:].T,
            weight,
            self.conv.bias,
            state,
            metadata.query_start_loc_p,
            metadata.state_indices_tensor_p.flatten(),
            metadata.has_initial_states_p,
            activation=None,
        )
        convolved.append(prefilled.T)
    output[:tokens] = self.out_proj(gate_out[:tokens] * torch.cat(convolved))[0]


def mend() -> None:
    """Send batches with drafts through `_verify`; every other batch stays vLLM's own."""
    from vllm.forward_context import get_forward_context
    from vllm.model_executor.layers.mamba.short_conv import ShortConv

    stock = ShortConv.forward_native
    if getattr(stock, "mended_by", None) == __name__:
        return

    @wraps(stock)
    def forward_native(self: ShortConv, hidden_states: torch.Tensor, output: torch.Tensor) -> None:
        by_layer = get_forward_context().attn_metadata
        metadata = by_layer.get(self.prefix) if isinstance(by_layer, dict) else None
        if metadata is None or metadata.num_accepted_tokens is None or metadata.num_decode_tokens == 0:
            stock(self, hidden_states, output)
        else:
            _verify(self, hidden_states, output, metadata)

    forward_native.mended_by = __name__  # type: ignore[attr-defined]
    ShortConv.forward_native = forward_native
