"""Models on Kubernetes: they are in the cache before the plan, and each is one that can't change unseen."""

import json
from pathlib import Path
from typing import Any

import pytest

from serve.deploy.profile import Profile
from tests.k8s.test_chart import BOXES, CHART, KEYS, each_box, objects, run, values
from tests.k8s.test_chart import helm as helm

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHOSEN = KEYS[:2]  # without the leave that the tests of a clone give


def pod(helm: Path, box: Profile, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = objects(helm, box, *arguments)["StatefulSet", f"{box.name}-engines"]["spec"]["template"]
    return dict(found["spec"])


def pinned(box: Profile) -> tuple[str, str]:
    """Values that give every model of a box a commit."""
    body = box.served
    names = {body.model} | {lane.speculative_config.model for lane in body.lanes if lane.speculative_config}
    return "--set-json", f"engine.models={json.dumps([{'model': each, 'revision': COMMIT} for each in sorted(names)])}"


@each_box
def test_models_are_in_the_cache_before_the_plan(box: Profile, helm: Path) -> None:
    first, plan, *_ = pod(helm, box)["initContainers"]
    assert plan["name"] == "plan"
    assert first["image"].startswith("polydraft-engine:")
    assert "nvidia.com/gpu" not in first["resources"]["limits"]
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in first["env"]
    if box.host.boxes > 1:
        assert first["name"] == "download", "each box has a cache of its own"
        assert {"name": "cache", "mountPath": "/cache"} in first["volumeMounts"]
    else:
        assert first["command"] == ["python3", "/opt/polydraft/models.py"]
        assert first["args"][0] == "wait"
        assert {"name": "cache", "mountPath": "/cache", "readOnly": True} in first["volumeMounts"]


def test_a_pod_waits_for_the_very_commits_that_the_job_fetches(helm: Path) -> None:
    box = next(each for each in BOXES if each.name == "gb10")
    rendered = objects(helm, box, *pinned(box), "--set", "engine.download.seconds=600")
    engines = rendered["StatefulSet", "gb10-engines"]["spec"]["template"]["spec"]
    ((job,),) = [
        each["spec"]["template"]["spec"]["containers"] for (kind, _), each in rendered.items() if kind == "Job"
    ]
    verb, *fetched = job["args"]
    assert verb == "fetch"
    assert engines["initContainers"][0]["args"] == ["wait", "--seconds", "600", *fetched]
    assert all(each.endswith(f"@{COMMIT}") for each in fetched)


@pytest.mark.parametrize("name", ["gb10", "gb10-x2"])
def test_where_nothing_is_to_be_fetched_nothing_is_waited_for(name: str, helm: Path) -> None:
    box = next(each for each in BOXES if each.name == name)
    assert pod(helm, box, "--set", "engine.download.enabled=false")["initContainers"][0]["name"] == "plan"


@each_box
def test_every_container_asks_for_memory_and_has_a_limit(box: Profile, helm: Path) -> None:
    """One without is taken first where a node runs short, and takes the node's first."""
    for document in objects(helm, box).values():
        template = document["spec"].get("template", {}).get("spec", {})
        for container in [*template.get("initContainers", ()), *template.get("containers", ())]:
            assert "memory" in container["resources"]["requests"], container["name"]
            assert "memory" in container["resources"]["limits"], container["name"]


def test_a_rollout_s_patience_counts_the_download(helm: Path) -> None:
    box = BOXES[0]
    for given, seconds in (("true", 3600 + 3600 + 900), ("false", 3600 + 900)):
        spec = objects(helm, box, "--set", f"engine.download.enabled={given}")["Deployment", box.name]["spec"]
        assert spec["progressDeadlineSeconds"] == seconds


@each_box
def test_a_model_that_could_change_unseen_is_refused(box: Profile, helm: Path) -> None:
    refused = run(helm, "template", "release", CHART, "-f", values(box), *CHOSEN, "--set-json", floating(box))
    assert refused.returncode != 0
    assert f"{box.served.model}: no commit is pinned" in refused.stderr
    assert "engine.unpinned=allow" in refused.stderr
    assert run(helm, "template", "release", CHART, "-f", values(box), *CHOSEN, *pinned(box)).returncode == 0


def floating(box: Profile) -> str:
    return f"engine.models={json.dumps([{'model': box.served.model}])}"


def test_an_engine_is_told_whether_it_may_serve_what_floats(helm: Path) -> None:
    """By the variable that its entry point looks at: refused while it names a model."""
    box = next(each for each in BOXES if each.name == "gb10")
    given = ("--set-json", floating(box), "--set", f"engine.environment.POLYDRAFT_UNPINNED={box.served.model}")
    said = {}
    for choice in ("leave", "allow"):
        (engine,) = pod(helm, box, *given, "--set", f"engine.unpinned={choice}")["containers"]
        said[choice] = [each["value"] for each in engine["env"] if each["name"] == "POLYDRAFT_UNPINNED"]
    assert said == {"leave": [box.served.model], "allow": [""]}
