"""What `polydraft up` and `down` say without a Docker engine, and what they run where nothing is to be run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serve import up_commands
from serve.deploy import images
from serve.errors import ConfigError
from tests.stack.running import ROOT, free_port

NO_SDK = "import sys; sys.modules['docker'] = None; from serve.__main__ import main; main()"


def said(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}, check=False
    )


def test_without_docker_s_sdk_one_line_says_how_to_get_it() -> None:
    for command in ("up", "down"):
        done = said("-c", NO_SDK, command, "gb10")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "requirements-docker.txt" in done.stderr


def test_the_rest_of_the_command_line_needs_no_sdk() -> None:
    assert said("-c", NO_SDK, "plan", "gb10", "--idle").returncode == 0


def test_on_a_machine_that_isn_t_the_box_nothing_is_done() -> None:
    done = said("-m", "serve", "up", "gb10", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode == 1
    assert "no-go: gpus" in done.stdout
    assert "[1/" not in done.stdout


def test_a_dry_run_there_says_what_would_be_done_elsewhere() -> None:
    done = said("-m", "serve", "up", "gb10", "--dry-run", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert f"not to be done:\nbuild {images.load(ROOT).engine.image}\n" in done.stdout
    assert done.returncode in (1, 2)
    assert ("can't be built" in done.stderr) == (done.returncode == 2), "while the bases are unresolved"


def test_down_without_a_docker_engine_says_so() -> None:
    done = said("-m", "serve", "down", "gb10", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode == 1
    assert done.stdout.startswith("Docker: ")


def test_a_dry_run_without_containers_prints_the_commands() -> None:
    port = str(free_port())
    ports = ("--port", port, "--engine-port", "38101")
    done = said("-m", "serve", "up", "cpu", "--dry-run", "--vllm", sys.executable, *ports)
    assert done.returncode == 0, done.stderr
    *engines, router = [line.split() for line in done.stdout.splitlines() if line.startswith("env ")]
    assert [line[line.index("--port") + 1] for line in engines] == ["38101", "38102", "38103"]
    assert all(sys.executable in line for line in engines)
    assert f"POLYDRAFT_PORT={port}" in router
    assert router[-3:] == ["-m", "serve", "serve"]


def test_env_is_read_as_compose_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(
        "# addresses\nBOX_2=10.0.0.2 # the other Spark\nexport VLLM_API_KEY='a=b#c'\nURL=http://${BOX_2}:8000\nBARE\n"
    )
    monkeypatch.setattr(up_commands, "ROOT", tmp_path)
    assert up_commands._variables() == {
        "BOX_2": "10.0.0.2",
        "VLLM_API_KEY": "a=b#c",
        "URL": "http://10.0.0.2:8000",
    }
    (tmp_path / ".env").unlink()
    assert up_commands._variables() == {}


@pytest.mark.parametrize(
    ("written", "says"),
    [(b"A=1\ngarbage line without equals\n", "line 2 isn't NAME=VALUE"), (b"A=\xff\n", "in UTF-8")],
)
def test_a_file_that_compose_would_refuse_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes, says: str
) -> None:
    monkeypatch.setattr(up_commands, "ROOT", tmp_path)
    (tmp_path / ".env").write_bytes(written)
    with pytest.raises(ConfigError, match=says):
        up_commands._variables()
