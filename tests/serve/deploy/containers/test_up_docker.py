"""`polydraft up` of a profile for a GPU on a real Docker engine, with a stand-in for vLLM; gate and all else are real.

The box is a recorded reading of a Spark; what is asked of Docker for the GPU needs its hook, or a stand-in for that.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from serve.deploy import profile as profiles
from serve.deploy.compose import compose_file
from serve.deploy.containers import start
from serve.deploy.profile import Profile
from tests import docker_engine
from tests.docker_engine import docker, inspect
from tests.serve.deploy.containers import standing_in
from tests.serve.deploy.containers.standing_in import PROJECT
from tests.serve.deploy.doctor import readings
from tests.stack.running import free_port

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("daemon")]

COMPOSE = Path(sys.executable).with_name("docker-compose")
NAME = "standin"
DOWNLOAD, ENGINE, GATE, ROUTER = (f"{PROJECT}-{NAME}{part}-1" for part in ("-download", "-engine", "-gate", ""))
PORT = free_port()

STAND_IN = """
FROM polydraft-router:%s
USER root
RUN mkdir /cache && chown 2000:0 /cache
COPY tests/serve/double.py tests/images/stand_in.py /opt/stand-in/
COPY tests/images/stand_in_models.py /opt/polydraft/models.py
ENV STAND_IN_FAULT=%s
LABEL %s
HEALTHCHECK NONE
ENTRYPOINT ["python", "/opt/stand-in/stand_in.py"]
"""


@pytest.fixture(scope="module", autouse=True)
def images(daemon: None) -> Iterator[None]:
    """The router's image, built as `up` builds it, and of it an engine's for each fault."""
    router = next(each for each in standing_in.order(NAME, PORT).wanted(drafters=True).images if "router" in each.name)
    arguments = [word for pair in router.arguments.items() for word in ("--build-arg", "=".join(pair))]
    built = docker_engine.docker("build", "-q", "-t", router.name, "-f", router.dockerfile, *arguments, ".")
    assert built.returncode == 0, built.stderr
    labels = " ".join(f'{name}="{value}"' for name, value in router.labels.items())
    for name, fault in (
        (NAME, "none"),
        ("fragile", "drafters"),
        ("doomed", "start"),
        ("lossy", "lossy"),
        ("copies", "second"),
        ("hubless", "hub"),
        ("slow", "loads"),
    ):
        text = STAND_IN % (NAME, fault, labels)
        made = docker_engine.docker("build", "-q", "-t", f"polydraft-engine:{name}", "-f", "-", ".", given=text)
        assert made.returncode == 0, made.stderr
        docker_engine.docker("tag", f"polydraft-router:{NAME}", f"polydraft-router:{name}")
    clean()
    yield
    clean()


def clean() -> None:
    for name in (NAME, "fragile", "doomed", "lossy", "hubless", "slow"):
        start.down(standing_in.order(name, PORT), standing_in.means([]))
        docker_engine.docker("volume", "rm", f"{PROJECT}_{name}-cache")


def up(name: str, *words: str, changed: Profile | None = None) -> tuple[int, list[str]]:
    """Bring it up, without watching it; gives the exit code and what was said."""
    said: list[str] = []
    order = standing_in.order(name, PORT, "detach", *words, changed=changed)
    return start.up(order, standing_in.reading(), standing_in.means(said)), said


@contextmanager
def watched(name: str, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """Bring it up and watch it, in a process; gives that, and what it has said so far."""
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "tests.serve.deploy.containers.standing_in", name, str(PORT), *words]
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=standing_in.ROOT)

        def so_far() -> str:
            said.seek(0)
            return said.read()

        try:
            yield process, so_far
        finally:
            process.kill()
            process.wait()


def until(condition: Callable[[], bool], said: Callable[[], str], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.2)


def containers(name: str) -> list[str]:
    listed = docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"name=^{PROJECT}-{name}").stdout
    return sorted(listed.split())


def lane(prompt: str = "Why is the sky blue?") -> str:
    payload = {"messages": [{"role": "user", "content": prompt}]}
    answer = httpx2.post(f"http://127.0.0.1:{PORT}/v1/chat/completions", json=payload, timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-polydraft-lane"])


def kill(container: str) -> None:
    if os.geteuid():
        pytest.skip("only root may kill a container's process from outside")
    os.kill(inspect(container)["State"]["Pid"], signal.SIGKILL)


def test_a_dry_run_says_everything_and_touches_nothing() -> None:
    code, said = up(NAME, "dry")
    assert code == 0
    assert said[-1].splitlines() == [
        "to be done:",
        f"make the network {PROJECT}_default",
        f"make the volume {PROJECT}_{NAME}-cache",
        f"fetch the models, by {DOWNLOAD} (what is there already is kept)",
        f"hold against the memory that is free then, the engines of {NAME}",
        f"start, and wait until it is healthy: {ENGINE}",
        f"prove that every lane is lossless, by {GATE}",
        f"start, and wait until it is healthy: {ROUTER}",
    ]
    assert containers(NAME) == []
    assert f"{PROJECT}_default" not in docker("network", "ls", "--format", "{{.Name}}").stdout.split()


@pytest.fixture(scope="module")
def stack(images: None) -> list[str]:
    """The stand-in's profile, up; what was said on the way."""
    code, said = up(NAME)
    if code and "could not select device driver" in said[-1]:
        pytest.skip("this Docker engine can't reserve a GPU: no NVIDIA container toolkit, and no stand-in for its hook")
    assert code == 0, said
    return said


