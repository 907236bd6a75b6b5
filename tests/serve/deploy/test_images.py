"""What images are called: one name in Compose, in the chart's values, in bake, and for whoever starts them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from serve import __version__
from serve.deploy import images
from serve.deploy.images import LOCKS, PATCHES, Build, Builds
from serve.errors import ConfigError
from tests.serve.deploy.test_render import copy_sources

ROOT = Path(__file__).resolve().parents[3]
BUILDS = images.load(ROOT)
KINDS = {"router": BUILDS.router, "engine": BUILDS.engine, "engine-cpu": BUILDS.engine_cpu}


def every(each: Builds) -> tuple[Build, ...]:
    return each.router, each.engine, each.engine_cpu


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    copy_sources(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_tag_is_the_version_and_what_else_is_in_the_image(kind: str) -> None:
    version, _, whole = KINDS[kind].tag.rpartition("-")
    assert version == __version__
    assert len(whole) == 8
    assert int(whole, 16) >= 0
    assert KINDS[kind].repository == f"polydraft-{kind}"


@pytest.mark.parametrize("kind", LOCKS)
def test_another_lock_is_another_tag_for_its_image_alone(kind: str, repository: Path) -> None:
    before = images.load(repository)
    lock = repository / LOCKS[kind]
    text = lock.read_text(encoding="utf-8")
    lock.write_text(text + "one-more==1\n", encoding="utf-8")
    after = images.load(repository)
    changed = {old.repository for old, new in zip(every(before), every(after), strict=True) if old.tag != new.tag}
    assert changed == {f"polydraft-{kind}"}
    lock.write_text(text, encoding="utf-8")
    assert images.load(repository) == before, "and back"


def test_another_base_or_patch_is_another_tag(repository: Path) -> None:
    before = images.load(repository).engine.tag
    series = repository / PATCHES
    series.mkdir(parents=True)
    (series / "0001-one.patch").write_text("one")
    patched = images.load(repository).engine.tag
    (series / "0001-one.patch").write_text("another of that name")
    assert len({before, patched, images.load(repository).engine.tag}) == 3
    pins = repository / "images/pins.toml"
    text = pins.read_text(encoding="utf-8")
    tags = [each.tag for each in every(images.load(repository))]
    for digest in ("0" * 64, "1" * 64):
        pins.write_text(text.replace('digest = "unresolved"', f'digest = "sha256:{digest}"'), encoding="utf-8")
        tags += [each.tag for each in every(images.load(repository))]
    assert len(set(tags)) == len(tags)


def test_a_lock_that_is_missing_is_named(repository: Path) -> None:
    (repository / LOCKS["engine"]).unlink()
    with pytest.raises(ConfigError, match=r"images/engine/requirements-gpu.txt: can't be read"):
        images.load(repository)


def test_compose_and_the_chart_s_values_name_the_same_images() -> None:
    known = {build.image for build in every(BUILDS)}
    for path in (ROOT / "compose").glob("compose.*.yaml"):
        services = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
        assert {each["image"] for each in services.values()} <= known
    for path in (ROOT / "k8s/values").glob("*.yaml"):
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert values["router"]["image"]["tag"] == BUILDS.router.tag
        assert values["engine"]["image"]["tag"] == BUILDS.engine.tag


@pytest.mark.parametrize("tag", ["", "1.2.3"], ids=["its own", "given"])
def test_bake_builds_what_compose_and_the_chart_name(tag: str) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode
    ):
        pytest.skip("there is no docker buildx, so what bake would build is NOT looked at")
    command = ["docker", "buildx", "bake", "-f", "images/docker-bake.hcl", "-f", "images/pins.hcl", "--print"]
    variables = ["env", "REGISTRY=registry.example/team/", f"TAG={tag}"]
    done = subprocess.run([*variables, *command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    targets = json.loads(done.stdout)["target"]
    assert {name: target["tags"] for name, target in targets.items()} == {
        kind: [f"registry.example/team/polydraft-{kind}:{tag or build.tag}"] for kind, build in KINDS.items()
    }
