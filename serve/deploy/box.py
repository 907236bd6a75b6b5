"""A kind of box: its accelerators, their memory, and how a profile's engines spread over them.

These are the data models of a profile's `[host]` tables. This module must never know a particular box or number: those
stand in the profile files, each with its source.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StringConstraints, model_validator

from serve.deploy.body import Table, Text


class HostMemory(Table):
    """One accelerator's memory in GiB, or the whole pool where the accelerator shares it with the operating system.

    `gib` is free when idle, `total_gib` what `gpu-memory-utilization` is a share of, `reserve_gib` what must stay free,
    `start_gib` what a starting engine takes on top and gives back.
    """

    gib: PositiveFloat
    total_gib: PositiveFloat
    reserve_gib: PositiveFloat
    start_gib: NonNegativeFloat = 0.0
    source: Text


class EngineMemory(Table):
    """What one engine takes of the system's memory in GiB, where its GPUs have their own: asked for, and at most."""

    request_gib: PositiveInt
    limit_gib: PositiveInt
    source: Text


class Known(Table):
    """A version of the driver or the kernel (its beginning), and what is known of it."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9]+([.-][0-9]+)*$")]
    why: Text


class Gpu(Table):
    """What the accelerators must be: nvidia-smi's name of them (its beginning), compute capability, driver."""

    name: Text
    compute_capability: Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+$")]
    driver: Known
    bad_drivers: tuple[Known, ...] = ()
    bad_kernels: tuple[Known, ...] = ()


class Host(Table):
    """The box: its accelerators, and how engines spread over them.

    With `replicas` every engine has GPUs of its own, and there are as many copies as the GPUs are for; without, all
    engines share the GPUs. `boxes` of the same kind have an engine each, and the first has the router.
    """

    accelerator: Literal["cpu", "nvidia"]
    hardware: Text
    gpus: Annotated[int, Field(ge=0, le=16)]
    tensor_parallel_size: PositiveInt = 1
    replicas: bool = False
    boxes: Annotated[int, Field(ge=1, le=9)] = 1
    unified_memory: bool = False
    memory: HostMemory | None = None
    engine_memory: EngineMemory | None = None
    gpu: Gpu | None = None

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if (self.accelerator == "cpu") != (self.gpus == 0):
            raise ValueError('gpus: must be 0 for accelerator = "cpu" and at least 1 for any other')
        if (self.gpu is None) != (self.gpus == 0):
            raise ValueError("gpu: must say which card it is, and is left out where there is none")
        if self.tensor_parallel_size > max(self.gpus, 1):
            raise ValueError(
                f"tensor-parallel-size: {self.tensor_parallel_size} is more than the {self.gpus} gpus; lower it"
            )
        if self.engine_memory and self.unified_memory:
            raise ValueError("engine-memory: follows from the plan on unified memory; remove it")
        if self.replicas and self.accelerator == "cpu":
            raise ValueError("replicas: each would have GPUs of its own, and there are none; remove it")
        return self
