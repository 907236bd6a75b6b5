"""Reads a machine: files of the kernel's, and what a few commands print. The only part of plan and doctor that looks.

It must never change the machine, and never judge what it reads: `machine.py` and `doctor/` do, from this record alone,
so that a record of another machine is judged in the same way.
"""

import glob
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MEMINFO = "/proc/meminfo"
CSV = "--format=csv,noheader,nounits"
CARDS = f"nvidia-smi --query-gpu=index,name,driver_version,compute_cap,memory.total,memory.free {CSV}"

_PATIENCE = 20
"""Seconds that a command may take; nvidia-smi without persistence mode takes 2 to 3 a card."""
NOT_THERE = 127
"""The exit code of a command that isn't installed, as a shell gives it."""
TOO_SLOW = 124
"""The exit code of a command that took too long, as `timeout` gives it."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command printed, standard error after standard output, and its exit code."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A machine as it was read: files by path, commands by command line; what couldn't be read isn't there."""

    files: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, Printed] = field(default_factory=dict)

    def printed(self, command: str) -> Printed:
        """Return what a command printed; one that nobody ran counts as not installed."""
        return self.commands.get(command, Printed(NOT_THERE, ""))


def take(paths: Iterable[str], commands: Iterable[str]) -> Reading:
    """Read files, which may be patterns such as `/sys/kernel/iommu_groups/*/type`, and run commands without a shell."""
    found = [Path(name) for path in paths for name in sorted(glob.glob(path))]
    files = {str(path): text for path in found if (text := _text(path)) is not None}
    return Reading(files, {command: _run(command) for command in commands})


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _run(command: str) -> Printed:
    try:
        ended = subprocess.run(  # noqa: S603  fixed command lines of ours
            shlex.split(command), capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
    except OSError as error:
        return Printed(NOT_THERE, error.strerror or "")
    except subprocess.TimeoutExpired:
        return Printed(TOO_SLOW, f"no answer within {_PATIENCE} s")
    return Printed(ended.returncode, ended.stdout + ended.stderr)
