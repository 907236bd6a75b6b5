"""Reads a machine: files of the kernel's, and what a few commands print. The only part of plan and doctor that looks.

It must never change the machine, and never judge what it reads: `machine.py` and `doctor/` do, from this record alone,
so that a record of another machine is judged in the same way.
"""

import asyncio
import glob
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

MEMINFO = "/proc/meminfo"
LIMIT, CURRENT, STAT = (f"/sys/fs/cgroup/memory.{name}" for name in ("max", "current", "stat"))
"""A container's limit, what it holds and of what kind (control groups v2); only a container has them at this place."""
MEMORY = (MEMINFO, LIMIT, CURRENT, STAT)
CSV = "--format=csv,noheader,nounits"
CARDS = f"nvidia-smi --query-gpu=index,name,driver_version,compute_cap,memory.total,memory.free {CSV}"

_PATIENCE = 20
"""Seconds that a command may take; nvidia-smi without persistence mode takes 2 to 3 a card."""
_PROBE = 5
"""Seconds that an engine's health check may take."""
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
    """A machine as it was read; what nobody read isn't there.

    `files` are texts by path, `commands` what they printed by command line, `ports` why one of loopback's can't be had
    (empty if it can), `disks` the GiB that are free where a folder is or would be, `answers` HTTP's status by URL (0 if
    none came).
    """

    files: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, Printed] = field(default_factory=dict)
    ports: Mapping[int, str] = field(default_factory=dict)
    disks: Mapping[str, float] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)

    def printed(self, command: str) -> Printed:
        """Return what a command printed; one that nobody ran counts as not installed."""
        return self.commands.get(command, Printed(NOT_THERE, ""))


def take(paths: Iterable[str], commands: Iterable[str]) -> Reading:
    """Read files, which may be patterns such as `/sys/kernel/iommu_groups/*/type`, and run commands without a shell."""
    found = [Path(name) for path in paths for name in sorted(glob.glob(path))]
    files = {str(path): text for path in found if (text := _text(path)) is not None}
    return Reading(files, {command: _run(command) for command in commands})


def port_taken(port: int) -> str:
    """Say why a port of loopback can't be had; empty if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or "can't be bound"
    return ""


def free_disk(folder: str) -> float:
    """Return the GiB that are free where a folder is, or where it would be made."""
    place = Path(folder)
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free / 2**30


async def ask(urls: Sequence[str], token: str) -> dict[str, int]:
    """Return the status that each URL answers a HEAD with, the hub's token sent along if there is one; 0: no answer."""
    head = {"authorization": f"Bearer {token}"} if token else {}
    limits = aiohttp.ClientTimeout(total=_PATIENCE)
    async with aiohttp.ClientSession(timeout=limits, trust_env=True, headers=head) as client:
        return dict(zip(urls, await asyncio.gather(*(_status(client, url) for url in urls)), strict=True))


async def healthy(engines: Mapping[str, str]) -> list[str]:
    """Return the names of those engines (name -> base URL) that answer their health check, in the order given."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PROBE)) as client:
        statuses = await asyncio.gather(*(_status(client, f"{url}/health", "GET") for url in engines.values()))
    return [name for name, status in zip(engines, statuses, strict=True) if status == 200]


async def _status(client: aiohttp.ClientSession, url: str, method: str = "HEAD") -> int:
    try:
        async with client.request(method, url, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return 0


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