def test_models_engine_gate_and_router_come_one_after_another(stack: list[str]) -> None:
    download, engine, gate, router = (inspect(name) for name in (DOWNLOAD, ENGINE, GATE, ROUTER))
    assert download["State"]["FinishedAt"] < engine["Created"]
    assert sum(line.endswith(": fetched") for line in stack) == 2
    healthy = next(check["End"] for check in engine["State"]["Health"]["Log"] if check["ExitCode"] == 0)
    assert healthy < gate["Created"] < gate["State"]["FinishedAt"] < router["Created"]
    assert gate["State"]["ExitCode"] == 0
    assert any("gate passed" in line for line in stack)
    assert lane() == "mtp"


def test_what_runs_as_it_should_is_kept(stack: list[str]) -> None:
    before = [inspect(name)["Id"] for name in (DOWNLOAD, ENGINE, GATE, ROUTER)]
    started = time.monotonic()
    code, said = up(NAME)
    assert code == 0, said
    assert time.monotonic() - started < 5
    assert [inspect(name)["Id"] for name in (DOWNLOAD, ENGINE, GATE, ROUTER)] == before
    assert f"[1/4] keep {DOWNLOAD} (the models are in the cache)" in said


def test_after_a_failure_only_what_is_missing_is_done(stack: list[str]) -> None:
    engine = inspect(ENGINE)["Id"]
    docker("rm", "-f", ROUTER)
    code, said = up(NAME)
    assert code == 0, said
    assert inspect(ENGINE)["Id"] == engine
    assert not any("gate passed" in line for line in said)
    assert lane() == "mtp"


def test_the_containers_are_those_that_compose_makes(stack: list[str], tmp_path: Path) -> None:
    """Field by field, as Docker describes them: nothing of the Compose document is lost, and nothing added."""
    document = compose_file(standing_in.profile(NAME), standing_in.builds(NAME))
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(document))
    command: list[str | Path] = [
        COMPOSE,
        "-p",
        "polydraft-test-other",
        "-f",
        tmp_path / "compose.yaml",
        "--profile",
        NAME,
    ]
    environment = {**os.environ, "POLYDRAFT_PORT": str(PORT)}
    try:
        made = subprocess.run([*command, "create", "--no-build"], capture_output=True, text=True, env=environment)
        assert made.returncode == 0, made.stderr
        for ours in (DOWNLOAD, ENGINE, ROUTER):
            theirs = ours.replace(PROJECT, "polydraft-test-other")
            assert described(inspect(ours)) == described(inspect(theirs))
    finally:
        subprocess.run([*command, "down", "-v", "-t", "1"], capture_output=True, env=environment)


def described(container: dict[str, Any]) -> dict[str, Any]:
    """A container's settings, without what names it, and what either tool leaves out where the other writes a zero."""
    config, host = container["Config"], container["HostConfig"]
    named = {"Hostname", "Labels", "Image", "AttachStdout", "AttachStderr"}
    volatile = {"NetworkMode", "Mounts", "Binds", "Links", "PortBindings", "ConsoleSize"}
    networks = [sorted(set(each["Aliases"] or ()) - {container["Id"][:12], container["Name"].lstrip("/")})
                for each in container["NetworkSettings"]["Networks"].values()]  # fmt: skip
    (mount,) = [each["Destination"] for each in container["Mounts"] if each["Type"] == "volume"] or [None]
    settings = {key: value for key, value in config.items() if key not in named}
    settings["Env"] = sorted(each for each in config["Env"] if "=" in each)  # a token that there is none of
    limits = {key: value or None for key, value in host.items() if key not in volatile}
    ports = {port: [each["HostIp"] for each in bound or ()] for port, bound in (host["PortBindings"] or {}).items()}
    return {"config": settings, "host": limits, "ports": ports, "networks": networks, "volume": mount}


