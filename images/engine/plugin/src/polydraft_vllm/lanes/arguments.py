"""The engine's arguments: one setting, `--additional-config`, decides drafter, scheduler and worker.

`settle` runs when an engine's config is made, so that a wrong setting stops the start.
"""

from functools import wraps
from typing import Any

from vllm.config import VllmConfig
from vllm.engine.arg_utils import EngineArgs
from vllm.platforms import current_platform

from polydraft_vllm.lanes import config

_HERE = __package__
_GPU_WORKER = "vllm.v1.worker.gpu_worker.Worker"
_LANE_WORKER = f"{_HERE}.worker.LaneWorker"


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
    return config.cut(told, lanes.most_draft_tokens)


def settle(vllm_config: Any) -> None:
    """Choose scheduler and worker. Raises ValueError, in one line, for what lanes can't be combined with."""
    lanes = config.read(vllm_config.additional_config)
    if lanes is None:
        return
    scheduler, parallel = vllm_config.scheduler_config, vllm_config.parallel_config
    if parallel.data_parallel_size > 1:
        raise ValueError("lanes can't be combined with data parallelism yet: start an engine for each replica")
    if vllm_config.use_v2_model_runner:
        _check_v2(vllm_config, lanes)
        if parallel.worker_cls not in (_GPU_WORKER, _LANE_WORKER):
            raise ValueError(f"lanes bring their own worker: leave --worker-cls {parallel.worker_cls} out")
        parallel.worker_cls = _LANE_WORKER
    elif not current_platform.is_cpu():
        raise ValueError("lanes need model runner V2 on a GPU, vLLM's default: leave VLLM_USE_V2_MODEL_RUNNER alone")
    elif len(lanes.drafters) > 1:
        raise ValueError("model runner V1, all that there is on the CPU, holds one drafter: start an engine for each")
    name = f"{_HERE}.scheduler.{'LaneAsyncScheduler' if scheduler.async_scheduling else 'LaneScheduler'}"
    if scheduler.scheduler_cls not in (None, name):
        raise ValueError(f"lanes bring their own scheduler: leave --scheduler-cls {scheduler.scheduler_cls} out")
    scheduler.scheduler_cls = name


def _check_v2(vllm_config: Any, lanes: config.Lanes) -> None:
    for name, drafter in lanes.drafters.items():
        if drafter.get("draft_sample_method", "greedy") != "greedy":
            raise ValueError(f"drafter {name}: lanes need draft_sample_method greedy, vLLM's default: leave it out")
        if drafter.get("enable_adaptive_verification"):
            raise ValueError(f"drafter {name}: lanes can't be combined with enable_adaptive_verification: leave it out")
        body = vllm_config.model_config.hf_text_config.model_type
        if drafter["method"] == "mtp" and not body.startswith("gemma4"):
            raise ValueError(
                f"drafter {name}: lanes know the MTP drafter of Gemma 4 alone, which keeps no KV of its own"
            )
    if getattr(vllm_config, "watermark_config", None) is not None:
        raise ValueError("lanes can't be combined with watermarks: leave watermark_config out")


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
