"""What one engine may take of the system's memory: free before it starts, asked for, and at most.

Pure: profile in, numbers out. Where the GPU shares the system's memory they follow from the plan; elsewhere the profile
states them or there are none. It must never start anything, or say that a whole profile fits: that is memory.py's.
"""

import math

from serve.deploy import memory
from serve.deploy.body import Engine
from serve.deploy.profile import Profile

_MARGIN = 1 / 8
"""What an engine may hold beyond its planned peak, as a share of that: an allowance, nobody has measured it."""


def start_gib(profile: Profile, engine: str) -> float | None:
    """Return the GiB that must be available before an engine starts: its own, the start's on top, and the reserve.

    None where the GPU has memory of its own: vLLM asks the card itself there, and nothing hangs.
    """
    if not profile.host.unified_memory or profile.host.memory is None:
        return None
    return _peak(profile, profile.served.engine(engine)) + profile.host.memory.reserve_gib


def start_environment(profile: Profile, engine: str) -> dict[str, str]:
    """Return what tells an engine's entry point to look at the memory first (images/engine/entry.py)."""
    needed = start_gib(profile, engine)
    return {} if needed is None else {"POLYDRAFT_START_GIB": f"{needed:.1f}"}


def request_gib(profile: Profile, engine: str) -> int | None:
    """Return the GiB that a scheduler is to keep for an engine. The first one's are those of a start as well.

    Engines of a box start one after another, so there is one start's peak at a time.
    """
    host, wanted = profile.host, profile.served.engine(engine)
    if not host.unified_memory or host.memory is None:
        return host.engine_memory.request_gib if host.engine_memory else None
    first = wanted == profile.served.engines[0]
    return math.ceil(_peak(profile, wanted) if first else profile.engine_gib(profile.served, wanted))


def cap_gib(profile: Profile, engine: str) -> int | None:
    """Return the GiB beyond which an engine may not grow: its planned peak and a margin, or less if others need it.

    Kernel and container runtime see unified memory in no other way; the driver decides whether its allocations count
    against the cap.
    """
    host = profile.host
    if not host.unified_memory or host.memory is None:
        return host.engine_memory.limit_gib if host.engine_memory else None
    sharing = profile.sharing(profile.served)
    others = sum(profile.engine_gib(profile.served, each) for each in sharing if each.name != engine)
    left = host.memory.gib - host.memory.reserve_gib - others
    return math.floor(min(left, _peak(profile, profile.served.engine(engine)) * (1 + _MARGIN)))


def _peak(profile: Profile, engine: Engine) -> float:
    return profile.engine_gib(profile.served, engine) + memory.plan(profile, memory.idle(profile)).start
