"""What a drafter needs to draft while another one does: a stream, graphs whose memory is nobody else's, slot mappings.

Two drafters would else write over each other: CUDA graphs of one pool reuse each other's memory, libraries keep their
workspaces by stream, and vLLM keeps one set of slot mappings for whoever drafts next.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from vllm.config.compilation import CUDAGraphMode
from vllm.v1.worker.utils import get_uniform_decode_token_count

Inner = Any
"""A drafting speculator of vLLM's."""


def streams(engine: Any, device: torch.device, inner: Mapping[str, Inner]) -> dict[str, Any]:
    """A stream for each drafter that can draft beside one with KV of its own; none where the ranks would have to agree.

    Collectives of two streams may come in another order on each rank, so with several ranks drafters take turns.
    """
    if device.type != "cuda" or engine.parallel_config.world_size > 1 or len(inner) < 2:
        return {}
    return {name: torch.cuda.Stream(device) for name, one in inner.items() if not one.advance_draft_positions}


def block_tables(stock: Any) -> Any:
    """The engine's block tables with slot mappings of their own, for a drafter that writes no KV.

    Its steps overwrite them, and the drafter that does write KV would then write to the wrong slots.
    """
    own = copy.copy(stock)
    own.slot_mappings = torch.zeros_like(stock.slot_mappings)
    return own


def own_graphs(inner: Inner, stream: Any) -> None:
    """Have a drafter's CUDA graphs captured on its own stream, into memory of their own."""
    pool = torch.cuda.graph_pool_handle()
    for manager in (inner.prefill_cudagraph_manager, inner.decode_cudagraph_manager):
        manager.pool = pool
        manager._capture_stream = lambda desc: stream


def has_graph(inner: Inner, batch: Any) -> bool:
    """Whether all that a drafter does for a batch is in full graphs; what isn't shares memory with other graphs."""
    uniform = get_uniform_decode_token_count(
        batch.num_reqs, batch.num_tokens, batch.num_scheduled_tokens.max(), batch.decode_graph_eligible
    )
    first, later = inner.prefill_cudagraph_manager, inner.decode_cudagraph_manager
    if uniform is None or first is None or later is None:
        return False
    return all(
        found.cg_mode == CUDAGraphMode.FULL
        for found in (
            first.dispatch(batch.num_reqs, batch.num_tokens_after_padding, uniform, 0),
            later.dispatch(batch.num_reqs, batch.num_reqs, 1, 0),
        )
    )
