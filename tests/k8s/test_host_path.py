"""A folder of the node as the engines' cache: whoever runs there fetches into it."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from serve.deploy import profile as profiles
from serve.deploy.profile import Profile
from tests.k8s.test_chart import CHART, KEYS, each_box, objects, run, values
from tests.k8s.test_chart import helm as helm
from tests.k8s.test_manifests import VERSIONS, pod_of

FOLDER = "/var/lib/polydraft"
ON_NODE = ("--set", f"engine.cache.hostPath={FOLDER}")
VOLUME = {"name": "cache", "hostPath": {"path": FOLDER, "type": "Directory"}}


def claims(rendered: dict[tuple[str, str], Any]) -> set[str]:
    found = {kind for kind, _ in rendered if kind in ("PersistentVolumeClaim", "Job")}
    return found | {kind for (kind, _), each in rendered.items() if "volumeClaimTemplates" in each["spec"]}


@each_box
def test_each_pod_fetches_into_the_folder_of_its_node(box: Profile, helm: Path) -> None:
    """A Job could run on another node, and would fill that one's."""
    rendered = objects(helm, box, *ON_NODE)
    assert claims(rendered) == set()
    assert ("NetworkPolicy", f"{box.name}-download") not in rendered
    engines = rendered["StatefulSet", f"{box.name}-engines"]
    kubernetes_validate.validate(engines, VERSIONS[-1], strict=True)
    pod = pod_of(engines)
    assert pod is not None
    assert [each for each in pod["volumes"] if each["name"] == "cache"] == [VOLUME]
    first = pod["initContainers"][0]
    assert (first["name"], first["args"][0]) == ("download", "fetch")
    assert {"name": "cache", "mountPath": "/cache"} in first["volumeMounts"]


def test_every_node_of_one_engine_has_its_folder(helm: Path) -> None:
    box = profiles.load_named("rtx-pro-2000-x4")
    rendered = objects(helm, box, *ON_NODE, "--set", "engine.nodes=2", "--set", "engine.apart=true")
    group = rendered["LeaderWorkerSet", f"{box.name}-engines"]["spec"]["leaderWorkerTemplate"]
    assert "volumeClaimTemplates" not in group
    for role in ("leaderTemplate", "workerTemplate"):
        assert VOLUME in group[role]["spec"]["volumes"]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("engine.cache.existingClaim=mine", "the cache is given twice"),
        ("engine.cache.storageClassName=fast", "the cache is given twice"),
        ("engine.cache.hostPath=models", "hostPath"),
        ("engine.cache.hostPath=/", "hostPath"),
    ],
    ids=["a claim too", "a class of claims", "relative", "the whole node"],
)
def test_two_caches_or_no_folder_are_refused(setting: str, problem: str, helm: Path) -> None:
    given = (*ON_NODE, "--set", setting)
    done = run(helm, "template", "release", CHART, "-f", values(profiles.load_named("gb10")), *KEYS, *given)
    assert done.returncode != 0
    assert problem in done.stderr
