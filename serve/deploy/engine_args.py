"""Turns one of a profile's engines into the arguments and the environment of vLLM.

Pure: it names files but never opens them, and starts nothing. Every flag is vLLM's own, from the profile or from here;
a value that the profile leaves unresolved is left to vLLM's default rather than guessed.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from serve.deploy import models
from serve.deploy.body import Engine, Flags, SpeculativeConfig, check_method_survives
from serve.deploy.profile import Profile
from serve.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine listens."""

    host: str
    port: int


def engine_args(profile: Profile, engine: str, address: Address, root: Path | None = None) -> list[str]:
    """Return the arguments after `vllm serve` for one engine of the served body.

    `root` is where the paths of local models start; without it they stay relative. Raises ConfigError for an unknown
    engine, and for a root under which vLLM would mistake a drafter's method.
    """
    body, chosen = profile.served, profile.served.engine(engine)
    args = [_model(body.model, body.revision, root)]
    args += _revision(body.revision)
    args += ["--served-model-name", body.served_model_name, "--host", address.host, "--port", str(address.port)]
    if profile.host.tensor_parallel_size > 1:
        args += ["--tensor-parallel-size", str(profile.host.tensor_parallel_size)]
    args += _flags(profile.engine_flags(body, chosen))
    args.append("--enable-per-request-metrics")
    drafters = {
        lane.name: _drafter(lane.speculative_config, root)
        for lane in chosen.lanes
        if lane.speculative_config is not None
    }
    if drafters:
        # vLLM refuses to start when an engine without a drafter is asked for per-request acceptance.
        args += ["--per-request-spec-decode-metrics", "detailed"]
    if len(chosen.lanes) > 1:
        args += ["--additional-config", _written(_lanes(chosen, drafters))]
    elif drafters:
        args += ["--speculative-config", _written(drafters[chosen.name])]
    return args


def engine_environment(profile: Profile) -> dict[str, str]:
    """Return the environment variables that every engine of the profile needs; its entry point refuses what floats."""
    floating = models.unpinned(profile.served)
    own = {"POLYDRAFT_UNPINNED": ", ".join(floating)} if floating else {}
    return {name: variable.value for name, variable in profile.env.items()} | own


def _model(model: str, revision: str, root: Path | None) -> str:
    return str(root / model) if root is not None and revision == "local" else model


def _revision(revision: str) -> list[str]:
    return [] if revision in ("unresolved", "local") else ["--revision", revision]


def _flags(flags: Flags) -> list[str]:
    args: list[str] = []
    for name, value in flags.items():
        if isinstance(value, bool):
            args.append(f"--{name}" if value else f"--no-{name}")
        else:
            args += [f"--{name}", *_words(value)]
    return args


def _words(value: JsonValue) -> list[str]:
    if isinstance(value, dict):
        return [json.dumps(value, ensure_ascii=False)]
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _lanes(engine: Engine, drafters: dict[str, dict[str, JsonValue]]) -> dict[str, JsonValue]:
    """What the plugin reads: the drafters, each under its lane's name, and the lanes."""
    lanes: dict[str, JsonValue] = {
        lane.name: {"drafter": lane.name} if lane.name in drafters else {} for lane in engine.lanes
    }
    return {"polydraft": {"drafters": dict(drafters), "lanes": lanes}}


def _written(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _drafter(config: SpeculativeConfig, root: Path | None) -> dict[str, JsonValue]:
    keys: dict[str, JsonValue] = config.model_dump(exclude_none=True, exclude={"revision"})
    model = _model(config.model, config.revision, root)
    keys["model"] = model
    try:
        check_method_survives(config.method, model)
    except ValueError as error:
        raise ConfigError(f"speculative-config.{error}") from error
    if config.revision not in ("unresolved", "local"):
        keys["revision"] = config.revision
    return keys
