"""Checks of the GPUs: there, of the right kind, with the right driver, cool, and neither stuck nor wedged. Pure."""

import re
from dataclasses import dataclass

from serve.deploy.box import Known
from serve.deploy.doctor.finding import Finding, fail, ok, unknown, warn
from serve.deploy.machine import cards, table
from serve.deploy.memory import fitting_cards
from serve.deploy.profile import Profile
from serve.deploy.reading import CARDS, CSV, NOT_THERE, TOO_SLOW, Reading

HEALTH = (
    "nvidia-smi --query-gpu=index,temperature.gpu,clocks.sm,clocks.max.sm,power.draw,utilization.gpu,"
    f"clocks_event_reasons.active {CSV}"
)
TENANTS = f"nvidia-smi --query-compute-apps=pid,process_name,used_memory {CSV}"

_WARM = 85
"""Degrees; an idle card is at 30 to 60, a Spark shuts down hard at 104.8."""
_BUSY = 90
"""Per cent of utilisation from which on power and clock say something; the counter means "a kernel is resident"."""
_DEFECT, _HEALTHY = 5.0, 30.0
"""Watts of a busy GB10: below the first its power delivery is defective, healthy ones draw 35 and more; 16 to 27 at
95 % is a kernel that waits for ever, or the low-power state that only pulling the plug ends."""
_OTHER_BOX = "choose the profile of this box"
_THERMAL = {0x20: "software thermal slowdown", 0x40: "hardware thermal slowdown", 0x80: "power brake"}
"""Bits of clocks_event_reasons.active (nvml.h, nvmlClocksEventReason*)."""


@dataclass(frozen=True, slots=True)
class Health:
    """One card's state: degrees, MHz, watts (None if not reported), per cent, reasons for a lower clock."""

    index: int
    celsius: int
    clock: int
    top_clock: int
    watts: float | None
    busy: int
    slowed: tuple[str, ...]


def present(profile: Profile, reading: Reading) -> Finding:
    """Check that nvidia-smi works and sees the profile's cards."""
    wanted, printed, seen = profile.host.gpu, reading.printed(CARDS), cards(reading)
    if wanted is None:
        return ok("gpus", "none is needed")
    if printed.code == NOT_THERE:
        return fail("gpus", "nvidia-smi isn't installed", "install NVIDIA's driver")
    if printed.code:
        first = next((line.strip() for line in printed.text.splitlines() if line.strip()), "it says nothing")
        restart = printed.code == TOO_SLOW or "mismatch" in first
        mended = "restart the machine" if restart else "install NVIDIA's driver again and restart"
        return fail("gpus", f"nvidia-smi: {first}", mended)
    fitting = fitting_cards(profile, seen)
    if not fitting:
        found = ", ".join(card.name for card in seen) or "no GPU"
        return fail("gpus", f"{found}; {profile.host.gpus}x {wanted.name} needed, before any other", _OTHER_BOX)
    return ok("gpus", f"{len(fitting)}x {fitting[0].name}")


def driver(profile: Profile, reading: Reading) -> Finding:
    """Check the driver against the oldest that works and those known to be bad."""
    seen = cards(reading)
    if not seen or profile.host.gpu is None:
        return unknown("driver", "its version can't be read", "see gpus")
    version = seen[0].driver
    oldest = profile.host.gpu.driver
    if _numbers(version) < _numbers(oldest.version):
        return fail("driver", f"{version}; {oldest.why}", f"install {oldest.version} or newer")
    for bad in _known(version, profile.host.gpu.bad_drivers):
        return fail("driver", f"{version}: {bad.why}", f"install another version than {bad.version}")
    return ok("driver", version)


def capability(profile: Profile, reading: Reading) -> Finding:
    """Check the compute capability, for which the engine's kernels are chosen."""
    seen = cards(reading)[: profile.host.gpus]
    if not seen or profile.host.gpu is None:
        return unknown("compute capability", "can't be read", "see gpus")
    wanted, found = profile.host.gpu.compute_capability, sorted({card.compute_capability for card in seen})
    if found != [wanted]:
        return fail("compute capability", f"{', '.join(found)}; {wanted} needed", _OTHER_BOX)
    return ok("compute capability", wanted)


