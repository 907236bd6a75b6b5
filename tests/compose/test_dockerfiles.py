import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = [ROOT / "images/router/Dockerfile", ROOT / "images/engine/Dockerfile"]
each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)


@each_dockerfile
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", dockerfile], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@each_dockerfile
def test_what_is_copied_is_in_the_repository_and_in_the_build_context(dockerfile: Path) -> None:
    """The context is the repository less what `Dockerfile.dockerignore` leaves out."""
    kept = [
        line[1:] for line in dockerfile.with_name("Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    instructions = [line.split() for line in dockerfile.read_text().splitlines()]
    sources = [line[1] for line in instructions if line[:1] == ["COPY"] and not line[1].startswith("--from")]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in kept


@each_dockerfile
def test_versions_stand_in_the_pins_alone(dockerfile: Path) -> None:
    froms = [line.split()[1] for line in dockerfile.read_text().splitlines() if line.startswith("FROM ")]
    assert set(froms) == {"${BASE_IMAGE}"}


@each_dockerfile
def test_the_image_does_not_run_as_root(dockerfile: Path) -> None:
    users = [line.split()[1] for line in dockerfile.read_text().splitlines() if line.startswith("USER ")]
    assert users
    assert not users[-1].startswith(("0", "root"))


def test_every_pin_says_why() -> None:
    pins = tomllib.loads((ROOT / "images/pins.toml").read_text(encoding="utf-8"))
    for name, pin in pins.items():
        assert pin.keys() == {"image", "tag", "digest", "why"}, name
        assert pin["tag"] != "latest"
        assert pin["digest"] == "unresolved" or pin["digest"].startswith("sha256:")
        assert len(pin["why"]) > 20


def test_the_router_s_python_is_the_one_its_libraries_are_locked_for() -> None:
    pins = tomllib.loads((ROOT / "images/pins.toml").read_text(encoding="utf-8"))
    assert pins["router"]["tag"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}-")
