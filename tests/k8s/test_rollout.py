"""What an upgrade, a node that is drained or full, and a router that hangs meet."""

from pathlib import Path
from typing import Any

import pytest

from serve.deploy.profile import Profile
from tests.k8s.test_chart import BOXES, each_box, objects
from tests.k8s.test_chart import helm as helm

GPU_TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def job(helm: Path, *arguments: str) -> tuple[str, Any]:
    """The download's name and what it is."""
    found = [
        (name, each["spec"]) for (kind, name), each in objects(helm, BOXES[0], *arguments).items() if kind == "Job"
    ]
    (only,) = found
    return only


def router(helm: Path, box: Profile, *arguments: str) -> dict[str, Any]:
    (container,) = objects(helm, box, *arguments)["Deployment", box.name]["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize(
    "setting",
    [
        "engine.image.tag=another",
        "engine.tokenSecret=hub",
        "engine.models[0].revision=0123456789abcdef0123456789abcdef01234567,engine.models[0].model=a/b",
        "engine.cache.existingClaim=mine",
        "engine.download.tries=3",
        "nodeSelector.box=spark",
    ],
)
def test_a_download_that_differs_in_anything_is_another_job(setting: str, helm: Path) -> None:
    """A Job's template can't be changed: under its old name the upgrade would fail."""
    name, spec = job(helm)
    assert (name, spec) == job(helm), "the same one isn't fetched again"
    other, changed = job(helm, "--set", setting)
    assert changed != spec
    assert other != name


@each_box
def test_a_rollout_may_last_as_long_as_an_engine_loads(box: Profile, helm: Path) -> None:
    assert objects(helm, box)["Deployment", box.name]["spec"]["progressDeadlineSeconds"] == 3600 + 3600 + 900
    longer = objects(helm, box, "--set", "engine.loadSeconds=7200")["Deployment", box.name]["spec"]
    assert longer["progressDeadlineSeconds"] == 7200 + 3600 + 900


@each_box
def test_an_engine_is_evicted_before_the_router(box: Profile, helm: Path) -> None:
    """Class Guaranteed: every container asks for all that it may take."""
    asked = router(helm, box)["resources"]
    assert asked["requests"] == asked["limits"]
    assert asked["limits"].keys() == {"cpu", "memory"}


def test_a_router_that_is_not_ready_keeps_no_node_from_being_drained(helm: Path) -> None:
    budget = objects(helm, BOXES[0])["PodDisruptionBudget", BOXES[0].name]["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["maxUnavailable"] == 1


@each_box
def test_what_wants_a_gpu_s_node_tolerates_its_taint(box: Profile, helm: Path) -> None:
    rendered = objects(helm, box)
    for (kind, _), document in rendered.items():
        if kind in ("StatefulSet", "Job"):
            assert GPU_TAINT in document["spec"]["template"]["spec"]["tolerations"]
    assert "tolerations" not in rendered["Deployment", box.name]["spec"]["template"]["spec"]


def test_a_router_that_hangs_is_started_again_and_one_with_a_full_house_is_not(helm: Path) -> None:
    """tests/serve/test_probe.py runs this very command against both."""
    box = BOXES[0]
    probes = router(helm, box)
    port = str(probes["ports"][0]["containerPort"])
    assert probes["livenessProbe"]["exec"]["command"] == ["python", "-m", "serve.probe", port, "--alive"]
    assert probes["livenessProbe"]["timeoutSeconds"] > 4, "it tries twice, for two seconds each"
    assert probes["readinessProbe"]["httpGet"]["path"] == "/readyz"
