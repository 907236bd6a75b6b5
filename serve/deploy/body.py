"""A body: a model, how vLLM runs it, the lanes it can be decoded by, and the measured table that chooses between them.

These are the data models of the `[bodies.*]` tables of a profile. vLLM's flags and speculative-config keys keep vLLM's
names, so nothing is translated on the way to the engine. This module must never know a particular model or number:
those stand in the profile files, each with its source.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from serve.errors import ConfigError

# The parts of a model's path that make vLLM ignore `method` (0.33, config/speculative.py).
PATHS_THAT_OVERRIDE_MTP = ("eagle-", "eagle3", "dflash", "dspark")

# Flags that engine_args writes by itself; a second spelling could contradict the first.
RESERVED_FLAGS = {
    "model": "the body's `model` says it",
    "revision": "the body's `revision` says it",
    "served-model-name": "the body's `served-model-name` says it",
    "tensor-parallel-size": "the host's `tensor-parallel-size` says it",
    "speculative-config": "the lane's `speculative-config` says it",
    "additional-config": "`one-engine` and the lanes say it",
    "enable-per-request-metrics": "every engine gets it",
    "per-request-spec-decode-metrics": "every engine with a drafter gets it, and vLLM refuses it on any other",
    "disable-log-stats": "acceptance per request comes out of vLLM's statistics",
    "host": "whatever starts the engine chooses it",
    "port": "whatever starts the engine chooses it",
}

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
# Names become names of services in Compose and Kubernetes, lanes' names those of Kubernetes ports, which end at 15.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=40)]
LaneName = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=15)]
FlagName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
# "local" for a folder of this repository; else left out here, and the pins say the commit, or "unresolved" until
# somebody has read it.
Revision = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|unresolved|local)$")]
Flags = dict[FlagName, JsonValue]
LanguageKey = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*)$")]
TaskKey = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z-]*)$")]


class Table(BaseModel):
    """A TOML table: keys in kebab-case, none unknown, none changed after loading."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        validate_by_name=False,
        allow_inf_nan=False,  # TOML has both; JSON, which the router reads, has neither
    )


class SpeculativeConfig(BaseModel):
    """vLLM's `--speculative-config`, under vLLM's own keys; `revision` may be `unresolved` or `local`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["mtp", "eagle3"]
    model: Text
    revision: Revision = "unresolved"
    num_speculative_tokens: Annotated[int, Field(ge=1, le=16)]
    draft_tensor_parallel_size: PositiveInt | None = None
    quantization: Text | None = None
    attention_backend: Text | None = None
    draft_sample_method: Literal["greedy", "probabilistic"] | None = None

    @model_validator(mode="after")
    def _method_survives_the_path(self) -> Self:
        check_method_survives(self.method, self.model)
        return self


class Lane(Table):
    """One way to decode; without `speculative-config` it is the body's own, which drafts nothing."""

    name: LaneName
    speculative_config: SpeculativeConfig | None = None
    drafter_gib: PositiveFloat | None = None
    flags: Flags = {}

    @property
    def method(self) -> str:
        """vLLM's method name, empty for a lane that drafts nothing."""
        return self.speculative_config.method if self.speculative_config else ""

    @property
    def draft_tokens(self) -> int:
        """Tokens drafted a step, 0 for a lane that drafts nothing."""
        return self.speculative_config.num_speculative_tokens if self.speculative_config else 0


ONE_ENGINE = "engine"
"""The name of an engine that serves all lanes; one that serves a single lane has the lane's."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One vLLM process, and the lanes that it serves: a single one, or with `one-engine` all of the body's."""

    name: str
    lanes: tuple[Lane, ...]

    @property
    def drafting(self) -> tuple[Lane, ...]:
        """Its lanes that have a drafter."""
        return tuple(lane for lane in self.lanes if lane.speculative_config is not None)

    @property
    def flags(self) -> Flags:
        """The flags of its lanes' own."""
        return {flag: value for lane in self.lanes for flag, value in lane.flags.items()}


class Candidate(Table):
    """What a lane achieved in a cell: acceptance length in tokens a step, decode rate in tokens a second."""

    lane: LaneName
    acceptance_length: Annotated[float, Field(ge=1)] | None = None
    decode_rate: PositiveFloat | None = None

    @property
    def measured(self) -> bool:
        """Whether any figure stands behind this lane here."""
        return self.acceptance_length is not None or self.decode_rate is not None


