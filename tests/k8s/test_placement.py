"""Where engines and their download may run: by the labels of NVIDIA's GPU feature discovery, and beside whom."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from serve.deploy import profile as profiles
from serve.deploy.profile import Profile
from tests.k8s.test_chart import BOXES, KEYS, ROOT, each_box, objects, run, values
from tests.k8s.test_chart import helm as helm

GPU = "nvidia.com/gpu"
# What feature discovery tells of a node: nvidia-smi's MiB a card, and no memory where the system shares it.
GB10 = {"compute.major": 12, "compute.minor": 1, "count": 1}
PRO_2000 = {"compute.major": 12, "compute.minor": 0, "memory": 16311, "count": 1}
PRO_5000 = PRO_2000 | {"memory": 48935}
PRO_6000 = PRO_2000 | {"memory": 97887}
NODES = {
    "one GB10": GB10,
    **{f"{count} x PRO 2000": PRO_2000 | {"count": count} for count in (1, 4)},
    "1 x PRO 5000": PRO_5000,
    **{f"{count} x PRO 6000": PRO_6000 | {"count": count} for count in (1, 2, 4, 8)},
}
FOURS, SIXES = ("4 x PRO 6000", "8 x PRO 6000"), ("1 x PRO 6000", "2 x PRO 6000", "4 x PRO 6000", "8 x PRO 6000")
GOES_TO = {
    "gb10": {"one GB10"},
    "gb10-compare": {"one GB10"},
    "gb10-x2": {"one GB10"},
    "rtx-pro-2000": {"1 x PRO 2000", "4 x PRO 2000", "1 x PRO 5000", *SIXES},
    "rtx-pro-2000-x4": {"4 x PRO 2000", *FOURS},
    "rtx-pro-2000-x4-replicas": {"4 x PRO 2000", *FOURS},
    "rtx-pro-6000": set(SIXES),
    "rtx-pro-6000-compare": {"1 x PRO 6000"},  # its second engine is shown every card of the node
    "rtx-pro-6000-x2": {"2 x PRO 6000", *FOURS},
    "rtx-pro-6000-x4": set(FOURS),
    "rtx-pro-6000-x8": {"8 x PRO 6000"},
}


def matches(expression: Mapping[str, Any], labels: Mapping[str, int]) -> bool:
    """As the scheduler compares: In takes the very text, Gt a whole number, and neither a label that isn't there."""
    value = labels.get(expression["key"].removeprefix(f"{GPU}."))
    if value is None:
        return False
    if expression["operator"] == "In":
        return str(value) in expression["values"]
    assert expression["operator"] == "Gt"
    (bound,) = expression["values"]
    return value > int(bound)


def affinities(rendered: Mapping[tuple[str, str], Any]) -> list[Any]:
    """The node affinities of whatever runs where the GPUs are."""
    pods = [each["spec"]["template"]["spec"] for (kind, _), each in rendered.items() if kind in ("StatefulSet", "Job")]
    return [pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] for pod in pods]


@each_box
def test_engines_and_the_download_go_where_the_profile_s_gpus_are_and_nowhere_else(box: Profile, helm: Path) -> None:
    """A volume of one node holds them there: a download on the wrong one would never give the engines another."""
    asked = affinities(objects(helm, box))
    assert len(asked) == (2 if box.host.boxes == 1 else 1)
    for each in asked:
        (term,) = each["nodeSelectorTerms"]
        taken = {name for name, node in NODES.items() if all(matches(one, node) for one in term["matchExpressions"])}
        assert taken == GOES_TO[box.name]


def test_an_engine_over_two_nodes_asks_each_for_its_share(helm: Path) -> None:
    box = profiles.load_named("rtx-pro-2000-x4")
    rendered = objects(helm, box, "--set", "engine.nodes=2", "--set", "engine.apart=true")
    group = rendered["LeaderWorkerSet", f"{box.name}-engines"]["spec"]["leaderWorkerTemplate"]
    for role in ("leaderTemplate", "workerTemplate"):
        affinity = group[role]["spec"]["affinity"]["nodeAffinity"]
        ((term,),) = [each["nodeSelectorTerms"] for each in affinity.values()]
        (count,) = [each for each in term["matchExpressions"] if each["key"] == f"{GPU}.count"]
        assert (count["operator"], count["values"]) == ("Gt", ["1"])


def test_without_labels_engines_that_share_gpus_want_nodes_that_are_named(helm: Path) -> None:
    """They see all that a node has, so somebody has to say that this is no more than is theirs."""
    box = profiles.load_named("rtx-pro-6000-compare")
    unlabelled = ("--set", "engine.matchComputeCapability=false")
    refused = run(helm, "template", "release", ROOT / "k8s/chart", "-f", values(box), *KEYS, *unlabelled)
    assert refused.returncode != 0
    assert "engines that share GPUs see all of a node's" in refused.stderr
    named = objects(helm, box, *unlabelled, "--set", "nodeSelector.box=one-card")
    pod = named["StatefulSet", f"{box.name}-engines"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"box": "one-card"}
    assert "affinity" not in pod
    alone = profiles.load_named("rtx-pro-6000")
    assert (
        "affinity"
        not in objects(helm, alone, *unlabelled)["StatefulSet", f"{alone.name}-engines"]["spec"]["template"]["spec"]
    )


COPIED = [box for box in BOXES if box.copies * box.host.boxes > 1]


@pytest.mark.parametrize("box", COPIED, ids=lambda box: box.name)
def test_copies_are_on_one_box_with_one_cache_or_each_on_its_own_with_its_own(box: Profile, helm: Path) -> None:
    engines = objects(helm, box)["StatefulSet", f"{box.name}-engines"]["spec"]
    pod = engines["template"]["spec"]
    apart = box.host.boxes > 1
    (term,) = pod["affinity"]["podAntiAffinity" if apart else "podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"] == engines["selector"]
    own = [claim["metadata"]["name"] for claim in engines.get("volumeClaimTemplates", [])]
    shared = [volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert (own, shared) == ((["cache"], []) if apart else ([], ["cache"]))
    assert engines["podManagementPolicy"] == ("Parallel" if apart else "OrderedReady")
