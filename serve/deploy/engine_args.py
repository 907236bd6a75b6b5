"""Turns a profile's lane into the arguments and the environment of one vLLM engine.

Pure: it names files but never opens them, and starts nothing. Every flag is vLLM's own, from the profile or from here;
a value that the profile leaves unresolved is left to vLLM's default rather than guessed.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from serve.deploy.body import Flags, SpeculativeConfig, check_method_survives
from serve.deploy.profile import Profile
from serve.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine listens."""

    host: str
    port: int


def engine_args(profile: Profile, lane: str, address: Address, root: Path | None = None) -> list[str]:
    """Return the arguments after `vllm serve` for one lane of the served body.

    `root` is where the paths of local models start; without it they stay relative. Raises ConfigError for an unknown
    lane, and for a root under which vLLM would mistake the drafter's method.
    """
    body, chosen = profile.served, profile.served.lane(lane)
    args = [_model(body.model, body.revision, root)]
    args += _revision(body.revision)
    args += ["--served-model-name", body.served_model_name, "--host", address.host, "--port", str(address.port)]
    if profile.host.tensor_parallel_size > 1:
        args += ["--tensor-parallel-size", str(profile.host.tensor_parallel_size)]
    args += _flags(profile.engine_flags(body, chosen))
    args.append("--enable-per-request-metrics")
    if chosen.speculative_config is not None:
        # vLLM refuses to start when an engine without a drafter is asked for per-request acceptance.
        args += ["--per-request-spec-decode-metrics", "detailed"]
        args += ["--speculative-config", _speculative_config(chosen.speculative_config, root)]
    return args


def engine_environment(profile: Profile) -> dict[str, str]:
    """Return the environment variables that every engine of the profile needs."""
    return {name: variable.value for name, variable in profile.env.items()}


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


def _speculative_config(config: SpeculativeConfig, root: Path | None) -> str:
    keys = config.model_dump(exclude_none=True, exclude={"revision"})
    keys["model"] = _model(config.model, config.revision, root)
    try:
        check_method_survives(config.method, keys["model"])
    except ValueError as error:
        raise ConfigError(f"speculative-config.{error}") from error
    if config.revision not in ("unresolved", "local"):
        keys["revision"] = config.revision
    return json.dumps(keys, ensure_ascii=False)
