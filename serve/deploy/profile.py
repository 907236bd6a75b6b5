"""A profile: one kind of box, the bodies it can serve, and the environment its engines need.

Profiles are TOML files beside this module; this module reads and checks them and answers questions about them. It must
never know a particular box, model or number: those stand in the files, each with its source or its reason.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from serve.deploy.body import Body, Engine, Flags, Name, Table, Text, check_flags
from serve.deploy.box import Host
from serve.errors import ConfigError

PROFILES = Path(__file__).with_name("profiles")

# vLLM's own (0.33, config/cache.py).
DEFAULT_UTILIZATION = 0.92

# Where `polydraft up` puts the first engine; each further lane takes the next port.
FIRST_ENGINE_PORT = 8101

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


class Variable(Table):
    """An environment variable of the engines, and why it is set."""

    value: str
    why: Text


class Profile(Table):
    """One kind of box and what it serves; `name` is the file's, and the name of everything rendered from it."""

    name: Name
    summary: Text
    body: Name
    bodies: Annotated[dict[Name, Body], Field(min_length=1)]
    flags: Annotated[Flags, Field(default_factory=dict)]
    env: Annotated[dict[VariableName, Variable], Field(default_factory=dict)]
    host: Host

    @model_validator(mode="after")
    def _the_box_carries_it(self) -> Self:
        if self.body not in self.bodies:
            raise ValueError(f"body: {self.body!r} isn't one of [bodies.*]; use one of {sorted(self.bodies)}")
        check_flags("flags", self.flags)
        for name, body in self.bodies.items():
            for lane in body.unmeasured() if self.host.accelerator != "cpu" else ():
                raise ValueError(f"bodies.{name}.lanes: {lane!r} has no figure in any cell; measure it or leave it out")
            self._check_copies(f"bodies.{name}", body)
            self._check_memory(f"bodies.{name}", body)
        return self

    @property
    def served(self) -> Body:
        """The body that is served."""
        return self.bodies[self.body]

    def engine_flags(self, body: Body, engine: Engine) -> Flags:
        """Return an engine's flags: its lane's own over the body's over the profile's."""
        return self.flags | body.flags | engine.flags

    def parts(self, body: Body, engine: Engine) -> dict[str, float]:
        """Return what an engine holds on each accelerator it spans, by part in GiB; nothing if no memory is stated.

        Without `kv-cache-memory-bytes` vLLM fills `gpu-memory-utilization` of the accelerator with KV cache.
        """
        stated, host = body.memory, self.host.memory
        if stated is None:
            return {}
        ranks = self.host.tensor_parallel_size
        held = {
            "weights": stated.weights_gib / ranks,
            "overhead": stated.overhead_gib,
            "graphs": stated.graphs_gib,
            **{f"drafter {lane.name}": lane.drafter_gib / ranks for lane in engine.lanes if lane.drafter_gib},
        }
        kv = self.engine_flags(body, engine).get("kv-cache-memory-bytes")  # vLLM counts it per accelerator
        if isinstance(kv, int):
            return held | {"KV cache": kv / 2**30}
        share = self.utilization(body, engine) * host.total_gib if host else 0.0
        return held | {"KV cache": max(0.0, share - sum(held.values()))}

    def utilization(self, body: Body, engine: Engine) -> float:
        """Return an engine's `gpu-memory-utilization`."""
        stated = self.engine_flags(body, engine).get("gpu-memory-utilization", DEFAULT_UTILIZATION)
        return float(stated) if isinstance(stated, (int, float)) else DEFAULT_UTILIZATION

    def engine_gib(self, body: Body, engine: Engine) -> float:
        """Return what an engine holds on each accelerator it spans, in GiB; 0 if no memory is stated."""
        return sum(self.parts(body, engine).values())

    @property
    def copies(self) -> int:
        """How many copies of the served body's engines a box has."""
        return self._copies(self.served)

    @property
    def copy_gpus(self) -> int:
        """How many GPUs one copy of the served body's engines spans."""
        return self.host.gpus // self.copies

    def sharing(self, body: Body) -> tuple[Engine, ...]:
        """Return the engines that share accelerators; where none do, the one that holds most."""
        if not self.host.replicas:
            return body.engines
        return (max(body.engines, key=lambda engine: self.engine_gib(body, engine)),)

    def engine_port(self, engine: str, first: int = FIRST_ENGINE_PORT) -> int:
        """Return the port of an engine where engines share a network; the first one's is `first`."""
        return first + self.served.engines.index(self.served.engine(engine))

    def upstreams(self, first: int = FIRST_ENGINE_PORT) -> dict[str, str]:
        """Return the base URL of each lane's engine on this very machine, in the order of the lanes."""
        ports = {
            lane.name: self.engine_port(self.served.engine_of(lane.name).name, first) for lane in self.served.lanes
        }
        return {lane: f"http://127.0.0.1:{port}" for lane, port in ports.items()}

    def router_environment(self, upstreams: Mapping[str, str | tuple[str, ...]] | None = None) -> dict[str, str]:
        """Return what makes a router serve this profile; `upstreams` (lane -> base URLs) where they aren't local."""
        urls = upstreams if upstreams is not None else self.upstreams()
        lanes = [
            {"name": lane.name, "upstream": urls[lane.name], "method": lane.method, "draft_tokens": lane.draft_tokens}
            for lane in self.served.lanes
        ]
        table = [
            {
                "language": cell.language,
                "task": cell.task,
                "candidates": [c.model_dump() for c in cell.lanes],
                "source": cell.source,
            }
            for cell in self.served.cells
        ]
        return {
            "POLYDRAFT_MODEL": self.served.served_model_name,
            "POLYDRAFT_LANES": json.dumps(lanes, ensure_ascii=False),
            "POLYDRAFT_TABLE": json.dumps(table, ensure_ascii=False),
        }

    def _copies(self, body: Body) -> int:
        needed = self.host.tensor_parallel_size * len(body.engines)
        return self.host.gpus // needed if self.host.replicas else 1

    def _check_copies(self, where: str, body: Body) -> None:
        if self.host.replicas and self._copies(body) * self.host.tensor_parallel_size * len(body.engines) != (
            self.host.gpus
        ):
            raise ValueError(
                f"{where}.lanes: {len(body.engines)} engines with {self.host.tensor_parallel_size} GPUs each don't "
                f"divide the {self.host.gpus}; leave a lane out or set one-engine"
            )
        if self.host.boxes > 1 and (len(body.engines) > 1 or self.host.replicas):
            raise ValueError(f"{where}.lanes: several boxes have one engine each; set one-engine, and no replicas")

    def _check_memory(self, where: str, body: Body) -> None:
        if self.host.memory is None:
            return
        if body.memory is None:
            fields = "weights-gib, overhead-gib, graphs-gib, kv-sequence-gib"
            raise ValueError(f"{where}.memory: is missing; state {fields} and their source")
        sharing = self.sharing(body)
        planned = sum(self.engine_gib(body, engine) for engine in sharing)
        available = self.host.memory.gib - self.host.memory.reserve_gib
        if planned > available:
            raise ValueError(
                f"{where}.lanes: {len(sharing)} engines hold {planned:.1f} GiB of {available:.1f} GiB that one "
                "accelerator can give; set one-engine, leave a lane out or lower kv-cache-memory-bytes"
            )


