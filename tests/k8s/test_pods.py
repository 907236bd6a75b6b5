"""What every pod has: who may pull its images, how it ranks, and how it is probed."""

from pathlib import Path
from typing import Any

import pytest

from serve.deploy.profile import Profile
from tests.k8s.test_chart import BOXES, CHART, KEYS, each_box, objects, run, values
from tests.k8s.test_chart import helm as helm
from tests.k8s.test_manifests import pod_of

GIVEN = ("--set", "imagePullSecrets[0].name=registry", "--set", "priorityClassName=serving")


def pods(helm: Path, box: Profile, *arguments: str) -> dict[str, dict[str, Any]]:
    return {kind: pod for (kind, _), each in objects(helm, box, *arguments).items() if (pod := pod_of(each))}


@each_box
def test_every_pod_may_pull_and_has_the_priority_that_is_given(box: Profile, helm: Path) -> None:
    found = pods(helm, box, *GIVEN)
    assert found.keys() == {"Deployment", "StatefulSet", "Pod", *(["Job"] if box.host.boxes == 1 else [])}
    for pod in found.values():
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["priorityClassName"] == "serving"
    for pod in pods(helm, box).values():
        assert not {"imagePullSecrets", "priorityClassName"} & pod.keys()
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("imagePullSecrets[0]=registry", "imagePullSecrets"),
        ("imagePullSecrets[0].secret=registry", "imagePullSecrets"),
        ("priorityClassName=Not_A_Name", "priorityClassName"),
        ("engine.gpuMemoryMiB=96Gi", "gpuMemoryMiB"),
    ],
    ids=["a text", "another word", "no name", "no number"],
)
def test_what_is_no_name_is_refused(setting: str, problem: str, helm: Path) -> None:
    done = run(helm, "template", "release", CHART, "-f", values(BOXES[0]), *KEYS, "--set", setting)
    assert done.returncode != 0
    assert problem in done.stderr


def test_a_busy_router_has_more_than_a_second_to_say_that_it_is_ready(helm: Path) -> None:
    (router,) = pods(helm, BOXES[0])["Deployment"]["containers"]
    probe = router["readinessProbe"]
    assert 1 < probe["timeoutSeconds"] < probe["periodSeconds"]
