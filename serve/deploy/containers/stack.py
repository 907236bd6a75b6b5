"""What a profile's containers are to be: the models' download, the engines in order, the gate's router, the router.

Pure: profile and Compose document in, definitions out. It holds no setting of a container: the document does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serve.deploy.body import Body
from serve.deploy.compose import compose_file
from serve.deploy.containers.definition import Definition, Owner, apart, define
from serve.deploy.images import Builds
from serve.deploy.profile import Profile
from serve.errors import ConfigError

_UNPUBLISHED = ("ports", "networks", "depends_on", "restart")
"""What the gate's router doesn't have: nobody but the gate asks it, and monitoring must not find it."""
_LABELS = {
    "BASE_IMAGE": "org.opencontainers.image.base.name",
    "POLYDRAFT_VERSION": "org.opencontainers.image.version",
    "PLUGIN_VERSION": "io.polydraft.plugin",
    "VLLM_VERSION": "io.polydraft.vllm",
    "PATCHES": "io.polydraft.patches",
}
"""Build arguments that an image bears as labels: by them one is told from what the pins say now."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is to be: its name, what it is built from, and the labels that say that it was."""

    name: str
    dockerfile: str
    arguments: Mapping[str, str]

    @property
    def labels(self) -> dict[str, str]:
        """The labels of an image that is built from these arguments."""
        return {_LABELS[name]: value for name, value in self.arguments.items() if name in _LABELS}


@dataclass(frozen=True, slots=True)
class Stack:
    """A profile's containers, with the images and the volumes that they need.

    `download` fetches the models into the cache and ends, None where they are in the image; `gate` is None where one
    engine serves one lane.

    `drafting` names the engines' containers that would be others without drafters, `dtype` what engines compute in;
    `copies` says that the engines are copies of each other, of which any can serve.
    """

    owner: Owner
    images: tuple[Image, ...]
    volumes: tuple[str, ...]
    download: Definition | None
    engines: tuple[Definition, ...]
    gate: Definition | None
    router: Definition
    drafting: frozenset[str]
    dtype: str
    copies: bool

    @property
    def all(self) -> tuple[Definition, ...]:
        """Every container, in the order of their starts."""
        whole = (self.download, *self.engines, self.gate, self.router)
        return tuple(each for each in whole if each is not None)


def stack(profile: Profile, each: Builds, owner: Owner, given: Mapping[str, str]) -> Stack:
    """Return what a profile's Compose document says is to run; `given` are the shell's variables for it.

    Where the owner has no drafters, what the document says without them; engines that never had any are the same ones.
    Raises ConfigError for what Docker's API can't be told.
    """
    full = compose_file(profile, each)
    before, after = _here(profile, full), _here(profile, compose_file(without_drafters(profile), each))
    drafting = {name for name in before if before[name].get("command") != after.get(name, {}).get("command")}
    served = profile if owner.drafters else without_drafters(profile)
    services: dict[str, Any] = before if owner.drafters else after
    fetching = f"{profile.name}-download"
    beside = (profile.name, f"{profile.name}-plan", fetching)
    engines = [name for name in _in_order(services) if name not in beside]
    # Only its cap knows of the others, and it keeps to the narrower one.
    services |= {name: before[name] for name in engines if name in before and name not in drafting}
    router = services[profile.name]
    gated = {key: value for key, value in router.items() if key not in _UNPUBLISHED} | {"restart": "no"}
    defined = tuple(define(owner, name, services[name], given) for name in engines)
    provable = len(served.served.lanes) > 1 or profile.copies > 1
    return Stack(
        owner=owner,
        images=_images([services[name] for name in (*engines, profile.name)]),
        volumes=tuple(full.get("volumes", {})),
        download=define(owner, fetching, services[fetching], given) if fetching in services else None,
        engines=defined,
        gate=apart(define(owner, f"{profile.name}-gate", gated, given)) if provable else None,
        router=define(owner, profile.name, router, given),
        drafting=frozenset(each.name for each in defined if owner.drafters and each.service in drafting),
        dtype=_dtype(served),
        copies=profile.copies > 1,
    )


def _here(profile: Profile, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the services of this box; a further one has a Compose profile of its own."""
    return {name: service for name, service in document["services"].items() if profile.name in service["profiles"]}


def _dtype(profile: Profile) -> str:
    """Return what the engines compute in; vLLM's `auto` is bfloat16 for every body that the profiles have."""
    body = profile.served
    stated = profile.engine_flags(body, body.engines[0]).get("dtype", "auto")
    return "bfloat16" if stated == "auto" else str(stated)


def without_drafters(profile: Profile) -> Profile:
    """Return the profile with the body's own lane alone: no engine loads a drafter, the router knows no other lane."""
    body = profile.served
    (plain,) = (lane for lane in body.lanes if lane.speculative_config is None)
    cells = tuple(
        cell.model_copy(update={"lanes": tuple(each for each in cell.lanes if each.lane == plain.name)})
        for cell in body.cells
    )
    served: Body = body.model_copy(update={"lanes": (plain,), "cells": cells})
    return profile.model_copy(update={"bodies": profile.bodies | {profile.body: served}})


def _in_order(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the services so that each stands after those that it depends on."""
    placed: list[str] = []
    while left := [name for name in services if name not in placed]:
        free = [name for name in left if set(services[name].get("depends_on", ())) <= set(placed)]
        if not free:
            raise ConfigError(f"services {', '.join(left)} wait for each other; render them from a sound profile")
        placed.append(free[0])
    return placed


def _images(services: Sequence[Mapping[str, Any]]) -> tuple[Image, ...]:
    found = {each["image"]: each["build"] for each in services}
    return tuple(Image(name, build["dockerfile"], build["args"]) for name, build in found.items())
