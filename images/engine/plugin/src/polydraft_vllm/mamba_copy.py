"""Prefix caching of a hybrid model (LFM2) under speculation.

To cache a prefix, vLLM keeps the recurrent state at block boundaries ("align" mode). Under speculation it moves those
states with two Triton kernels that have no CPU version: the engine dies at the first request. Here are the same
copies by `memmove`, following `_copy_mamba_state_block` and its two callers in vllm/v1/worker/mamba_utils.py.
"""

import ctypes
from typing import Any, NamedTuple

import torch

_INT32_BYTES = 4


class Move(NamedTuple):
    """One request's state, from one column of its block table to another, `bias` tokens further on."""

    request: int
    source: int
    target: int
    bias: int


def _block(context: Any, group: int, request: int, column: int) -> int:
    """The physical block behind a column of the request's block table."""
    entry = request * context.block_table_stride_req + column
    return ctypes.c_int32.from_address(int(context.block_table_ptrs[group]) + entry * _INT32_BYTES).value


def _move_state(context: Any, state: int, move: Move, dim_first: bool) -> None:
    """Move one layer's state. A convolution's window slides by the bias; a temporal state is picked by it."""
    group = int(context.state_group_indices[state])
    base, stride = int(context.state_base_addrs[state]), int(context.state_block_strides[state])
    token_bytes = int(context.state_inner_sizes[state]) * int(context.state_elem_sizes[state])
    width = int(context.state_conv_widths[state])
    target = base + stride * _block(context, group, move.request, move.target)
    if width == 0:
        source = base + stride * _block(context, group, move.request, move.source + move.bias)
        ctypes.memmove(target, source, token_bytes)
        return
    source = base + stride * _block(context, group, move.request, move.source) + move.bias * token_bytes
    rows = int(context.state_dim_row_count[state]) if dim_first else 1
    row_stride = int(context.state_dim_row_stride[state])
    for row in range(rows):
        offset = row * row_stride
        ctypes.memmove(target + offset, source + offset, (width - move.bias) * token_bytes)


def _apply(context: Any, moves: list[Move]) -> None:
    from vllm.model_executor.layers.mamba.mamba_utils import is_conv_state_dim_first

    dim_first = is_conv_state_dim_first()
    for move in moves:
        for state in range(context.num_states):
            _move_state(context, state, move, dim_first)


def run_fused_precopy(
    self: Any,
    num_reqs: int,
    state_idx_gpu: torch.Tensor,
    src_col_gpu: torch.Tensor,
    token_bias_gpu: torch.Tensor,
    idx_mapping: torch.Tensor | None,
) -> None:
    """Before a step: carry each running state into the block that the step will write; a source of -1 has none."""
    if not self.is_initialized:
        return
    rows = range(num_reqs) if idx_mapping is None else [row for row in idx_mapping[:num_reqs].tolist() if row >= 0]
    moves = [Move(r, int(src_col_gpu[r]), int(state_idx_gpu[r]), int(token_bias_gpu[r])) for r in rows]
    _apply(self, [move for move in moves if move.source >= 0 and move.source != move.target])


def run_fused_postprocess(
    self: Any,
    num_reqs: int,
    num_accepted_tokens_gpu: torch.Tensor,
    mamba_state_idx_gpu: torch.Tensor,
    num_scheduled_tokens_gpu: torch.Tensor,
    num_computed_tokens_gpu: torch.Tensor,
    num_draft_tokens_gpu: torch.Tensor,
) -> None:
    """After a step: where the accepted tokens passed a block boundary, save the state as it was there."""
    if not self.is_initialized:
        return
    self.num_accepted_tokens_out[:num_reqs].copy_(num_accepted_tokens_gpu[:num_reqs])
    moves = []
    for request in range(num_reqs):
        running = int(num_computed_tokens_gpu[request] + num_scheduled_tokens_gpu[request])
        running -= int(num_draft_tokens_gpu[request])
        computed = running + int(num_accepted_tokens_gpu[request]) - 1
        boundary = computed // self.block_size
        bias = boundary * self.block_size - running
        if bias < 0:
            continue
        move = Move(request, int(mamba_state_idx_gpu[request]), boundary - 1, bias)
        if move.source == move.target:
            # The running state itself was slid to its boundary: the next step reads it without an offset.
            self.num_accepted_tokens_out[request] = 1
        if move.source != move.target or bias:
            moves.append(move)
    _apply(self, moves)


def mend() -> None:
    """Replace the two launches of Triton kernels."""
    from vllm.v1.worker.mamba_utils import MambaSpecDecodeGPUContext

    MambaSpecDecodeGPUContext.run_fused_precopy = run_fused_precopy
    MambaSpecDecodeGPUContext.run_fused_postprocess = run_fused_postprocess
