"""The engines' entry point: what breaks can be told from what was told to end."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ENTRY = Path(__file__).resolve().parents[2] / "images/engine/entry.py"
SERVES = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))
print("up", flush=True)
time.sleep(30)
"""


def entry(program: str) -> subprocess.Popen[str]:
    command: list[str | Path] = [sys.executable, ENTRY, sys.executable, "-c", program]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 1),
        ("raise SystemExit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
    ids=["in order", "with a code", "killed"],
)
def test_what_ends_by_itself_has_failed(program: str, code: int) -> None:
    with entry(program) as process:
        assert process.wait(30) == code


@pytest.mark.parametrize("code", [0, 7])
def test_what_is_told_to_end_gives_its_own_code(code: int) -> None:
    with entry(SERVES.format(code=code)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == code


def test_one_that_is_told_before_it_has_begun_ends_all_the_same() -> None:
    """Whenever the signal comes: it is passed on, and 30 seconds don't pass."""
    started = time.monotonic()
    for delay in (0.02, 0.05, 0.1, 0.2):
        with entry("import time; time.sleep(30)") as process:
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (143, -signal.SIGTERM)
    assert time.monotonic() - started < 30
