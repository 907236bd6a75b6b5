"""`min_p` and `logit_bias` on the body's lane of a speculating engine, where model runner V1 leaves them out.

V1 builds no processor for them wherever a drafter is configured, since it couldn't verify drafts against them. Here a
request that asks for one gets no drafts: all that is sampled for it is the bonus token, to which processors do apply.
"""

import copy
from functools import wraps
from typing import Any

from polydraft_vllm.lanes import config


def mend() -> None:
    """Build the processors as on an engine without a drafter, if the engine has lanes."""
    from vllm.v1.worker import gpu_model_runner

    stock = gpu_model_runner.build_logitsprocs
    if getattr(stock, "mended_by", None) == __name__:
        return

    @wraps(stock)
    def build_logitsprocs(vllm_config: Any, *args: Any, **kwargs: Any) -> Any:
        if config.read(vllm_config.additional_config) is not None:
            vllm_config = copy.copy(vllm_config)
            vllm_config.speculative_config = None
        return stock(vllm_config, *args, **kwargs)

    build_logitsprocs.mended_by = __name__  # type: ignore[attr-defined]
    gpu_model_runner.build_logitsprocs = build_logitsprocs
