"""What Polydraft needs of vLLM and vLLM lacks, from outside through its plugin hooks.

vLLM calls `register` in each of its processes before a model is inspected or loaded. `lanes` lets each request name its
drafter; `held` tells what memory an engine holds. Every other module mends one defect and says what goes wrong without
it; `tests/images/engine` proves both the defect and the cure, so it is dropped as soon as vLLM no longer needs it.
Nothing here may change what a correct vLLM would compute.
"""

from polydraft_vllm import held, lanes
from polydraft_vllm.supported import require_known_vllm

__all__ = ["register"]


def register() -> None:
    """Mend this process's vLLM; calling it again changes nothing.

    Raises SystemExit, with one line, on a vLLM release that the mendings of this platform aren't known to be right for.
    """
    from vllm import ModelRegistry
    from vllm.platforms import current_platform

    on_cpu = current_platform.is_cpu()
    require_known_vllm(on_cpu)
    # By name: the class, and with it torch, is imported only where an LFM2-MoE model is really inspected or loaded.
    ModelRegistry.register_model("Lfm2MoeForCausalLM", "polydraft_vllm.lfm2_moe:Lfm2MoeForCausalLM")
    lanes.install()
    held.tell(on_cpu)
    if on_cpu:
        from polydraft_vllm import cpu

        cpu.mend()
