"""A Docker engine for the tests: the one that answers, or one of their own, and a base for the images.

Where neither can be had, `Missing` says why; the tests that need one are then skipped with that reason.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serve.deploy import pins as pinning

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".cache/docker"
"""What the tests' own engine keeps between runs: images and the builds' cache. `make clean` removes it."""
BASE = pinning.load(ROOT / pinning.PINS).get("bases", "router").subject
_PACKAGES = "ca-certificates,libnuma1,python3,python3-pip,python3-venv,python-is-python3"
_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_START_LIMIT = 60.0


class Missing(Exception):
    """No engine, or no base; the text says why."""


def docker(*arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    # BuildKit, also by the command of Debian 12, which has it but doesn't take it unasked.
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    command: list[str | Path] = ["docker", *arguments]
    return subprocess.run(command, capture_output=True, text=True, input=given, cwd=ROOT, check=False, env=environment)


def inspect(name: str) -> dict[str, Any]:
    done = docker("inspect", name)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def answers() -> bool:
    return docker("version", "--format", "{{.Server.Version}}").returncode == 0


@contextlib.contextmanager
def running() -> Iterator[None]:
    """See to it that an engine answers: the one that does, or one of our own, which ends with this; else Missing."""
    if shutil.which("docker") is None:
        raise Missing("there is no docker command")
    version = docker("version", "--format", "{{.Client.Version}}").stdout
    if docker("buildx", "version").returncode != 0 and int(version.partition(".")[0] or 0) >= 23:
        raise Missing("docker has no buildx, and a command of this age can't build without")
    if answers():
        yield
        return
    if os.geteuid() or shutil.which("dockerd") is None:
        raise Missing("no Docker engine answers; as root, with Debian's docker.io, the tests start one of their own")
    with tempfile.TemporaryDirectory(prefix="polydraft-docker-") as folder, _own(Path(folder)):
        yield


@contextlib.contextmanager
def _own(folder: Path, *more: str) -> Iterator[None]:
    """Start an engine on a socket of its own, with a hook in the place of NVIDIA's, and point `docker` at it."""
    hook = folder / "bin/nvidia-container-runtime-hook"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\ncat >/dev/null\n")
    hook.chmod(0o755)
    STATE.mkdir(parents=True, exist_ok=True)
    host = f"unix://{folder}/docker.sock"
    places: list[str | Path] = [
        "--data-root",
        STATE.resolve() / "data",
        "--exec-root",
        folder / "exec",
        "--pidfile",
        folder / "pid",
    ]
    log = folder / "log"
    before = os.environ.get("DOCKER_HOST")
    with log.open("w") as output:
        engine = subprocess.Popen(
            ["dockerd", "-H", host, *places, *more],
            stdout=output,
            stderr=output,
            env={**os.environ, "PATH": f"{hook.parent}:{os.environ['PATH']}"},
            start_new_session=True,
        )
    os.environ["DOCKER_HOST"] = host
    try:
        deadline = time.monotonic() + _START_LIMIT
        while not answers():
            if engine.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"dockerd didn't start: {log.read_text().strip().splitlines()[-1][-300:]}")
            time.sleep(0.2)
        yield
    finally:
        engine.terminate()
        engine.wait(60)
        os.environ.pop("DOCKER_HOST")
        if before is not None:
            os.environ["DOCKER_HOST"] = before


def base() -> str:
    """Return the images' base under its own name: there, pulled, or made from Debian's packages; else Missing."""
    if docker("image", "inspect", BASE).returncode == 0 or docker("pull", "-q", BASE).returncode == 0:
        return BASE
    if os.geteuid() or shutil.which("debootstrap") is None:
        raise Missing(f"{BASE} can't be pulled; as root, with Debian's debootstrap, the tests make a stand-in for it")
    with tempfile.TemporaryDirectory(prefix="polydraft-base-") as folder:
        root = Path(folder) / "root"
        _run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", root)
        # Where something on the way re-signs TLS, what runs in the image must trust it as this machine does.
        for certificate in sorted(_CERTIFICATES.glob("*.crt")):
            shutil.copy(certificate, root / str(_CERTIFICATES).lstrip("/"))
        _run("chroot", root, "update-ca-certificates")
        archive = Path(folder) / "base.tar"
        _run("tar", "-C", root, "-c", "--exclude=./var/cache/apt/archives/*.deb", "-f", archive, ".")
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        trust = [word for name in ("PIP_CERT", "SSL_CERT_FILE") for word in ("-c", f"ENV {name}={bundle}")]
        _run("docker", "import", *trust, "-c", 'CMD ["python"]', archive, BASE)
    return BASE


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
