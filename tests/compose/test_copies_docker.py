"""Copies of an engine on a real Docker engine: the order in which they start, and what one that dies holds up.

What is in the containers is a shell that sleeps, or dies; dependencies, health and restarts are the profile's own.
"""

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")
BOX, PROJECT, IMAGE = "rtx-pro-6000-x2", "polydraft-test-copies", "polydraft-test-shell"
SHELL = ("/bin/dash", "/bin/sleep")

pytestmark = pytest.mark.docker


def docker(*arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["docker", *arguments], capture_output=True, input=given, check=False)


@pytest.fixture(scope="module", autouse=True)
def image() -> Iterator[None]:
    """An image that holds this machine's shell, and what that is linked with, alone."""
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command")
    done = docker("version", "--format", "{{.Server.Version}}")
    if done.returncode != 0:
        pytest.skip(f"no Docker engine answers: {done.stderr.decode().strip().splitlines()[-1]}")
    if missing := [program for program in SHELL if not Path(program).is_file()]:
        pytest.skip(f"there is no {missing[0]} to make an image of")
    linked = subprocess.run(["ldd", *SHELL], capture_output=True, text=True, check=True).stdout
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", dereference=True) as archive:
        for path in sorted({*SHELL, *re.findall(r"(/\S+) \(0x", linked)}):
            archive.add(path)
    assert docker("import", "-", IMAGE, given=whole.getvalue()).returncode == 0
    yield
    docker("rmi", IMAGE)


def service(*, dies: bool) -> dict[str, object]:
    health = {"test": ["CMD", SHELL[0], "-c", "exit 0"], "interval": "1s", "start_period": "1s", "timeout": "5s"}
    script = "exit 1" if dies else "sleep 600"
    return {"image": IMAGE, "entrypoint": [SHELL[0], "-c", script], "command": [], "healthcheck": health}


@pytest.mark.parametrize("dead", [None, "engine-1", "engine-2"])
def test_a_copy_that_dies_holds_up_neither_the_next_nor_the_router(dead: str | None, tmp_path: Path) -> None:
    engines = {f"{BOX}-{name}": service(dies=name == dead) for name in ("engine-1", "engine-2")}
    plan = {**service(dies=False), "entrypoint": [SHELL[0], "-c", "exit 0"]}
    text = yaml.safe_dump(
        {"services": {BOX: service(dies=False), f"{BOX}-download": plan, f"{BOX}-plan": plan, **engines}}
    )
    override = tmp_path / "override.yaml"
    override.write_text(re.sub(rf"(?m)^  ({BOX}-\S+):$", r"  \1:\n    deploy: !reset null", text))  # there is no GPU
    command: list[str | Path] = [COMPOSE, "-p", PROJECT, "--project-directory", ROOT, "-f", ROOT / "compose.yaml"]
    command += ["-f", override, "--profile", BOX]
    try:
        done = subprocess.run([*command, "up", "-d", "--no-build", BOX], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        names = docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"name={PROJECT}").stdout.decode().split()
        states = {each["Name"].removeprefix(f"/{PROJECT}-"): each["State"] for each in map(inspect, names)}
        assert states[f"{BOX}-1"]["Running"]
        if dead is None:  # one that dies is started again twice
            started = [states[f"{BOX}-{name}"]["StartedAt"] for name in ("plan-1", "engine-1-1", "engine-2-1", "1")]
            assert started == sorted(started)
        living = [name for name in ("engine-1", "engine-2") if name != dead]
        assert all(states[f"{BOX}-{name}-1"]["Running"] for name in living)
    finally:
        subprocess.run([*command, "down", "-v", "-t", "1"], capture_output=True, check=False)


def inspect(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(docker("inspect", name).stdout)
    return found[0]
