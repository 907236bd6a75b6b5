"""CUDA graphs for every query length that a lane's steps have, and for batches that mix them.

vLLM captures one decode length: the longest draft and one. A body's step would then run without a full graph.
"""

from collections.abc import Sequence
from functools import wraps
from typing import Any

import torch
from vllm.config.compilation import CUDAGraphMode
from vllm.v1.attention.backends.mamba_attn import BaseMambaAttentionMetadataBuilder
from vllm.v1.worker.gpu.cudagraph_utils import BatchExecutionDescriptor, ModelCudaGraphManager


def capture_short_queries() -> None:
    """Let layers with a state, such as LFM2's short convolutions, be captured at every lane's query length.

    vLLM insists on the longest, though what it builds holds for any: outside of graphs it runs them all.
    """
    stock = BaseMambaAttentionMetadataBuilder.build_for_cudagraph_capture
    if getattr(stock, "hooked_by", None) == __name__:
        return

    @wraps(stock)
    def build_for_cudagraph_capture(self: Any, common_attn_metadata: Any) -> Any:
        if common_attn_metadata.max_query_len >= 1 + self.num_spec_tokens:
            return stock(self, common_attn_metadata)
        accepted = torch.diff(common_attn_metadata.query_start_loc)
        return self.build(0, common_attn_metadata, num_accepted_tokens=accepted)

    build_for_cudagraph_capture.hooked_by = __name__  # type: ignore[attr-defined]
    BaseMambaAttentionMetadataBuilder.build_for_cudagraph_capture = build_for_cudagraph_capture


class LaneCudaGraphManager(ModelCudaGraphManager):  # type: ignore[misc]
    """The stock manager with full graphs for each of `query_lens` and, with `mixes`, for any mix of them."""

    decode_query_len: int
    varlen_decode: bool
    _capture_descs: dict[CUDAGraphMode, list[BatchExecutionDescriptor]]

    def __init__(self, *args: Any, query_lens: Sequence[int], mixes: bool, **kwargs: Any) -> None:
        self._query_lens, self._mixes = query_lens, mixes
        super().__init__(*args, **kwargs)

    def _init_candidates(self) -> None:
        longest, varlen = self.decode_query_len, self.varlen_decode
        planned: dict[CUDAGraphMode, list[BatchExecutionDescriptor]] = {}
        passes = [(length, False) for length in self._query_lens] + [(longest, True)] * self._mixes
        for self.decode_query_len, self.varlen_decode in passes:
            self._capture_descs = {}
            super()._init_candidates()
            for mode, descs in self._capture_descs.items():
                known = planned.setdefault(mode, [])
                known.extend(desc for desc in descs if desc not in known)
        self.decode_query_len, self.varlen_decode = longest, varlen
        for descs in planned.values():
            descs.sort(key=lambda desc: desc.num_tokens, reverse=True)  # the largest first: they size the shared pool
        self._capture_descs = planned
        for key, candidates in self._candidates.items():
            unique = list(dict.fromkeys(candidates))
            self._candidates[key] = sorted(unique, key=_preference)


def _preference(desc: BatchExecutionDescriptor) -> tuple[bool, bool]:
    """Full graphs first, and of them those made for one query length, whose kernels are the faster ones."""
    return desc.cg_mode != CUDAGraphMode.FULL, desc.uniform_token_count is None
