"""Runs the kernel mendings in the worker process alone, where the kernels are.

The API server and the engine core load plugins too; importing attention, sampling and drafting code there costs
seconds of start-up and some tens of MiB for nothing. A worker announces itself by registering the CPU kernels, so
that is the moment.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any


def before_first_kernel(*mendings: Callable[[], None]) -> None:
    """Call `mendings` each time before CPU kernels are registered (once a worker)."""
    from vllm.platforms import cpu as cpu_platform

    stock = cpu_platform.CpuPlatform.__dict__["register_triton_kernel_overrides"].__func__
    if getattr(stock, "mended_by", None) == __name__:
        return

    @wraps(stock)
    def register_triton_kernel_overrides(cls: type[Any]) -> None:
        for mend in mendings:
            mend()
        stock(cls)

    register_triton_kernel_overrides.mended_by = __name__  # type: ignore[attr-defined]
    cpu_platform.CpuPlatform.register_triton_kernel_overrides = classmethod(register_triton_kernel_overrides)