def test_another_configuration_starts_its_engine_anew_and_proves_it_again(stack: list[str]) -> None:
    before = inspect(ENGINE)["Id"]
    known = standing_in.profile(NAME)
    code, said = up(NAME, changed=known.model_copy(update={"flags": known.flags | {"max-num-seqs": 4}}))
    assert code == 0, said
    assert inspect(ENGINE)["Id"] != before
    assert any("its configuration is another now" in line for line in said)
    assert any("gate passed" in line for line in said)
    assert up(NAME)[0] == 0, "and back"


def test_a_death_is_told_and_mended_and_an_interrupt_ends_the_watch_alone(stack: list[str]) -> None:
    with watched(NAME) as (process, said):
        until(lambda: "watching what runs" in said(), said)
        kill(ENGINE)
        until(lambda: f"{ENGINE} died (exit code 137), 1 of at most 3 times" in said(), said)
        until(lambda: inspect(ENGINE)["State"].get("Health", {}).get("Status") == "healthy", said)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert "what was started goes on" in said()
    assert lane() == "mtp"


def test_an_engine_that_somebody_stops_stays_so(stack: list[str]) -> None:
    with watched(NAME) as (process, said):
        until(lambda: "watching what runs" in said(), said)
        docker("stop", ENGINE)
        assert process.wait(60) == 1
        assert f"{ENGINE} was stopped by somebody" in said()
    assert inspect(ENGINE)["State"]["Status"] == "exited"
    assert up(NAME)[0] == 0, "the next one starts it again"


