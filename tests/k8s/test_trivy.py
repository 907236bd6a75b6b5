"""What trivy says of the manifests, of whatever the chart can switch on, and of the images' Dockerfiles."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.test_chart import BOXES, ROOT, objects
from tests.k8s.test_chart import helm as helm
from tests.k8s.test_manifests import EVERYTHING
from tests.k8s.test_nodes import BOX, pods_of
from tests.k8s.test_nodes import two_nodes as two_nodes

TRIVY = ROOT / ".cache/trivy/bin/trivy"
WAIVERS = Path(__file__).with_name("trivy.yaml")
# Its checks are in the binary: nothing is fetched, and nobody is told.
OFFLINE = ("--skip-check-update", "--skip-version-check", "--disable-telemetry")
needs_trivy = pytest.mark.skipif(
    not TRIVY.is_file(),
    reason="no trivy in .cache/trivy (`make .cache/trivy`), so manifests and Dockerfiles are NOT checked by it",
)


def findings(folder: Path, cache: Path) -> dict[str, list[dict[str, Any]]]:
    """What trivy finds in a folder, by file; a file that it looked at and found nothing in has an empty list."""
    command: list[str | Path] = [TRIVY, "config", *OFFLINE, "--quiet", "--format", "json", "--cache-dir", cache, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cache)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout).get("Results", [])
    return {each["Target"]: each.get("Misconfigurations", []) for each in results}


@needs_trivy
def test_trivy_finds_nothing_that_is_not_waived_with_a_reason(
    tmp_path: Path, helm: Path, two_nodes: tuple[str, str]
) -> None:
    looked_at, cache = tmp_path / "all", tmp_path / "cache"
    cache.mkdir()
    shutil.copytree(ROOT / "k8s/manifests", looked_at)
    (looked_at / "everything.yaml").write_text(yaml.safe_dump_all(objects(helm, BOXES[0], *EVERYTHING).values()))
    # It doesn't know the kind LeaderWorkerSet, but knows what a pod is.
    (looked_at / "nodes.yaml").write_text(yaml.safe_dump_all(pods_of(objects(helm, BOX, *two_nodes))))
    for dockerfile in (ROOT / "images").glob("*/*Dockerfile"):
        shutil.copy(dockerfile, looked_at / f"{dockerfile.parent.name}.{dockerfile.name}")
    found = findings(looked_at, cache)
    assert found.keys() == {path.name for path in looked_at.iterdir()}, "a file that trivy passed over"
    waived = {each["id"]: each["statement"] for each in yaml.safe_load(WAIVERS.read_text())["misconfigurations"]}
    said = {each["ID"]: (file, each["Message"]) for file, several in found.items() for each in several}
    assert {check: where for check, where in said.items() if check not in waived} == {}
    assert waived.keys() <= said.keys(), "a waiver that nothing needs any more"
    assert all(waived.values())


@needs_trivy
def test_trivy_sees_what_is_wrong(tmp_path: Path) -> None:
    looked_at, cache = tmp_path / "all", tmp_path / "cache"
    for folder in (looked_at, cache):
        folder.mkdir()
    container = {"name": "one", "image": "one:1", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {"containers": [container]}}
    (looked_at / "pod.yaml").write_text(yaml.safe_dump(pod))
    (looked_at / "Dockerfile").write_text("FROM debian:13\nUSER root\n")
    found = {file: {each["Severity"] for each in said} for file, said in findings(looked_at, cache).items()}
    assert found.keys() == {"pod.yaml", "Dockerfile"}
    assert all("HIGH" in severities for severities in found.values())
