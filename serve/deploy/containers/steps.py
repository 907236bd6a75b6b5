"""Decides what is to be done, given what a profile's containers are to be and what Docker has: a list of steps.

Pure, and the list is what `--dry-run` prints. What runs as it should is kept: loading an engine takes a quarter of an
hour. It must never start an engine beside one that is about to be replaced.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from serve.deploy.containers.definition import Definition
from serve.deploy.containers.stack import Image, Stack


@dataclass(frozen=True, slots=True)
class Seen:
    """A container as Docker has it. `image` is an id; `proof` is what the gate passed with, on the gate's own alone.

    `running` includes one that Docker is about to start again; `health` is Docker's word, empty without a check.
    """

    fingerprint: str
    image: str
    running: bool
    health: str = ""
    exit_code: int = 0
    drafters: bool = True
    proof: str = ""


@dataclass(frozen=True, slots=True)
class SeenImage:
    """An image as Docker has it."""

    id: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sight:
    """What Docker has of a profile: images and containers by name, volumes, and whether the network is there."""

    images: Mapping[str, SeenImage] = field(default_factory=dict)
    containers: Mapping[str, Seen] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    network: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user chose: where images are pulled from (empty: they are built), whether to build anew, the gate."""

    registry: str = ""
    build: bool = False
    gate: bool = True


class Do(StrEnum):
    """What a step does."""

    BUILD = "build"
    PULL = "pull"
    NETWORK = "make the network"
    VOLUME = "make the volume"
    REMOVE = "stop and remove"
    DOWNLOAD = "fetch the models, by"
    PLAN = "hold against the memory that is free then, the engines of"
    KEEP = "keep"
    START = "start, and wait until it is healthy:"
    GATE = "prove that every lane is lossless, by"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: to what (an image, a network, a volume or a container by name), and why if it isn't plain."""

    do: Do
    what: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.do.value} {self.what}" + (f" ({self.why})" if self.why else "")


def steps(wanted: Stack, sight: Sight, choice: Choice) -> list[Step]:
    """Return the steps from what is there to what is wanted, in their order."""
    stale = {image.name for image in wanted.images if choice.build or not as_pinned(image, sight)}
    engines = [(engine, why) for engine in wanted.engines if (why := _amiss(engine, sight, stale)) is not None]
    proven = not stale and not engines and _proven(wanted, sight)
    gated = wanted.gate is not None and choice.gate and not proven
    found = [*_images(wanted, stale, choice, sight), *_surroundings(wanted, sight)]
    found += _models(wanted, sight, stale, starts=bool(engines))
    found += [Step(Do.REMOVE, name, "no part of this any more") for name in _leftovers(wanted, sight)]
    router = _amiss(wanted.router, sight, stale)
    early = gated and bool(engines) and wanted.router.name in sight.containers
    if early:
        found.append(Step(Do.REMOVE, wanted.router.name, "nobody is served before the gate has passed"))
    found += [Step(Do.REMOVE, engine.name, why) for engine, why in engines if engine.name in sight.containers]
    anew = {engine.name for engine, _ in engines}
    found += [Step(Do.START if engine.name in anew else Do.KEEP, engine.name) for engine in wanted.engines]
    if wanted.gate is not None:
        found += _gate(wanted.gate, sight, gated=gated, proven=proven)
    if router and not early:
        found.append(Step(Do.REMOVE, wanted.router.name, router))
    found.append(Step(Do.KEEP if router is None and not early else Do.START, wanted.router.name))
    return found


def as_pinned(image: Image, sight: Sight) -> bool:
    """Tell whether an image is there and bears the labels of what the pins say now."""
    seen = sight.images.get(image.name)
    return seen is not None and image.labels.items() <= seen.labels.items()


def undrafted(wanted: Stack, sight: Sight) -> bool:
    """Tell whether it serves without drafters now; of an engine that has none to lose, the label says nothing."""
    router = sight.containers.get(wanted.router.name)
    if router is not None:
        return not router.drafters
    engines = [sight.containers[each.name] for each in wanted.engines if each.name in sight.containers]
    return any(not seen.drafters for seen in engines)


