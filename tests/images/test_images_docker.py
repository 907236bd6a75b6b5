"""The images on a real Docker engine: what is built, and what `docker compose up gb10` starts, engines stood in for.

The stand-in speaks vLLM's dialect and has vLLM's command line, so everything but the GPU is wired as on a box. To
reserve a GPU the Docker engine needs NVIDIA's container toolkit, or what the tests' own one has in its place: an
executable `nvidia-container-runtime-hook` on its PATH that does nothing.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from serve import __version__
from serve.deploy import pins as pinning
from tests.docker_engine import BASE, ROOT, docker, inspect
from tests.serve.double import metric

ROUTER, ENGINE, PROJECT = "polydraft-test-router", "polydraft-test-engine", "polydraft-test"
COMPOSE = Path(sys.executable).with_name("docker-compose")
CHINESE = "请用中文解释什么是推测解码，以及它为什么能让模型回答得更快。"

STAND_IN = f"""
FROM {ROUTER}
COPY tests/serve/double.py tests/images/stand_in.py /opt/stand-in/
HEALTHCHECK NONE
ENTRYPOINT ["python", "/opt/stand-in/stand_in.py"]
"""

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("daemon")]


def test_a_build_refuses_an_unresolved_base_and_says_what_to_do() -> None:
    unresolved = pinning.Pin("bases", "router", BASE, pinning.UNRESOLVED, "").reference
    done = docker("build", "-f", "images/router/Dockerfile", "--build-arg", f"BASE_IMAGE={unresolved}", ".")
    assert done.returncode != 0
    assert "run `polydraft pins --resolve`" in done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def router(daemon: None) -> dict[str, Any]:
    """The router's image, built, as Docker describes it."""
    arguments = ["--build-arg", f"BASE_IMAGE={BASE}", "--build-arg", f"POLYDRAFT_VERSION={__version__}"]
    done = docker("build", "-q", "-t", ROUTER, "-f", "images/router/Dockerfile", *arguments, ".")
    assert done.returncode == 0, done.stderr
    return inspect(ROUTER)


def test_the_router_s_labels_say_what_it_is(router: dict[str, Any]) -> None:
    labels = router["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.base.name"] == BASE
    assert labels["io.polydraft.arch"] == router["Architecture"]


def test_the_router_holds_what_its_lock_says_and_no_pip(router: dict[str, Any]) -> None:
    lock = (ROOT / "images/router/requirements.txt").read_text(encoding="utf-8").splitlines()
    locked = {line.split(" ")[0] for line in lock if "==" in line}
    show = "from importlib.metadata import distributions as d; print(*(f'{x.name}=={x.version}' for x in d()))"
    done = docker("run", "--rm", "--entrypoint", "python", ROUTER, "-c", show)
    assert {name.lower().replace("_", "-") for name in done.stdout.split()} == locked


def test_the_router_is_not_root_and_needs_no_writable_root(router: dict[str, Any]) -> None:
    assert router["Config"]["User"] == "10001:10001"
    limits = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    done = docker("run", "--rm", *limits, ROUTER, "version")
    assert (done.returncode, done.stdout.strip()) == (0, __version__), done.stderr


