"""The relays that are compared: how each is started, each on one core, as shipped but for quiet logs and one worker."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PEERS = ROOT / ".cache" / "relay-peers" / "bin"
"""Where `make bench-relay` installs what comes from PyPI."""

LITELLM = ROOT / ".cache" / "relay-litellm" / "bin" / "litellm"
"""LiteLLM's proxy, which wants versions of its own: `pip install 'litellm[proxy]'` in an environment there."""

NGINX = """
worker_processes 1; daemon off; pid {place}/nginx.pid; error_log {place}/nginx.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000; client_body_temp_path {place}; client_body_buffer_size 1m;
  upstream engine {{ server 127.0.0.1:{engine}; keepalive 512; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port} backlog=2048;
    location / {{ proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_buffering off; }} }}
}}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
  option http-no-delay
listen relay
  bind 127.0.0.1:{port}
  server engine 127.0.0.1:{engine}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A relay that runs: where it listens, and the processes whose time and memory are its own."""

    name: str
    port: int
    process: subprocess.Popen[bytes] | None

    def cpu_seconds(self) -> float:
        """CPU time that it has used, all threads and child processes counted."""
        return sum(_nanoseconds(pid) for pid in self.pids()) / 1e9

    def resident_mb(self) -> float:
        """Resident memory now."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids())
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    def pids(self) -> list[int]:
        """Its process and that one's children; none for no relay."""
        if self.process is None:
            return []
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(int(child) for child in children)]


def _nanoseconds(pid: int) -> int:
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


Command = Callable[[int, list[int], Path], tuple[list[str], dict[str, str]]]
"""From port, the engines' ports and a folder to a command and what is added to its environment."""


def _nginx(port: int, engines: list[int], place: Path) -> tuple[list[str], dict[str, str]]:
    (place / "nginx.conf").write_text(NGINX.format(place=place, engine=engines[0], port=port))
    return ["nginx", "-p", str(place), "-c", str(place / "nginx.conf")], {}


def _haproxy(port: int, engines: list[int], place: Path) -> tuple[list[str], dict[str, str]]:
    (place / "haproxy.cfg").write_text(HAPROXY.format(engine=engines[0], port=port))
    return ["haproxy", "-db", "-f", str(place / "haproxy.cfg")], {}


def _polydraft(port: int, engines: list[int], place: Path) -> tuple[list[str], dict[str, str]]:
    urls = [f"http://127.0.0.1:{engine}" for engine in engines]
    lanes = [
        {"name": "body", "upstream": urls[0]},
        {"name": "mtp", "upstream": urls[-1], "method": "mtp", "draft_tokens": 2},
    ]
    drafted, bare = {"lane": "mtp", "decode_rate": 90}, {"lane": "body", "decode_rate": 60}
    table = [
        {"language": "zh", "task": "*", "candidates": [drafted, bare]},
        {"language": "*", "task": "*", "candidates": [bare, drafted]},
    ]
    environment = {
        "POLYDRAFT_MODEL": "demo",
        "POLYDRAFT_LANES": json.dumps(lanes),
        "POLYDRAFT_TABLE": json.dumps(table),
        "POLYDRAFT_PORT": str(port),
    }
    return [sys.executable, "-m", "serve", "serve"], environment


def _bare(port: int, engines: list[int], place: Path) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-m", "tests.bench.relay.bare", str(port), str(engines[0])], {}


def _litellm(port: int, engines: list[int], place: Path) -> tuple[list[str], dict[str, str]]:
    models = [
        {"model_name": "demo", "litellm_params": {"model": "openai/demo", "api_base": f"http://127.0.0.1:{engine}/v1"}}
        for engine in engines
    ]
    for model in models:
        model["litellm_params"]["api_key"] = "none"  # type: ignore[index]
    (place / "config.yaml").write_text(json.dumps({"model_list": models, "litellm_settings": {"telemetry": False}}))
    options = ["--config", str(place / "config.yaml"), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return [str(LITELLM), *options], {**quiet, "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}


def _rust(command: str, policy: str) -> Command:
    def start(port: int, engines: list[int], place: Path) -> tuple[list[str], dict[str, str]]:
        urls = [f"http://127.0.0.1:{engine}" for engine in engines]
        options = ["--host", "127.0.0.1", "--port", str(port), "--policy", policy, "--log-level", "error"]
        metrics = ["--prometheus-port", str(free_port())]
        launch = [] if command == "vllm-router" else ["launch"]
        return [str(PEERS / command), *launch, "--worker-urls", *urls, *options, *metrics], {}

    return start


COMMANDS: dict[str, tuple[str, Command]] = {
    "nginx": ("nginx", _nginx),
    "haproxy": ("haproxy", _haproxy),
    "polydraft": (sys.executable, _polydraft),
    "bare Python": (sys.executable, _bare),
    "vllm-router, round robin": (str(PEERS / "vllm-router"), _rust("vllm-router", "round_robin")),
    "vllm-router, default policy": (str(PEERS / "vllm-router"), _rust("vllm-router", "cache_aware")),
    "sglang-router, round robin": (str(PEERS / "sglang-router"), _rust("sglang-router", "round_robin")),
    "LiteLLM": (str(LITELLM), _litellm),
}
"""What each needs to be installed, and how it is started."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def installed() -> list[str]:
    """Name the peers that this machine has."""
    return [name for name, (needed, _) in COMMANDS.items() if shutil.which(needed)]


@contextlib.contextmanager
def started(name: str, engines: list[int], place: Path, core: int) -> Iterator[Peer]:
    """Run a peer on one core until the context ends; its output goes to a file in its folder."""
    place.mkdir()
    port = free_port()
    command, environment = COMMANDS[name][1](port, engines, place)
    with (
        (place / "output").open("wb") as output,
        subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _wait(name, port, process)
            yield Peer(name, port, process)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def _wait(name: str, port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a peer answers a request with 200: some listen before they know their engines."""
    payload = b'{"model":"demo","messages":[{"role":"user","content":"hello"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    request = head + b"content-length: %d\r\n\r\n%s" % (len(payload), payload)
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{name} ended with {process.returncode} while it was starting")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            probe.sendall(request)
            if probe.recv(16).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.1)
    raise SystemExit(f"{name} doesn't answer")
