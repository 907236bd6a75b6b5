"""Stopping: Ctrl-C and worse leave no process behind, and what can't start says why in one line."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.serve.double import until
from tests.stack.running import ROOT, VLLM, free_port, free_ports, start

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_process_survives(tmp_path: Path, number: signal.Signals) -> None:
    """While engines load, which is when they are hardest to stop; SIGKILL gives `up` no chance to tidy up."""
    if not VLLM.exists():
        pytest.skip(f"no vLLM at {VLLM}: run `make setup`")
    log = tmp_path / "up.log"
    process = start(free_port(), free_ports(3), log)
    until(lambda: len(descendants(process.pid)) >= 4, 60)
    time.sleep(3)
    family = descendants(process.pid)
    process.send_signal(number)
    code = process.wait(60)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 128 + number), log.read_text()
    until(lambda: not [pid for pid in family if alive(pid)], 30)


def descendants(pid: int) -> list[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, frontier = [], {pid}
    while frontier := {child for child, parent in parents.items() if parent in frontier}:
        found += sorted(frontier)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def refusal(*arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", "serve", *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} is taken" in refusal("up", "cpu", "--port", port)


def test_an_unknown_profile_lists_those_that_exist() -> None:
    assert "cpu" in refusal("up", "gb11")


def test_a_missing_vllm_says_how_to_get_one() -> None:
    assert "make setup" in refusal("up", "cpu", "--vllm", "/nowhere/vllm")


def test_a_router_without_settings_says_which_one_is_missing() -> None:
    assert "POLYDRAFT_MODEL is not set" in refusal("serve")


def test_a_misspelt_setting_stops_the_start() -> None:
    said = refusal("serve", POLYDRAFT_MODEL="demo", POLYDRAFT_LANE="[]")
    assert "POLYDRAFT_LANE isn't a setting; did you mean POLYDRAFT_LANES?" in said


def test_what_only_processes_or_only_containers_have_is_refused_for_the_others() -> None:
    assert "--detach, --build: cpu runs without containers" in refusal("up", "cpu", "--detach", "--build")
    assert "--host: gb10 runs in containers" in refusal("up", "gb10", "--host", "0.0.0.0")
    assert "cpu has no containers" in refusal("down", "cpu")


@pytest.mark.parametrize(
    "ports",
    [("--port", "8102"), ("--engine-port", "65535")],
    ids=["router on an engine's port", "beyond the last port"],
)
def test_ports_that_cannot_be_are_refused(ports: tuple[str, str]) -> None:
    assert "must differ and be at most 65535" in refusal("up", "cpu", *ports)


def test_an_address_that_cannot_be_had_is_named() -> None:
    lanes = '[{"name": "body", "upstream": "http://127.0.0.1:1"}]'
    said = refusal("serve", POLYDRAFT_MODEL="demo", POLYDRAFT_LANES=lanes, POLYDRAFT_HOST="nowhere.invalid")
    assert "POLYDRAFT_HOST or POLYDRAFT_PORT" in said


def test_a_bench_of_something_else_says_what_to_write() -> None:
    assert "http://127.0.0.1:8000" in refusal("bench", "127.0.0.1:8000")