class Cell(Table):
    """One row of the table: for this language and task, the lanes in the order in which to try them."""

    language: LanguageKey
    task: TaskKey
    source: Text
    lanes: Annotated[tuple[Candidate, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _fastest_first(self) -> Self:
        rated = [(c.lane, c.decode_rate) for c in self.lanes if c.decode_rate is not None]
        for (slow, slow_rate), (fast, fast_rate) in pairwise(rated):
            if fast_rate > slow_rate:
                raise ValueError(f"lanes: {fast!r} ({fast_rate}) decodes faster than {slow!r} ({slow_rate}) "
                                 "but stands after it; order the lanes by decode-rate, fastest first")  # fmt: skip
        return self


class Example(Table):
    """A prompt to try: what it shows, and the prompt itself."""

    says: Text
    prompt: Text


class BodyMemory(Table):
    """What one engine with this body holds, in GiB; KV cache and drafters are stated where they are chosen.

    `weights_gib` and `kv_sequence_gib`, the KV cache of one sequence of `max-model-len` tokens, are spread over the
    accelerators that an engine spans; `overhead_gib` (context, kernels, activations) and `graphs_gib` (captured CUDA
    graphs) come on each of them.
    """

    weights_gib: PositiveFloat
    overhead_gib: PositiveFloat
    graphs_gib: NonNegativeFloat
    kv_sequence_gib: PositiveFloat
    source: Text


class Body(Table):
    """A model to serve: where it is from, how vLLM runs it, its lanes, and the table that chooses between them."""

    served_model_name: Text
    model: Text
    revision: Revision = "unresolved"
    license: Text
    download_gib: PositiveFloat | None = None
    flags: Flags = {}
    one_engine: bool = False
    memory: BodyMemory | None = None
    lanes: Annotated[tuple[Lane, ...], Field(min_length=1)]
    cells: Annotated[tuple[Cell, ...], Field(min_length=1)]
    examples: tuple[Example, ...] = ()

    @model_validator(mode="after")
    def _lanes_are_sound(self) -> Self:
        names = [lane.name for lane in self.lanes]
        for name in _repeated(names):
            raise ValueError(f"lanes: {name!r} is defined twice; give every lane a name of its own")
        if [lane.method for lane in self.lanes].count("") != 1:
            raise ValueError("lanes: exactly one must have no speculative-config (the body's own); add or remove one")
        check_flags("flags", self.flags)
        for lane in self.lanes:
            check_flags(f"lanes.{lane.name}.flags", lane.flags)
        return self

    @model_validator(mode="after")
    def _one_engine_can_serve_them(self) -> Self:
        if not self.one_engine:
            return self
        for lane in self.lanes:
            if lane.flags:
                raise ValueError(
                    f"lanes.{lane.name}.flags: one-engine has no flags for a lane; move them to the body's"
                )
            if lane.speculative_config and lane.speculative_config.draft_sample_method == "probabilistic":
                raise ValueError(f"lanes.{lane.name}: one-engine needs draft_sample_method greedy; leave it out")
        if [lane.method for lane in self.lanes].count("eagle3") > 1:
            raise ValueError(
                "lanes: one-engine holds one eagle3 drafter, for it keeps a KV cache; leave the others out"
            )
        return self

    @model_validator(mode="after")
    def _cells_are_sound(self) -> Self:
        names = {lane.name for lane in self.lanes}
        for key in _repeated((cell.language, cell.task) for cell in self.cells):
            raise ValueError(f"cells: {key} stands there twice; merge the two")
        for number, cell in enumerate(self.cells):
            listed = [candidate.lane for candidate in cell.lanes]
            for unknown in sorted(set(listed) - names):
                raise ValueError(f"cells[{number}].lanes: {unknown!r} isn't a lane; use one of {sorted(names)}")
            if sorted(listed) != sorted(names):
                raise ValueError(f"cells[{number}].lanes: must rank each of {sorted(names)} exactly once")
        if (self.cells[-1].language, self.cells[-1].task) != ("*", "*"):
            raise ValueError('cells: the last must be language = "*", task = "*"; add it, it catches all the rest')
        return self

    def lane(self, name: str) -> Lane:
        """Return the lane of that name; raises ConfigError that lists those that exist."""
        for lane in self.lanes:
            if lane.name == name:
                return lane
        raise ConfigError(f"lane: no {name!r} here; use one of {[lane.name for lane in self.lanes]}")

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines that serve this body, in the order in which they start."""
        if self.one_engine:
            return (Engine(ONE_ENGINE, self.lanes),)
        return tuple(Engine(lane.name, (lane,)) for lane in self.lanes)

    def engine(self, name: str) -> Engine:
        """Return the engine of that name; raises ConfigError that lists those that exist."""
        for engine in self.engines:
            if engine.name == name:
                return engine
        raise ConfigError(f"engine: no {name!r} here; use one of {[engine.name for engine in self.engines]}")

    def engine_of(self, lane: str) -> Engine:
        """Return the engine that serves a lane; raises ConfigError as `lane` does."""
        found = self.lane(lane)
        return next(engine for engine in self.engines if found in engine.lanes)

    def unmeasured(self) -> list[str]:
        """Name the drafting lanes for which no cell holds a figure."""
        measured = {candidate.lane for cell in self.cells for candidate in cell.lanes if candidate.measured}
        return [lane.name for lane in self.lanes if lane.method and lane.name not in measured]


def check_flags(where: str, flags: Flags) -> None:
    """Raise ValueError for a flag that follows from another field, and so could contradict it."""
    for flag in sorted(flags.keys() & RESERVED_FLAGS.keys()):
        raise ValueError(f"{where}.{flag}: isn't set here; remove it: {RESERVED_FLAGS[flag]}")


def check_method_survives(method: str, model: str) -> None:
    """Raise ValueError where vLLM would read another method out of the drafter's path than the one asked for."""
    found = [part for part in PATHS_THAT_OVERRIDE_MTP if part in model.lower()]
    if method == "mtp" and found:
        raise ValueError(f"model: {model!r} contains {found[0]!r}, for which vLLM ignores method = 'mtp'; "
                         "move the drafter to a path without it, or correct the method")  # fmt: skip


def _repeated(values: Iterable[object]) -> list[object]:
    return [value for value, count in Counter(values).items() if count > 1]
