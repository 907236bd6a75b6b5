"""`docker compose up cpu` on a real Docker engine, with real vLLM: it serves, loses engines, recovers, stops.

The router's image is built as on a box. The engines' holds the demo's models, and finds vLLM's installed packages in a
mount: building vLLM's own image downloads 2 GB, and is tried by `make images`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from serve import __version__
from tests.docker_engine import BASE, ROOT, docker, inspect
from tests.serve.double import metric
from tests.stack.running import VLLM, free_port

pytestmark = [pytest.mark.docker, pytest.mark.engine]

COMPOSE = Path(sys.executable).with_name("docker-compose")
PROJECT, ROUTER, ENGINE = "polydraft-test-cpu", "polydraft-test-router", "polydraft-test-engine-cpu"
ENGINES = ("cpu-body", "cpu-mtp", "cpu-eagle3")
PROMPTS = {
    "eagle3": "What is speculative decoding?",
    "mtp": "请用中文解释什么是推测解码，以及它为什么能让模型回答得更快。",
}
MIB = 2**20

IMAGE = f"""
FROM {BASE}
RUN python -c "import ctypes; ctypes.CDLL('libnuma.so.1')" 2>/dev/null \\
    || (apt-get update -qq && apt-get install -y -qq --no-install-recommends libnuma1)
RUN mkdir -p /cache && chown 2000:0 /cache && chmod 2775 /cache && mkdir /opt/vllm
COPY images/engine/entry.py /opt/polydraft/entry.py
COPY images/demo /opt/polydraft/images/demo
ENV PYTHONPATH=/opt/vllm HOME=/cache USER=vllm VLLM_CACHE_ROOT=/cache/vllm TORCHINDUCTOR_CACHE_DIR=/cache/inductor \\
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/polydraft
USER 2000:0
ENTRYPOINT ["python3", "/opt/polydraft/entry.py", "python3", "-m", "vllm.entrypoints.cli.main", "serve"]
"""


@pytest.fixture(scope="module")
def stack(daemon: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The profile, up; gives the router's base URL."""
    if not VLLM.exists():
        pytest.skip(f"no vLLM at {VLLM}: run `make setup`")
    build()
    (packages,) = VLLM.resolve().parent.parent.glob("lib/python*/site-packages")
    engine = {"image": ENGINE, "volumes": [f"{packages}:/opt/vllm:ro"]}
    services = dict.fromkeys(ENGINES, engine) | {"cpu": {"image": ROUTER}, "cpu-plan": {"image": ROUTER}}
    override = tmp_path_factory.mktemp("compose") / "images.json"
    override.write_text(json.dumps({"services": services}))
    port = free_port()
    files: list[str | Path] = ["--project-directory", ROOT, "-f", ROOT / "compose.yaml", "-f", override]
    command: list[str | Path] = [COMPOSE, "-p", PROJECT, *files]
    environment = {**os.environ, "POLYDRAFT_PORT": str(port)}
    up = [*command, "up", "-d", "--no-build", "--wait", "--wait-timeout", "550", "cpu"]
    try:
        started = subprocess.run(up, capture_output=True, text=True, env=environment, check=False)
        assert started.returncode == 0, started.stderr[-2000:] + logs()
        url = f"http://127.0.0.1:{port}"
        until(lambda: all(lanes(url).values()), 300)  # the router serves with the first engine; the others join
        yield url
    finally:
        down = [*command, "--profile", "cpu", "down", "-v", "-t", "2"]
        subprocess.run(down, capture_output=True, env=environment, check=False)


def build() -> None:
    arguments = ["--build-arg", f"BASE_IMAGE={BASE}", "--build-arg", f"POLYDRAFT_VERSION={__version__}"]
    router = docker("build", "-q", "-t", ROUTER, "-f", "images/router/Dockerfile", *arguments, ".")
    assert router.returncode == 0, router.stderr
    engine = docker("build", "-q", "-t", ENGINE, "-f", "-", ".", given=IMAGE)
    assert engine.returncode == 0, engine.stderr


def logs() -> str:
    return "\n".join(docker("logs", "--tail", "20", f"{PROJECT}-{name}-1").stderr for name in ENGINES)


def container(service: str) -> dict[str, Any]:
    return inspect(f"{PROJECT}-{service}-1")


def lanes(url: str) -> dict[str, bool]:
    try:
        found: dict[str, bool] = httpx2.get(f"{url}/readyz", timeout=10).json()["lanes"]
    except (httpx2.HTTPError, ValueError, KeyError):
        return {"router": False}
    return found


def chat(url: str, prompt: str = PROMPTS["eagle3"], **more: Any) -> httpx2.Response:
    payload = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 40, "temperature": 0, **more}
    return httpx2.post(f"{url}/v1/chat/completions", json=payload, timeout=120)