@pytest.fixture(scope="module")
def stack(router: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`docker compose up gb10` with the stand-in for the engine; gives the router's base URL."""
    done = docker("build", "-q", "-t", ENGINE, "-f", "-", ".", given=STAND_IN)
    assert done.returncode == 0, done.stderr
    override = tmp_path_factory.mktemp("compose") / "images.json"
    plan = {"image": ROUTER, "command": ["plan", "gb10", "--idle"]}  # this machine is no such box
    download = {"image": ENGINE, "entrypoint": ["true"]}  # there is nothing to fetch
    services = {"gb10": {"image": ROUTER}, "gb10-plan": plan, "gb10-engine": {"image": ENGINE}}
    services["gb10-download"] = download
    override.write_text(json.dumps({"services": services}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    files: list[str | Path] = ["--project-directory", ROOT, "-f", ROOT / "compose.yaml", "-f", override]
    command: list[str | Path] = [COMPOSE, "-p", PROJECT, *files]
    environment = {**os.environ, "POLYDRAFT_PORT": str(port)}
    up = [*command, "up", "-d", "--no-build", "--wait", "gb10"]
    try:
        started = subprocess.run(up, capture_output=True, text=True, env=environment, check=False)
        if "could not select device driver" in started.stderr:
            pytest.skip(
                "this Docker engine can't reserve a GPU: no NVIDIA container toolkit, and no stand-in for its hook"
            )
        assert started.returncode == 0, started.stderr
        yield f"http://127.0.0.1:{port}"
    finally:
        subprocess.run(
            [*command, "--profile", "gb10", "down", "-v", "-t", "2"], capture_output=True, env=environment, check=False
        )


def moment(text: str) -> datetime:
    """A time as Docker writes it, to the microsecond; the engine's zone is the machine's."""
    head, _, rest = text.replace("Z", "+00:00").partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return datetime.fromisoformat(f"{head}.{digits[:6].ljust(6, '0')}{rest[len(digits) :].split(' ')[0]}")


def container(service: str) -> dict[str, Any]:
    return inspect(f"{PROJECT}-{service}-1")


def test_the_router_starts_only_when_the_engine_is_healthy(stack: str) -> None:
    first, second = container("gb10-engine"), container("gb10")
    healthy = next(check["End"] for check in first["State"]["Health"]["Log"] if check["ExitCode"] == 0)
    assert moment(second["State"]["StartedAt"]) > moment(healthy)


def test_all_become_healthy_and_only_the_router_is_published(stack: str) -> None:
    for service in ("gb10", "gb10-engine"):
        assert container(service)["State"]["Health"]["Status"] == "healthy", service
    assert container("gb10-engine")["HostConfig"]["PortBindings"] == {}
    (binding,) = container("gb10")["HostConfig"]["PortBindings"]["8000/tcp"]
    assert binding["HostIp"] == "127.0.0.1"


def test_the_plan_has_ended_before_the_engine_starts(stack: str) -> None:
    plan, engine = container("gb10-plan")["State"], container("gb10-engine")["State"]
    assert (plan["Status"], plan["ExitCode"]) == ("exited", 0)
    assert moment(engine["StartedAt"]) > moment(plan["FinishedAt"])
    assert "fits, with" in docker("logs", f"{PROJECT}-gb10-plan-1").stdout


@pytest.mark.parametrize("service", ["gb10", "gb10-engine"])
def test_no_container_has_privileges(stack: str, service: str) -> None:
    status = docker("exec", f"{PROJECT}-{service}-1", "cat", "/proc/self/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["CapEff"] == fields["CapBnd"] == "0" * 16
    assert fields["NoNewPrivs"] == "1"
    assert not fields["Uid"].startswith("0")


@pytest.mark.parametrize("service", ["gb10", "gb10-engine"])
def test_the_root_is_read_only(stack: str, service: str) -> None:
    done = docker("exec", f"{PROJECT}-{service}-1", "python", "-c", "open('/opt/polydraft/new', 'w')")
    assert "Read-only file system" in done.stderr


def test_the_engines_get_every_gpu(stack: str) -> None:
    (request,) = container("gb10-engine")["HostConfig"]["DeviceRequests"]
    assert (request["Driver"], request["Count"], request["Capabilities"]) == ("nvidia", 1, [["gpu"]])


@pytest.mark.parametrize(
    ("prompt", "language"), [("Why is the sky blue, and why are sunsets red?", "en"), (CHINESE, "zh")], ids=["en", "zh"]
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_request_goes_through_the_router_to_an_engine(stack: str, prompt: str, language: str, stream: bool) -> None:
    payload = {"messages": [{"role": "user", "content": prompt}], "stream": stream}
    answer = httpx2.post(f"{stack}/v1/chat/completions", json=payload, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-polydraft-language"].partition("-")[0] == language
    assert answer.headers["x-polydraft-lane"] == "mtp"
    assert ("hel" if stream else "hello") in answer.text


def test_an_engine_that_is_cut_off_is_missed_and_found_again(stack: str) -> None:
    name, network = f"{PROJECT}-gb10-engine-1", f"{PROJECT}_default"
    assert docker("network", "disconnect", network, name).returncode == 0
    until(lambda: ready(stack) == 503)
    assert docker("network", "connect", "--alias", "gb10-engine", network, name).returncode == 0
    until(lambda: ready(stack) == 200)
    assert chat(stack).status_code == 200


def test_an_engine_that_is_killed_is_started_again_and_found(stack: str) -> None:
    if os.geteuid():
        pytest.skip("only root may kill a container's process from outside, which a restart policy answers to")
    os.kill(container("gb10-engine")["State"]["Pid"], signal.SIGKILL)
    until(lambda: container("gb10-engine")["RestartCount"] == 1)
    until(lambda: served_again(stack))


def test_a_router_that_is_stopped_loses_no_request(stack: str) -> None:
    until(lambda: served_again(stack))
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(chat, stack, max_tokens=300, stream=bool(number % 2)) for number in range(8)]
        until(lambda: in_flight(stack) == 8)
        assert docker("stop", "-t", "40", f"{PROJECT}-gb10-1").returncode == 0
        assert [answer.result().status_code for answer in running] == [200] * 8
        assert all("hel" in answer.result().text for answer in running)
    assert container("gb10")["State"]["ExitCode"] == 0


def test_where_the_plan_refuses_no_engine_starts(router: dict[str, Any], stack: str, tmp_path: Path) -> None:
    override, project = tmp_path / "images.json", f"{PROJECT}-refused"
    images = {"gb10": ROUTER, "gb10-plan": ROUTER, "gb10-engine": ENGINE}
    services: dict[str, Any] = {name: {"image": image} for name, image in images.items()}
    services["gb10-download"] = {"image": ENGINE, "entrypoint": ["true"]}
    override.write_text(json.dumps({"services": services}))
    command: list[str | Path] = [COMPOSE, "-p", project, "--project-directory", ROOT, "-f", ROOT / "compose.yaml"]
    command += ["-f", override]
    environment = {**os.environ, "POLYDRAFT_PORT": "0"}
    try:
        up = [*command, "up", "-d", "--no-build", "gb10"]
        done = subprocess.run(up, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode != 0
        assert "gb10-plan" in done.stderr
        assert inspect(f"{project}-gb10-engine-1")["State"]["Status"] == "created"
        assert "gb10 needs 1x NVIDIA GB10" in docker("logs", f"{project}-gb10-plan-1").stderr
    finally:
        down = [*command, "--profile", "gb10", "down", "-v", "-t", "2"]
        subprocess.run(down, capture_output=True, env=environment, check=False)


def chat(url: str, **more: Any) -> httpx2.Response:
    payload = {"messages": [{"role": "user", "content": "Why is the sky blue?"}], **more}
    return httpx2.post(f"{url}/v1/chat/completions", json=payload, timeout=60)


def served_again(url: str) -> bool:
    """Whether it answers, and still does when the router's probes have come round: its readiness is a second old."""
    for _ in range(5):
        time.sleep(0.5)
        if chat(url).status_code != 200:
            return False
    return True


def ready(url: str) -> int:
    return httpx2.get(f"{url}/readyz", timeout=10).status_code


def in_flight(url: str) -> float:
    return metric(httpx2.get(f"{url}/metrics", timeout=10).text, "polydraft_in_flight_requests")


def until(condition: Callable[[], bool]) -> None:
    """Wait up to a minute, since a container's health is looked at every ten seconds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition didn't come true"
        time.sleep(0.1)
