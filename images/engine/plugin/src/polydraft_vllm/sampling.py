"""Sampling parameters of a verification step.

The CPU `expand_kernel` spreads each request's temperature, top-k and top-p over its draft tokens. Stock vLLM hands
the C++ kernel an int64 copy of the output and drops it, so the tokens are scaled by uninitialised memory: a request
with a temperature above zero gets noise from every speculating engine, without an error.
"""

import torch


def expand(
    output: torch.Tensor,
    input_val: torch.Tensor,
    cu_num_tokens: torch.Tensor,
    replace_from: float,
    replace_to: float,
    MAX_NUM_TOKENS: int | None = None,  # noqa: N803  the Triton kernel's name
) -> None:
    """Repeat `input_val` [requests] into `output` [tokens] in place, `replace_from` becoming `replace_to`.

    `cu_num_tokens` [requests] holds the cumulative token counts, as in `rejection_sampler.expand_batch_to_tokens`.
    """
    del MAX_NUM_TOKENS  # only the Triton launch needs a bound
    counts = torch.diff(cu_num_tokens, prepend=cu_num_tokens.new_zeros(1))
    values = input_val.masked_fill(input_val == replace_from, replace_to)
    expanded = torch.repeat_interleave(values, counts.to(torch.int64))
    output[: expanded.shape[0]] = expanded.to(output.dtype)


def mend() -> None:
    """Replace the CPU kernel before vLLM registers it."""
    from vllm.utils import cpu_triton_utils

    cpu_triton_utils._expand_kernel_impl = expand
