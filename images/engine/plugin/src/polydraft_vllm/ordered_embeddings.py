"""A Gemma 4 assistant with `use_ordered_embeddings`, which picks draft tokens by clusters of the vocabulary.

Stock vLLM records CUDA graphs of that choice while loading, on any platform; on a CPU the start dies with "Tried to
instantiate dummy base class CUDAGraph". The choice itself works without graphs, and so it is left to run.
"""

from typing import Any


def _record_no_graphs(self: Any) -> None:
    """Leave the proposer without graphs: its `_greedy_sample` then takes the best of the model's clustered logits."""
    del self


def mend() -> None:
    """Let `Gemma4Proposer` load without graphs."""
    from vllm.v1.spec_decode.gemma4 import Gemma4Proposer

    Gemma4Proposer._setup_centroids_cuda_graphs = _record_no_graphs
