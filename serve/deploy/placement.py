"""Places a profile's engines on the GPUs of its box: which processes there are, and what each of them spans.

Pure, and it starts nothing. Engines are listed in the order in which they start, one after another.
"""

from dataclasses import dataclass

from serve.deploy.body import Engine
from serve.deploy.profile import Profile


@dataclass(frozen=True, slots=True)
class Placed:
    """One engine process of a box. `gpus` are the indices of those that are its own, none where engines share them.

    `name` is the engine's, with the copy's number where there are several.
    """

    name: str
    engine: Engine
    copy: int
    gpus: tuple[int, ...]


def placed(profile: Profile) -> tuple[Placed, ...]:
    """Return the engine processes of one box."""
    engines, ranks = profile.served.engines, profile.host.tensor_parallel_size
    found: list[Placed] = []
    for copy in range(profile.copies):
        for engine in engines:
            first = len(found) * ranks
            gpus = tuple(range(first, first + ranks)) if profile.host.replicas else ()
            found.append(Placed(_name(engine, copy, profile.copies), engine, copy, gpus))
    return tuple(found)


def serving(profile: Profile, lane: str) -> tuple[Placed, ...]:
    """Return the processes of one box that serve a lane."""
    engine = profile.served.engine_of(lane)
    return tuple(each for each in placed(profile) if each.engine.name == engine.name)


def _name(engine: Engine, copy: int, copies: int) -> str:
    return engine.name if copies == 1 else f"{engine.name}-{copy + 1}"
