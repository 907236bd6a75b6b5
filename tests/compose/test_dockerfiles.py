import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "images").glob("*/*Dockerfile"))
each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: f"{path.parent.name}-{path.name}")


@each_dockerfile
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", dockerfile], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@each_dockerfile
def test_what_is_copied_is_in_the_repository_and_in_the_build_context(dockerfile: Path) -> None:
    """The context is the repository less what the Dockerfile's own `.dockerignore` leaves out."""
    ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore").read_text().splitlines()
    kept = [line[1:] for line in ignored if line[:1] == "!"]
    instructions = [line.split() for line in dockerfile.read_text().splitlines()]
    copies = [line[1:-1] for line in instructions if line[:1] == ["COPY"] and not line[1].startswith("--from")]
    sources = [source for copy in copies for source in copy]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in kept


@each_dockerfile
def test_versions_stand_in_the_pins_alone(dockerfile: Path) -> None:
    froms = [line.split()[1] for line in dockerfile.read_text().splitlines() if line.startswith("FROM ")]
    assert set(froms) - {"scratch"} == {"${BASE_IMAGE}"}


@each_dockerfile
def test_the_image_does_not_run_as_root(dockerfile: Path) -> None:
    users = [line.split()[1] for line in dockerfile.read_text().splitlines() if line.startswith("USER ")]
    assert users
    assert not users[-1].startswith(("0", "root"))
