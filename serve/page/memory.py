"""How much of the machine's memory is used, whatever uses it: what Linux says. None where it says nothing."""

from pathlib import Path

from serve.page.sources import Memory

_MEMINFO = Path("/proc/meminfo")
_KIB_A_GIB = 2**20


def read(path: Path = _MEMINFO) -> Memory | None:
    """Read what the machine has and uses, in GiB."""
    try:
        lines = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines())
        total, available = (int(lines[name].split()[0]) / _KIB_A_GIB for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError):
        return None
    return Memory(round(total, 2), round(total - available, 2))