def lane(url: str, of: str) -> str:
    """The lane that answers a prompt which the table gives to lane `of`, with an answer."""
    answer = chat(url, PROMPTS[of])
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] > 5
    return str(answer.headers["x-polydraft-lane"])


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition didn't come true\n" + logs()
        time.sleep(0.3)


def as_root() -> None:
    if os.geteuid():
        pytest.skip("only root may kill a container's process from outside, which a restart policy answers to")


@pytest.mark.parametrize("best", list(PROMPTS))
def test_each_language_gets_its_lane(stack: str, best: str) -> None:
    assert lane(stack, best) == best


def test_engines_start_one_after_another(stack: str) -> None:
    states = [container(name)["State"] for name in ENGINES]
    healthy = [next(check["End"] for check in each["Health"]["Log"] if check["ExitCode"] == 0) for each in states]
    started = [each["StartedAt"] for each in states]
    assert sorted(started) == started
    assert len(set(healthy)) == 3
    for name in ENGINES:
        assert container(name)["HostConfig"]["ReadonlyRootfs"]


def test_an_engine_that_is_killed_is_stood_in_for_and_comes_back(stack: str) -> None:
    as_root()
    os.kill(container("cpu-eagle3")["State"]["Pid"], signal.SIGKILL)
    until(lambda: not lanes(stack)["eagle3"])
    assert lane(stack, "eagle3") == "body", "the next in the table"
    until(lambda: container("cpu-eagle3")["RestartCount"] == 1)
    until(lambda: lanes(stack)["eagle3"], 300)
    assert lane(stack, "eagle3") == "eagle3"


def test_an_engine_that_hangs_is_stood_in_for_and_comes_back(stack: str) -> None:
    assert docker("pause", f"{PROJECT}-cpu-mtp-1").returncode == 0
    until(lambda: not lanes(stack)["mtp"])
    assert lane(stack, "mtp") == "body"
    assert docker("unpause", f"{PROJECT}-cpu-mtp-1").returncode == 0
    until(lambda: lanes(stack)["mtp"])
    assert lane(stack, "mtp") == "mtp"


def test_an_engine_that_is_cut_off_is_stood_in_for_and_found_again(stack: str) -> None:
    name, network = f"{PROJECT}-cpu-eagle3-1", f"{PROJECT}_default"
    assert docker("network", "disconnect", network, name).returncode == 0
    until(lambda: not lanes(stack)["eagle3"])
    assert lane(stack, "eagle3") == "body"
    assert docker("network", "connect", "--alias", "cpu-eagle3", network, name).returncode == 0
    until(lambda: lanes(stack)["eagle3"])
    assert lane(stack, "eagle3") == "eagle3"


def test_an_engine_that_runs_out_of_memory_is_stood_in_for_and_comes_back(stack: str) -> None:
    """The limit is drawn close, then something in the container wants more: the kernel ends the largest, the engine."""
    name = f"{PROJECT}-cpu-mtp-1"
    used = int(docker("exec", name, "sh", "-c", USED).stdout)
    limited(name, used + 150 * MIB)
    before = container("cpu-mtp")["RestartCount"]
    docker("exec", name, "python", "-c", f"kept = b'x' * {600 * MIB}")
    until(lambda: not lanes(stack)["mtp"])
    assert lane(stack, "mtp") == "body"
    until(lambda: container("cpu-mtp")["RestartCount"] == before + 1)  # vLLM itself ends with 0 then
    limited(name, 8192 * MIB)
    until(lambda: lanes(stack)["mtp"], 300)
    assert lane(stack, "mtp") == "mtp"


USED = "cat /sys/fs/cgroup/memory.current 2>/dev/null || cat /sys/fs/cgroup/memory/memory.usage_in_bytes"


def limited(name: str, size: int) -> None:
    done = docker("update", "--memory", str(size), "--memory-swap", str(size), name)
    assert done.returncode == 0, done.stderr


def test_a_router_that_is_stopped_loses_no_request(stack: str) -> None:
    more = {"max_tokens": 120, "ignore_eos": True}
    with ThreadPoolExecutor(6) as pool:
        prompts = [*PROMPTS.values()] * 3
        running = [pool.submit(chat, stack, each, stream=bool(n % 2), **more) for n, each in enumerate(prompts)]
        until(lambda: in_flight(stack) == len(prompts))
        assert docker("stop", f"{PROJECT}-cpu-1").returncode == 0
        answers = [each.result() for each in running]
    assert [each.status_code for each in answers] == [200] * len(prompts)
    for answer in answers:
        whole = answer.headers["content-type"].startswith("application/json")
        assert answer.json()["usage"]["completion_tokens"] == 120 if whole else answer.text.endswith("data: [DONE]\n\n")
    assert container("cpu")["State"]["ExitCode"] == 0


def in_flight(url: str) -> float:
    return metric(httpx2.get(f"{url}/metrics", timeout=10).text, "polydraft_in_flight_requests")
