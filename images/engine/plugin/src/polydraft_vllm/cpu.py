"""The mendings that vLLM's CPU backend needs, applied together. Never called on another platform."""

from polydraft_vllm import (
    compiling,
    gemma4_processing,
    mamba_copy,
    ordered_embeddings,
    rotary,
    sampling,
    short_conv,
    synthetic,
    worker,
)
from polydraft_vllm.lanes import undrafted_sampling


def mend() -> None:
    """Mend what is settled at import now, and the kernels as soon as this process turns out to be a worker."""
    compiling.mend()
    gemma4_processing.mend()
    worker.before_first_kernel(
        sampling.mend,
        synthetic.mend,
        rotary.mend,
        short_conv.mend,
        mamba_copy.mend,
        ordered_embeddings.mend,
        undrafted_sampling.mend,
    )
