"""Engines and a router as processes of a test's own, for stacks that `polydraft up` doesn't start."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from tests.stack.running import ROOT


def spawn(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that ends with this one, in a session of its own."""
    with log.open("wb") as output:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def all_ready(url: str, children: Sequence[subprocess.Popen[bytes]]) -> bool:
    assert all(child.poll() is None for child in children), "an engine or the router ended; its log says why"
    try:
        lanes = httpx2.get(url, timeout=5).json()["lanes"]
    except (httpx2.HTTPError, ValueError):
        return False
    return all(lanes.values())


def stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