def load(path: Path) -> Profile:
    """Read and check one profile file; raises ConfigError with one line that names file, field and fix."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"profile {path}: can't be read ({error.strerror}); use one of {names()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"profile {path.name}: isn't TOML: {error}; correct the syntax there") from error
    return check(path.stem, document)


def check(name: str, document: Mapping[str, Any]) -> Profile:
    """Return the profile of that name which a TOML document describes; raises ConfigError as `load` does."""
    if "name" in document:
        raise ConfigError(f"profile {name}.toml: name: isn't a field here; remove it, the file's name is the profile's")
    try:
        return Profile.model_validate({"name": name, **document})
    except ValidationError as error:
        raise ConfigError(f"profile {name}.toml: {_first_problem(error)}") from error


def load_named(name: str) -> Profile:
    """Return a shipped profile by its name; raises ConfigError that lists those that exist."""
    if name not in names():
        raise ConfigError(f"profile: no {name!r}; use one of {names()}")
    return load(PROFILES / f"{name}.toml")


def names() -> list[str]:
    """List the shipped profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def _first_problem(error: ValidationError) -> str:
    problem, *others = error.errors()
    where = ".".join(str(part) for part in problem["loc"])
    more = f" (and {len(others)} more)" if others else ""
    return " ".join(f"{where}: {_fix(problem['type'], problem['msg'], problem.get('input'))}{more}".split())


def _fix(kind: str, message: str, given: Any) -> str:
    if kind == "extra_forbidden":
        return "isn't a field here; remove it or correct its spelling"
    if kind == "missing":
        return "is missing; add it"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}, not {given!r}; correct the value"