def test_compose_takes_the_network_and_the_cache_for_its_own(stack: list[str], tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        yaml.safe_dump(compose_file(standing_in.profile(NAME), standing_in.builds(NAME)))
    )
    command: list[str | Path] = [COMPOSE, "-p", PROJECT, "-f", tmp_path / "compose.yaml", "--profile", NAME]
    listed = subprocess.run([*command, "ps", "--format", "json"], capture_output=True, text=True, check=True)
    services = {json.loads(line)["Service"] for line in listed.stdout.splitlines()}
    assert services == {NAME, f"{NAME}-engine"}
    tried = subprocess.run([*command, "create", "--no-build", "--no-recreate"], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    assert "incorrect label" not in tried.stderr
    assert "already exists but was not created" not in tried.stderr
    docker("rm", "-f", f"{PROJECT}-{NAME}-plan-1")
    subprocess.run([*command, "stop"], capture_output=True, check=True)
    assert inspect(ROUTER)["State"]["FinishedAt"] < inspect(ENGINE)["State"]["FinishedAt"], "the router goes first"


def test_down_leaves_the_cache_and_nothing_else(stack: list[str]) -> None:
    said: list[str] = []
    assert start.down(standing_in.order(NAME, PORT), standing_in.means(said)) == 0
    assert said[0] == f"[1/4] stop and remove {ROUTER}"
    assert containers(NAME) == []
    assert f"{PROJECT}_default" not in docker("network", "ls", "--format", "{{.Name}}").stdout.split()
    assert f"{PROJECT}_{NAME}-cache" in docker("volume", "ls", "--format", "{{.Name}}").stdout.split()


def test_drafters_that_kill_their_engine_are_left_out_loudly_until_asked_for_again() -> None:
    engine = f"{PROJECT}-fragile-engine-1"
    code, said = up("fragile")
    assert code == 0, said
    text = "\n".join(said)
    assert text.count("of at most 3 times") == 3
    assert f"SPECULATION IS OFF: {engine} died 3 times." in text
    assert "polydraft up fragile --drafters" in text
    assert "the stand-in dies, as it was told to" in text, "the end of its log"
    assert "--additional-config" not in inspect(engine)["Config"]["Cmd"]
    assert lane() == "body"
    explained = httpx2.get(f"http://127.0.0.1:{PORT}/readyz", timeout=10).json()
    assert explained["lanes"] == {"body": True}
    before = inspect(engine)["Id"]
    code, said = up("fragile")
    assert (code, inspect(engine)["Id"]) == (0, before)
    assert any("SPECULATION IS OFF: as it was left" in line for line in said)
    code, said = up("fragile", "dry", "drafters")
    assert f"stop and remove {engine} (its configuration is another now)" in said[-1]
    start.down(standing_in.order("fragile", PORT), standing_in.means([]))


def test_an_engine_that_dies_without_drafters_too_is_given_up() -> None:
    code, said = up("doomed")
    assert code == 1
    text = "\n".join(said)
    assert "SPECULATION IS OFF" in text
    assert text.count("of at most 3 times") == 6
    assert said[-1] == f"{PROJECT}-doomed-engine-1 died 3 times and isn't started again; mend it, then polydraft up"
    assert inspect(f"{PROJECT}-doomed-engine-1")["State"]["Status"] == "exited"
    assert containers("doomed") == [f"{PROJECT}-doomed-download-1", f"{PROJECT}-doomed-engine-1"]


def test_copies_serve_without_the_one_that_dies() -> None:
    replicas = profiles.load_named("rtx-pro-2000-x4-replicas").model_copy(update={"name": "copies"})
    order = standing_in.order("copies", PORT, "detach", changed=replicas)
    said, cards = list[str](), readings.load("rtx-pro-2000-x4")[1]
    try:
        assert start.up(order, cards, replace(standing_in.means(said), look=lambda: cards)) == 0, said
        dead, download = f"{PROJECT}-copies-body-2-1", f"{PROJECT}-copies-download-1"
        assert f"{dead} died 3 times and isn't started again; mend it, then polydraft up; the other copies serve" in (
            "\n".join(said)
        )
        states = {name: inspect(name)["State"]["Status"] for name in containers("copies")}
        gate = f"{PROJECT}-copies-gate-1"
        assert [name for name, state in states.items() if state != "running"] == [dead, download, gate]
        assert any("gate passed" in line for line in said), "the copies that are left"
        assert lane() == "body"
    finally:
        start.down(order, standing_in.means([]))
        docker("volume", "rm", f"{PROJECT}_copies-cache")


def test_where_the_gate_fails_nobody_is_served() -> None:
    code, said = up("lossy")
    assert code == 1
    assert "the gate failed, so the router isn't started" in said[-1]
    assert containers("lossy") == [f"{PROJECT}-lossy-download-1", f"{PROJECT}-lossy-engine-1"]
    code, said = up("lossy", "no-drafters")
    assert code == 0, said
    assert lane() == "body"
    start.down(standing_in.order("lossy", PORT), standing_in.means([]))


def test_models_that_can_t_be_had_stop_it_and_the_next_try_goes_on_from_there() -> None:
    code, said = up("hubless")
    assert code == 1
    assert "polydraft up goes on from what has come" in said[-1]
    assert any("the hub doesn't answer, as the stand-in was told to say" in line for line in said)
    assert containers("hubless") == [f"{PROJECT}-hubless-download-1"], "no engine before its models"
    assert inspect(f"{PROJECT}-hubless-download-1")["RestartCount"] == 5
    volume = f"{PROJECT}_hubless-cache:/cache"
    done = docker(
        "run", "--rm", "-u", "0", "-v", volume, "--entrypoint", "touch", "polydraft-engine:hubless", "/cache/answers"
    )
    assert done.returncode == 0, done.stderr
    code, said = up("hubless")
    assert code == 0, said
    text = "\n".join(said)
    assert "(it has failed, exit code 1)" in text
    assert (text.count(": in the cache"), text.count(": fetched")) == (1, 1), "the first one came before"
    start.down(standing_in.order("hubless", PORT), standing_in.means([]))


def test_memory_that_was_taken_during_the_download_stops_it_before_any_engine() -> None:
    order, said = standing_in.order("slow", PORT, "detach"), list[str]()
    taken = replace(standing_in.means(said), look=lambda: readings.load("gb10-shared")[1])
    start.down(order, standing_in.means([]))
    assert start.up(order, standing_in.reading(), taken) == 1
    assert "the models are there; polydraft up slow goes on" in said[-1]
    assert containers("slow") == [f"{PROJECT}-slow-download-1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_what_ends_it_before_it_serves_is_in_the_exit_code(number: signal.Signals) -> None:
    start.down(standing_in.order("slow", PORT), standing_in.means([]))
    with watched("slow") as (process, said):
        until(lambda: f"start, and wait until it is healthy: {PROJECT}-slow-engine-1" in said(), said)
        until(lambda: f"{PROJECT}-slow-engine-1" in containers("slow"), said)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert "what was started goes on; polydraft up slow goes on too" in said()
    assert inspect(f"{PROJECT}-slow-engine-1")["State"]["Running"]