def temperature(profile: Profile, reading: Reading) -> Finding:
    """Check that no card is hot, or slowed because it was."""
    states = health(reading)
    if not states:
        return unknown("temperature", "can't be read", "see gpus")
    hottest = max(states, key=lambda state: state.celsius)
    slowed = sorted({reason for state in states for reason in state.slowed})
    if slowed:
        # What a Spark is capped at; elsewhere the card's own power limit does it. Both are lost at the next start.
        cap = "its clock: sudo nvidia-smi -lgc 200,2150" if profile.host.unified_memory else "its power: nvidia-smi -pl"
        fix = f"let it cool, free its air, or cap {cap}"
        return fail("temperature", f"{hottest.celsius} degrees, {', '.join(slowed)}", fix)
    if hottest.celsius >= _WARM:
        return warn("temperature", f"GPU {hottest.index} has {hottest.celsius} degrees", "let it cool, free its air")
    return ok("temperature", f"{hottest.celsius} degrees at most")


def clock(profile: Profile, reading: Reading) -> Finding:
    """Check that cards that are busy run as busy cards do: a stuck one reports full utilisation at an idle's power."""
    states = health(reading)
    if not states:
        return unknown("clock and power", "can't be read", "see gpus")
    for state in (state for state in states if state.busy >= _BUSY):
        shown = f"GPU {state.index}: {state.busy} % busy at {state.clock} of {state.top_clock} MHz"
        watts = "" if state.watts is None else f" and {state.watts:.0f} W"
        if profile.host.unified_memory and state.watts is not None and state.watts < _HEALTHY:
            if state.watts < _DEFECT:
                return fail("clock and power", shown + watts, "its power delivery is defective: have it replaced")
            return warn("clock and power", shown + watts, "it hangs or is stuck: stop the engine; else pull the plug")
        if not (profile.host.unified_memory or reading.printed(TENANTS).code or tenants(reading)):
            wedged = "a collective hung there and its process is gone: restart the machine"
            return fail("clock and power", f"{shown}{watts}, with no process on it", wedged)
    clocks = sorted({state.top_clock for state in states})
    return ok("clock and power", f"up to {', '.join(map(str, clocks))} MHz")


def health(reading: Reading) -> list[Health]:
    """Return every card's state, in nvidia-smi's order."""
    rows = table(reading, HEALTH, 7)
    return [
        Health(int(row[0]), _int(row[1]), _int(row[2]), _int(row[3]), _watts(row[4]), _int(row[5]), _slowed(row[6]))
        for row in rows
    ]


def tenants(reading: Reading) -> list[tuple[str, float]]:
    """Return the processes that use a GPU, by name, and the GiB that each has there, largest first."""
    printed = reading.printed(TENANTS)
    rows = [line.split(",") for line in printed.text.splitlines()] if not printed.code else []
    found = [
        (_program(",".join(row[1:-1])), int(row[-1]) / 2**10 if row[-1].strip().isdigit() else 0.0)
        for row in rows
        if len(row) >= 3 and row[0].strip().isdigit()
    ]
    return sorted(found, key=lambda each: -each[1])


def _program(name: str) -> str:
    """A program's own name: neither its folder, which may name a user, nor its arguments, which may hold a key."""
    words = name.split()
    return words[0].rsplit("/", 1)[-1] if words else "?"


def known_kernel(profile: Profile, release: str) -> tuple[Known, ...]:
    """Return what is known to be bad of a kernel's release on this kind of box."""
    return _known(release, profile.host.gpu.bad_kernels if profile.host.gpu else ())


def _known(version: str, listed: tuple[Known, ...]) -> tuple[Known, ...]:
    """Those whose version begins as this one does, number by number: 590 is 590.48.01, and isn't 5901."""
    numbers = _numbers(version)
    return tuple(each for each in listed if numbers[: len(_numbers(each.version))] == _numbers(each.version))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _int(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _watts(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None


def _slowed(mask: str) -> tuple[str, ...]:
    bits = int(mask, 16) if re.fullmatch(r"0x[0-9a-fA-F]+", mask) else 0
    return tuple(reason for bit, reason in _THERMAL.items() if bits & bit)
