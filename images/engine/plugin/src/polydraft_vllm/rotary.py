"""Rotary embedding of queries and keys that come as [tokens, heads, head size].

The CPU kernel takes the number of heads from the last dimension, as if all heads lay in one row. LFM2 passes three
dimensions, so stock vLLM rotates its heads wrongly and the model answers wrongly, with or without speculation.
"""

from functools import wraps

import torch


def mend() -> None:
    """Let `RotaryEmbedding.forward_cpu` flatten what the kernel can't read."""
    from vllm.model_executor.layers.rotary_embedding.base import RotaryEmbedding

    stock = RotaryEmbedding.forward_cpu
    if getattr(stock, "mended_by", None) == __name__:
        return

    @wraps(stock)
    def forward_cpu(
        self: RotaryEmbedding, positions: torch.Tensor, query: torch.Tensor, key: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if query.dim() != 3:
            as_it_was: tuple[torch.Tensor, torch.Tensor | None] = stock(self, positions, query, key)
            return as_it_was
        flat_key = None if key is None else key.flatten(1)
        flat_query, flat_key = stock(self, positions, query.flatten(1), flat_key)
        return flat_query.view_as(query), None if key is None or flat_key is None else flat_key.view_as(key)

    forward_cpu.mended_by = __name__  # type: ignore[attr-defined]
    RotaryEmbedding.forward_cpu = forward_cpu
