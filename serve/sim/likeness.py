"""Says by which box's figures an engine of a profile may be simulated: its own, or those of the box that each copy is.

Pure: profiles in, a profile's name out. It must never take figures for what they weren't taken of: an engine that
shares its GPU with another, or spans several, is no copy of one that had a GPU alone.
"""

from collections.abc import Sequence

from serve.deploy.profile import Profile
from serve.errors import ConfigError


def source(profile: Profile, known: Sequence[Profile]) -> str:
    """Return the name of the profile whose figures hold for each engine of this one; `known` are those with figures.

    Raises ConfigError, in a line that says which figures are missing and where they would go.
    """
    if profile.name in {each.name for each in known}:
        return profile.name
    copied = next((each.name for each in known if _copied(profile, each)), None)
    if copied is None:
        raise ConfigError(
            f"{profile.name} can't be simulated: of {profile.host.hardware.partition(',')[0]} {_missing(profile)} "
            f"aren't published; they would go to {_file(_single(profile))}; use one of {[each.name for each in known]}"
        )
    if not profile.host.replicas and len(profile.served.engines) > 1:
        raise ConfigError(
            f"{profile.name} can't be simulated: its engines share a GPU, and how much they slow each other down there "
            f"nobody has published; it would be the [load] of {_file(profile.name)}; use {copied}"
        )
    return copied


def _copied(profile: Profile, box: Profile) -> bool:
    """Tell whether an engine of the profile is what the box has: the same body, on as many of the same GPUs."""
    if profile.host.gpu is None or box.host.gpu is None or profile.body not in box.bodies:
        return False
    same = (profile.host.gpu.name, profile.host.tensor_parallel_size) == (box.host.gpu.name, box.host.gpus)
    return same and box.bodies[profile.body].model == profile.served.model


def _missing(profile: Profile) -> str:
    """Name the tables that a file of figures must have for the served body."""
    lanes = ", ".join(lane.name for lane in profile.served.lanes)
    drafting = ", ".join(lane.name for lane in profile.served.lanes if lane.method)
    where = f"[[bodies.{profile.body}"
    accepted = f" and {where}.acceptance]] of {drafting}" if drafting else ""
    return f"[load], [prefill], [answers], {where}.steps]] of {lanes}{accepted}"


def _single(profile: Profile) -> str:
    """Name the box that one copy is: the profile's name without how many there are of it."""
    alone = profile.host.replicas and profile.host.tensor_parallel_size == 1
    return profile.name.partition("-x")[0] if alone else profile.name


def _file(name: str) -> str:
    return f"serve/sim/figures/{name}.toml"
