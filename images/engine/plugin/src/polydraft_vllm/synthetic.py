"""`rejection_sample_method: synthetic`, an exact acceptance rate for load tests, which the CPU kernels assert away.

The output is then not the model's, by design. The logic is that of the Triton kernels' SYNTHETIC_MODE in
vllm/v1/sample/rejection_sampler.py; without that mode vLLM's own kernels run.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

_GREEDY = "_rejection_greedy_sample_kernel_impl"
_RANDOM = "_rejection_random_sample_kernel_impl"


def accept_at_rate(given: dict[str, Any], otherwise: torch.Tensor, chosen: torch.Tensor) -> None:
    """Fill `output_token_ids` [requests, tokens + 1] for the `chosen` [requests] ones, by draft position's rate.

    `given` holds the kernel's arguments by name; `otherwise` [tokens] is what follows a rejection.
    """
    output, drafts = given["output_token_ids"], given["draft_token_ids"]
    rates, uniform = given["synthetic_conditional_rates"].tolist(), given["uniform_probs"].tolist()
    bonus = given["bonus_token_ids"].flatten()
    begin = 0
    for request, end in enumerate(given["cu_num_draft_tokens"].tolist()):
        if chosen[request]:
            kept = 0
            while begin + kept < end and drafts[begin + kept] >= 0 and uniform[begin + kept] < rates[kept]:
                kept += 1
            output[request, :kept] = drafts[begin : begin + kept]
            output[request, kept] = otherwise[begin + kept] if begin + kept < end else bonus[request]
        begin = end


def _greedy(given: dict[str, Any]) -> None:
    is_greedy = given["is_greedy"]
    everyone = torch.ones(len(given["cu_num_draft_tokens"]), dtype=torch.bool)
    accept_at_rate(given, given["target_argmax"], everyone if is_greedy is None else is_greedy)


def _random(given: dict[str, Any]) -> None:
    accept_at_rate(given, given["recovered_token_ids"], ~given["is_greedy"])


def _with_synthetic_mode(
    stock: Callable[..., None], synthetic: Callable[[dict[str, Any]], None]
) -> Callable[..., None]:
    signature = inspect.signature(stock)

    @wraps(stock)
    def kernel(*args: Any, **kwargs: Any) -> None:
        given = signature.bind(*args, **kwargs).arguments
        if given.get("SYNTHETIC_MODE"):
            synthetic(given)
        else:
            stock(*args, **kwargs)

    kernel.mended_by = __name__  # type: ignore[attr-defined]
    return kernel


def mend() -> None:
    """Wrap the two CPU kernels before vLLM registers them."""
    from vllm.utils import cpu_triton_utils

    for name, synthetic in ((_GREEDY, _greedy), (_RANDOM, _random)):
        stock = getattr(cpu_triton_utils, name)
        if getattr(stock, "mended_by", None) != __name__:
            setattr(cpu_triton_utils, name, _with_synthetic_mode(stock, synthetic))
