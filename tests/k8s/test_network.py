"""Whom the pods may reach, and who them."""

from pathlib import Path
from typing import Any

from serve.deploy.profile import Profile
from tests.k8s.test_chart import BOXES, each_box, objects
from tests.k8s.test_chart import helm as helm
from tests.k8s.test_manifests import LEDGER

NAMES = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
HUB = {"ports": [{"port": 443, "protocol": "TCP"}]}


def policy(helm: Path, box: Profile, suffix: str, *arguments: str) -> dict[str, Any]:
    spec: dict[str, Any] = objects(helm, box, *arguments)["NetworkPolicy", box.name + suffix]["spec"]
    return spec


@each_box
def test_the_router_reaches_engines_and_names_alone(box: Profile, helm: Path) -> None:
    spec = policy(helm, box, "")
    engines = objects(helm, box)["StatefulSet", f"{box.name}-engines"]["spec"]["selector"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [NAMES, {"to": [{"podSelector": engines}]}]


@each_box
def test_engines_and_the_download_reach_the_model_hub(box: Profile, helm: Path) -> None:
    assert policy(helm, box, "-engines")["egress"] == [NAMES, HUB]
    if box.host.boxes == 1:
        assert policy(helm, box, "-download")["egress"] == [NAMES, HUB]


def test_further_ways_out_are_added(helm: Path) -> None:
    box = BOXES[0]
    allowed = ("--set-json", f"router.allowedTo={LEDGER}", "--set-json", f"engine.allowedTo={LEDGER}")
    for suffix in ("", "-engines", "-download"):
        last = policy(helm, box, suffix, *allowed)["egress"][-1]
        assert last == {
            "to": [{"podSelector": {"matchLabels": {"app": "valkey"}}}],
            "ports": [{"port": 6379, "protocol": "TCP"}],
        }


def test_the_way_out_may_be_left_open(helm: Path) -> None:
    box = BOXES[0]
    for suffix in ("", "-engines", "-download"):
        spec = policy(helm, box, suffix, "--set", "router.restrictEgress=false", "--set", "engine.restrictEgress=false")
        assert spec["policyTypes"] == ["Ingress"]
        assert "egress" not in spec


def test_engines_are_the_router_s_alone_until_somebody_may_read_their_metrics(helm: Path) -> None:
    box = BOXES[0]
    router = {"podSelector": objects(helm, box)["Deployment", box.name]["spec"]["selector"]}
    assert policy(helm, box, "-engines")["ingress"] == [{"from": [router]}]
    peer = '{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}'
    opened = policy(helm, box, "-engines", "--set-json", f"engine.metricsFrom=[{peer}]")["ingress"]
    namespace = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert opened == [{"from": [router, namespace]}]
