"""The engine's arguments: one setting, `--additional-config`, decides drafter, scheduler and worker.

`settle` runs when an engine's config is made, so that a wrong setting stops the start.
"""

from functools import wraps
from typing import Any

from vllm.config import VllmConfig
from vllm.engine.arg_utils import EngineArgs

from polydraft_vllm.lanes import config

_HERE = __package__
_GPU_WORKER = "vllm.v1.worker.gpu_worker.Worker"


def install() -> None:
    """Hook the making of an engine's config; without lanes it stays what it was."""
    if getattr(VllmConfig.__post_init__, "hooked_by", None) == __name__:
        return
    VllmConfig.__post_init__ = _settling(VllmConfig.__post_init__)
    EngineArgs.create_speculative_config = _speculating(EngineArgs.create_speculative_config)


def speculative_config(lanes: config.Lanes) -> dict[str, Any]:
    """What vLLM itself is told: one drafter, with room for the longest draft.

    EAGLE-3 if there is one, since it needs the body to hand out its inner layers' states.
    """
    told = max(lanes.drafters.values(), key=lambda drafter: str(drafter["method"]).startswith("eagle"))
    return {**told, "num_speculative_tokens": lanes.most_draft_tokens}


def settle(vllm_config: Any) -> None:
    """Choose scheduler and worker. Raises ValueError, in one line, for what lanes can't be combined with."""
    lanes = config.read(vllm_config.additional_config)
    if lanes is None:
        return
    scheduler, parallel = vllm_config.scheduler_config, vllm_config.parallel_config
    if vllm_config.use_v2_model_runner:
        if any(drafter.get("draft_sample_method", "greedy") != "greedy" for drafter in lanes.drafters.values()):
            raise ValueError("lanes need draft_sample_method greedy, vLLM's default: leave it out")
        if getattr(vllm_config, "watermark_config", None) is not None:
            raise ValueError("lanes can't be combined with watermarks: leave watermark_config out")
        if parallel.worker_cls == _GPU_WORKER:
            parallel.worker_cls = f"{_HERE}.worker.LaneWorker"
    elif len(lanes.drafters) > 1:
        raise ValueError("model runner V1, all that there is on the CPU, holds one drafter: start an engine for each")
    if scheduler.scheduler_cls is None:
        name = "LaneAsyncScheduler" if scheduler.async_scheduling else "LaneScheduler"
        scheduler.scheduler_cls = f"{_HERE}.scheduler.{name}"


def _settling(stock: Any) -> Any:
    @wraps(stock)
    def post_init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        settle(self)

    post_init.hooked_by = __name__  # type: ignore[attr-defined]
    return post_init


def _speculating(stock: Any) -> Any:
    @wraps(stock)
    def create_speculative_config(self: Any, *args: Any, **kwargs: Any) -> Any:
        lanes = config.read(self.additional_config)
        if lanes is not None:
            if self.speculative_config is not None:
                raise ValueError(f"additional_config.{config.KEY} names the drafters: leave --speculative-config out")
            self.speculative_config = speculative_config(lanes)
        return stock(self, *args, **kwargs)

    return create_speculative_config