def proof(wanted: Stack, sight: Sight) -> str:
    """Return what stands for the engines that a gate tests: their configurations and their images."""
    parts = [(engine.fingerprint, sight.images[engine.image].id) for engine in wanted.engines]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def down(wanted: Stack, sight: Sight) -> list[Step]:
    """Return the steps that end it all: the router first, which drains, then the engines; volumes and images stay."""
    order = [*reversed(wanted.all)]
    named = [each.name for each in order if each.name in sight.containers]
    return [Step(Do.REMOVE, name) for name in (*named, *_leftovers(wanted, sight))]


def _amiss(definition: Definition, sight: Sight, stale: set[str]) -> str | None:
    """Say why a container can't be kept; None if it can, which one that is still loading can too."""
    seen = sight.containers.get(definition.name)
    if seen is None:
        return ""
    if other := _differs(definition, seen, sight, stale):
        return other
    if not seen.running:
        return f"it has stopped, exit code {seen.exit_code}"
    return "it is unhealthy" if seen.health == "unhealthy" else None


def _differs(definition: Definition, seen: Seen, sight: Sight, stale: set[str]) -> str:
    """Say in what a container was made otherwise than it would be now; empty if in nothing."""
    if definition.image in stale or seen.image != sight.images[definition.image].id:
        return "its image is another now"
    return "its configuration is another now" if seen.fingerprint != definition.fingerprint else ""


def _proven(wanted: Stack, sight: Sight) -> bool:
    seen = sight.containers.get(wanted.gate.name) if wanted.gate else None
    return seen is not None and not seen.running and seen.proof == proof(wanted, sight)


def _images(wanted: Stack, stale: set[str], choice: Choice, sight: Sight) -> Iterator[Step]:
    for image in wanted.images:
        if image.name in stale:
            there = "the one that is there isn't what the pins say" if image.name in sight.images else ""
            yield (
                Step(Do.PULL, image.name, f"from {choice.registry}")
                if choice.registry
                else Step(Do.BUILD, image.name, "asked for" if choice.build else there)
            )


def _surroundings(wanted: Stack, sight: Sight) -> Iterator[Step]:
    if not sight.network:
        yield Step(Do.NETWORK, wanted.owner.network)
    for volume in wanted.volumes:
        if wanted.owner.volume(volume) not in sight.volumes:
            yield Step(Do.VOLUME, wanted.owner.volume(volume))


def _models(wanted: Stack, sight: Sight, stale: set[str], *, starts: bool) -> Iterator[Step]:
    """Fetch the models before anything is replaced, and plan again, since memory changes while a download lasts.

    One that has ended well is kept, as the record that they are in the cache, which it keeps from being removed.
    """
    if wanted.download is None:
        return
    name, seen = wanted.download.name, sight.containers.get(wanted.download.name)
    other = _differs(wanted.download, seen, sight, stale) if seen else ""
    if seen and not other and not seen.running and not seen.exit_code:
        yield Step(Do.KEEP, name, "the models are in the cache")
        return
    under_way = seen is not None and seen.running and not other
    if seen and not under_way:
        yield Step(Do.REMOVE, name, other or f"it has failed, exit code {seen.exit_code}")
    yield Step(Do.DOWNLOAD, name, "it is under way" if under_way else "what is there already is kept")
    if starts:
        yield Step(Do.PLAN, wanted.owner.profile)


def _leftovers(wanted: Stack, sight: Sight) -> list[str]:
    return [name for name in sight.containers if name not in {each.name for each in wanted.all}]


def _gate(gate: Definition, sight: Sight, *, gated: bool, proven: bool) -> Iterator[Step]:
    if gated:
        if gate.name in sight.containers:
            yield Step(Do.REMOVE, gate.name, "it tells of other engines")
        yield Step(Do.GATE, gate.name)
    elif proven:
        yield Step(Do.KEEP, gate.name, "the gate has passed with these very engines")
