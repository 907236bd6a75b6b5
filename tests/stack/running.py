"""The whole product on real engines: `polydraft up cpu`, started once for all tests."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import openai
import pytest

from serve.deploy import profile as profiles

ROOT = Path(__file__).resolve().parents[2]
VLLM = ROOT / ".venv-engine/bin/vllm"
START_LIMIT = 600  # seconds; a busy machine with two cores takes 80 to 180


@dataclass(frozen=True)
class Stack:
    """A running stack: the router's URL, each lane's engine, and the process that holds them all."""

    url: str
    said: Path
    router_log: Path
    engines: dict[str, str]
    process: subprocess.Popen[str]
    client: httpx2.Client

    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=120)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int) -> int:
    """Find `count` free ports in a row, for engines; gives the first."""
    for first in range(free_port(), 65536 - count):
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise OSError(f"no {count} free ports in a row")


def start(port: int, engine_port: int, log: Path) -> subprocess.Popen[str]:
    """Start the stack as a person would, in a process group of its own so that signals reach it as from a terminal."""
    command = [sys.executable, "-m", "serve", "up", "cpu", "--port", str(port), "--engine-port", str(engine_port)]
    with log.open("w") as output:
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, text=True, start_new_session=True)


def wait_until_ready(process: subprocess.Popen[str], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while "every lane is ready" not in (said := log.read_text()):
        assert process.poll() is None, f"the stack ended:\n{said}"
        assert time.monotonic() < deadline, f"the stack isn't ready after {START_LIMIT} s:\n{said}"
        time.sleep(0.5)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not VLLM.exists():
        pytest.skip(f"no vLLM at {VLLM}: run `make setup`")
    port, engine_port, log = free_port(), free_ports(3), tmp_path_factory.mktemp("stack") / "up.log"
    process = start(port, engine_port, log)
    try:
        wait_until_ready(process, log)
        url = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=url, timeout=120) as client:
            yield Stack(
                url,
                log,
                ROOT / f".cache/logs/cpu-{port}/router.log",
                profiles.load_named("cpu").upstreams(engine_port),
                process,
                client,
            )
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()
