"""Says what a reading means: memory and cards of a machine, in GiB. Pure, and it judges nothing."""

import re
from dataclasses import dataclass

from serve.deploy.reading import CARDS, CURRENT, LIMIT, MEMINFO, STAT, Reading

_KIB = 2**20
"""KiB in a GiB."""
_MIB = 2**10
"""MiB in a GiB."""


@dataclass(frozen=True, slots=True)
class Ram:
    """The kernel's view of memory in GiB; `available` counts what it would give back, `free` doesn't.

    `limited` says that a container's limit leaves less than the machine has.
    """

    total: float
    available: float
    free: float
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One NVIDIA GPU; memory in GiB, None where it shares the operating system's and nvidia-smi knows none."""

    index: int
    name: str
    driver: str
    compute_capability: str
    total: float | None
    free: float | None


def ram(reading: Reading) -> Ram | None:
    """Return the whole machine's memory, None if it couldn't be read. A container's own limit doesn't count here."""
    lines = re.findall(r"^(\w+): +(\d+) kB$", reading.files.get(MEMINFO, ""), re.MULTILINE)
    stated = {key: int(kib) / _KIB for key, kib in lines}
    try:
        return Ram(stated["MemTotal"], stated["MemAvailable"], stated["MemFree"])
    except KeyError:
        return None


def within_limit(whole: Ram, reading: Reading) -> Ram:
    """Return what this process's own container leaves of the machine's memory, all of it where nothing limits it."""
    limit, current = (reading.files.get(path, "").strip() for path in (LIMIT, CURRENT))
    if not (limit.isdigit() and current.isdigit()):
        return whole
    cached = re.search(r"^inactive_file (\d+)$", reading.files.get(STAT, ""), re.MULTILINE)
    left = (int(limit) - int(current) + (int(cached[1]) if cached else 0)) / 2**30
    if left >= whole.available:
        return whole
    return Ram(min(whole.total, int(limit) / 2**30), left, min(whole.free, left), limited=True)


def cards(reading: Reading) -> tuple[Card, ...]:
    """Return the NVIDIA GPUs in nvidia-smi's order; none where it isn't installed or fails."""
    return tuple(
        Card(int(row[0]), row[1], row[2], row[3], _gib(row[4]), _gib(row[5])) for row in table(reading, CARDS, 6)
    )


def table(reading: Reading, command: str, columns: int) -> list[list[str]]:
    """Return the rows that an nvidia-smi query printed, one a GPU, each beginning with a number; none if it failed."""
    printed = reading.printed(command)
    rows = [[cell.strip() for cell in line.split(",")] for line in printed.text.splitlines()]
    return [row for row in rows if not printed.code and len(row) == columns and row[0].isdigit()]


def _gib(mib: str) -> float | None:
    """nvidia-smi writes `[N/A]` for unified memory, and older drivers `[Not Supported]`."""
    return int(mib) / _MIB if mib.isdigit() else None
