"""Puts the checks together: what a profile needs looked at, and the findings in the order in which to mend them."""

from collections.abc import Callable

from serve.deploy import profile as profiles
from serve.deploy.doctor import cards, host, links
from serve.deploy.doctor.finding import Finding
from serve.deploy.machine import cards as seen_cards
from serve.deploy.memory import fitting_cards
from serve.deploy.profile import Profile
from serve.deploy.reading import CARDS, MEMORY, NOT_THERE, Reading
from serve.errors import ConfigError

FILES = (*MEMORY, host.SWAPS, host.KERNEL)

Check = Callable[[Profile, Reading], Finding]
_GPU: tuple[Check, ...] = (cards.present, cards.driver, cards.capability, cards.temperature, cards.clock)
_SEVERAL: tuple[Check, ...] = (links.iommu, links.acs, links.all_reduce)
_CONTAINER: tuple[Check, ...] = (host.docker, host.toolkit)


def checks(profile: Profile) -> tuple[Check, ...]:
    """Return the checks that a profile's box needs; a profile without a GPU runs without Docker."""
    gpu = profile.host.gpu is not None
    memory: tuple[Check, ...] = (host.fits, host.others, host.swap)
    rest: tuple[Check, ...] = (host.kernel, host.disk, host.hub, host.port)
    return (
        *(_GPU if gpu else ()),
        *memory,
        *((host.page_cache,) if profile.host.unified_memory else ()),
        *rest,
        *(_CONTAINER if gpu else ()),
        *(_SEVERAL if profile.host.tensor_parallel_size > 1 else ()),
    )


def files(profile: Profile) -> list[str]:
    """Return the files that its checks read."""
    return [*FILES, links.GROUPS] if profile.host.tensor_parallel_size > 1 else list(FILES)


def commands(profile: Profile) -> list[str]:
    """Return the commands whose output its checks read; all of them only look."""
    if profile.host.gpu is None:
        return [host.PROCESSES]
    needed = [CARDS, cards.HEALTH, cards.TENANTS, host.PROCESSES]
    needed += [host.DOCKER, host.COMPOSE, host.VOLUMES, host.TOOLKIT]
    return [*needed, links.BRIDGES] if profile.host.tensor_parallel_size > 1 else needed


def judge(profile: Profile, reading: Reading) -> list[Finding]:
    """Return every check's finding."""
    return [check(profile, reading) for check in checks(profile)]


def fitting(reading: Reading) -> str:
    """Return the profile of the machine that was read, `cpu` without nvidia-smi.

    That is the one that uses most of its GPUs, and of those the one with the fewest engines.

    Raises ConfigError for a machine whose GPUs no profile is for, or can't be read.
    """
    seen = seen_cards(reading)
    if not seen and reading.printed(CARDS).code == NOT_THERE:
        return "cpu"
    loaded = [profiles.load_named(name) for name in profiles.names()]
    right = [each for each in loaded if each.host.gpu and fitting_cards(each, seen)]
    if not right:
        found = ", ".join(card.name for card in seen) or "GPUs that nvidia-smi can't read"
        raise ConfigError(f"no profile is for {found}; name the one to check against: {profiles.names()}")
    return min(right, key=lambda each: (-each.host.gpus, len(each.served.engines), each.name)).name
