"""What is rendered for Kubernetes against its own schemas, against PodSecurity's rules and against each Helm."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from serve.deploy import images, manifests
from serve.deploy.profile import Profile
from serve.deploy.render import render
from serve.errors import ConfigError
from tests.k8s.test_chart import BOXES, KEYS, ROOT, each_box, objects, run, values
from tests.k8s.test_chart import helm as helm
from tests.serve.deploy.test_render import copy_sources

SERVICE_MONITOR = Path(__file__).with_name("crds") / "servicemonitor.json"
VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
LEDGER = '[{"to": [{"podSelector": {"matchLabels": {"app": "valkey"}}}], "ports": [{"port": 6379, "protocol": "TCP"}]}]'
EVERYTHING = (
    *("--set", "router.autoscaling.enabled=true"),
    *("--set", "router.serviceMonitor.enabled=true", "--set", "router.serviceMonitor.keySecret=scraper"),
    *("--set", "engine.tokenSecret=hub", "--set", "nodeSelector.box=spark"),
    *("--set-json", 'router.allowedFrom=[{"namespaceSelector": {"matchLabels": {"name": "apps"}}}]'),
    *("--set-json", 'tolerations=[{"key": "gpu", "operator": "Exists"}]'),
    *("--set", "router.ledgerSecret=ledger", "--set-json", f"router.allowedTo={LEDGER}"),
    *("--set", "imagePullSecrets[0].name=registry", "--set", "priorityClassName=serving"),
    *("--set-json", 'engine.metricsFrom=[{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]'),
)
RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def pod_of(document: dict[str, Any]) -> dict[str, Any] | None:
    if document["kind"] == "Pod":
        return dict(document["spec"])
    template = document.get("spec", {}).get("template")
    return dict(template["spec"]) if template else None


def check_restricted(pod: dict[str, Any]) -> None:
    """kubernetes.io/docs/concepts/security/pod-security-standards, level "restricted"."""
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] != 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for volume in pod.get("volumes", []):
        assert set(volume) - {"name"} <= RESTRICTED_VOLUMES
    for container in [*(pod.get("initContainers") or []), *pod["containers"]]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert not any("hostPort" in port for port in container.get("ports", []))


def committed(box: Profile) -> list[dict[str, Any]]:
    text = (ROOT / f"k8s/manifests/{box.name}.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("version", VERSIONS)
@each_box
def test_kubernetes_takes_the_manifests(box: Profile, version: str) -> None:
    for document in committed(box):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_whatever_may_be_switched_on(version: str, helm: Path) -> None:
    rendered = objects(helm, BOXES[0], *EVERYTHING)
    assert {kind for kind, _ in rendered} >= {"HorizontalPodAutoscaler", "ServiceMonitor", "Pod"}
    for (kind, _), document in rendered.items():
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_refuse_what_kubernetes_would() -> None:
    document = next(each for each in committed(BOXES[0]) if each["kind"] == "Deployment")
    document["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


def test_prometheus_operator_takes_the_service_monitor(helm: Path) -> None:
    schema = json.loads(SERVICE_MONITOR.read_text())
    monitor = objects(helm, BOXES[0], *EVERYTHING)["ServiceMonitor", BOXES[0].name]
    jsonschema.validate(monitor, schema)
    monitor["spec"]["endpoints"][0]["intervall"] = "1s"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(monitor, schema)


@each_box
def test_every_helm_writes_the_manifests_that_are_committed(box: Profile, helm: Path) -> None:
    text = (ROOT / f"k8s/manifests/{box.name}.yaml").read_text(encoding="utf-8")
    given = values(box).read_text(encoding="utf-8")
    assert text.partition("\n")[2] == manifests.manifest(helm, ROOT, box.name, given)


def test_what_the_chart_refuses_is_no_manifest(helm: Path) -> None:
    with pytest.raises(ConfigError, match=r"helm template refuses gb10: .*profile"):
        manifests.manifest(helm, ROOT, "gb10", "engine: {}\n")


def test_render_leaves_manifests_alone_without_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_sources(tmp_path)
    kept = tmp_path / "k8s/manifests/gb10.yaml"
    kept.parent.mkdir(parents=True)
    kept.write_text("kind: Secret\n")
    monkeypatch.setenv("PATH", "/nowhere")
    render(check=False, root=tmp_path)
    render(check=True, root=tmp_path)
    assert kept.read_text() == "kind: Secret\n"
    assert (tmp_path / "k8s/values/gb10.yaml").is_file()


@each_box
def test_pods_keep_to_the_restricted_rules_of_pod_security(box: Profile, helm: Path) -> None:
    pods = [pod for document in objects(helm, box, *EVERYTHING).values() if (pod := pod_of(document))]
    assert len(pods) == (4 if box.host.boxes == 1 else 3), "a box of its own fetches its models itself"
    for pod in pods:
        check_restricted(pod)


@each_box
def test_the_plan_comes_before_every_engine(box: Profile, helm: Path) -> None:
    pod = objects(helm, box)["StatefulSet", f"{box.name}-engines"]["spec"]["template"]["spec"]
    plan = pod["initContainers"][1]
    several = box.copies * box.host.boxes > 1
    assert plan["args"] == ["plan", box.name, *(["--gpus", str(box.copy_gpus)] if several else [])]
    assert plan["resources"]["limits"]["nvidia.com/gpu"] == box.copy_gpus, "it sees the very GPUs that engines get"
    assert "NVIDIA_VISIBLE_DEVICES" not in {each["name"] for each in plan["env"]}
    assert "restartPolicy" not in plan, "it ends, and what follows waits for that"


@each_box
def test_the_job_fetches_every_model_and_goes_on_where_it_stopped(box: Profile, helm: Path) -> None:
    jobs = [document for (kind, _), document in objects(helm, box).items() if kind == "Job"]
    if box.host.boxes > 1:
        assert jobs == []
        return
    (job,) = jobs
    spec = job["spec"]["template"]["spec"]
    verb, *fetched = spec["containers"][0]["args"]
    served = box.served
    models = {served.model, *(lane.speculative_config.model for lane in served.lanes if lane.speculative_config)}
    assert (verb, {each.partition("@")[0] for each in fetched}) == ("fetch", models)
    assert spec["restartPolicy"] == "OnFailure"
    assert job["spec"]["backoffLimit"] >= 6
    assert {"name": "cache", "mountPath": "/cache"} in spec["containers"][0]["volumeMounts"]


def test_another_model_is_another_job(helm: Path) -> None:
    def job(*more: str) -> str:
        (name,) = [name for kind, name in objects(helm, BOXES[0], *more) if kind == "Job"]
        return name

    revision = "0123456789abcdef0123456789abcdef01234567"
    assert job() == job()
    assert job("--set", f"engine.models[0].revision={revision}", "--set", "engine.models[0].model=a/b") != job()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param(
            ("router.keysSecret=null",), "router.keysSecret to a Secret of API keys", id="nobody said who gets in"
        ),
        pytest.param(
            ("router.keysSecret=null", "router.withoutKeys=anywhere", "router.service.type=LoadBalancer"),
            "lets in who is outside of the cluster",
            id="the whole world without keys",
        ),
        pytest.param(
            ("router.replicas=2", "router.environment.POLYDRAFT_LEDGER=/tmp/ledger"),
            "POLYDRAFT_LEDGER is one router's file",
            id="one ledger for two",
        ),
        pytest.param(
            ("router.autoscaling.enabled=true", "router.autoscaling.minReplicas=9"), "minReplicas", id="more than most"
        ),
        pytest.param(("router.serviceMonitor.enabled=true",), "/metrics needs one", id="a scraper without a key"),
        pytest.param(
            ("engine.apart=true", "engine.cache.existingClaim=mine"),
            "with engine.apart every box has a claim of its own",
            id="one claim for several caches",
        ),
        pytest.param(
            ("engine.processes[0].port=8102", "engine.processes[1].port=8102"),
            "listen on port 8102",
            id="one port twice",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(settings: tuple[str, ...], sentence: str, helm: Path) -> None:
    box = next(box for box in BOXES if len(box.served.engines) > 1)
    given = [word for setting in settings for word in ("--set", setting)]
    done = run(helm, "template", "release", ROOT / "k8s/chart", "-f", values(box), *KEYS, *given)
    assert done.returncode != 0
    assert sentence in done.stderr


def test_an_image_may_be_held_by_its_digest(helm: Path) -> None:
    digest, made = "sha256:" + "0" * 64, images.load(ROOT).router.image
    box = BOXES[0]
    rendered = objects(helm, box, "--set", f"router.image.digest={digest}")
    (router,) = rendered["Deployment", box.name]["spec"]["template"]["spec"]["containers"]
    assert router["image"] == f"{made}@{digest}"
    (plain,) = objects(helm, box)["Deployment", box.name]["spec"]["template"]["spec"]["containers"]
    assert plain["image"] == made


def test_helm_test_asks_the_router_s_own_service(helm: Path) -> None:
    box = BOXES[0]
    rendered = objects(helm, box)
    pod = rendered["Pod", f"{box.name}-ready"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (port,) = rendered["Service", box.name]["spec"]["ports"]
    assert f"http://{box.name}:{port['port']}/readyz" in pod["spec"]["containers"][0]["args"][0]


def test_checkov_finds_nothing_that_is_not_waived_with_a_reason(tmp_path: Path) -> None:
    checkov = ROOT / ".cache/checkov/bin/checkov"
    if not checkov.is_file():
        pytest.skip("no checkov in .cache/checkov (`make .cache/checkov`), so the manifests' policies are NOT checked")
    waived = yaml.safe_load(Path(__file__).with_name("checkov.yaml").read_text())["skip-check"]
    command: list[str | Path] = [checkov, "-d", ROOT / "k8s/manifests", "--framework", "kubernetes", "-o", "json"]
    options = ["--skip-download", "--compact", "--quiet"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    found = {each["check_id"]: each["resource"] for each in json.loads(done.stdout)["results"]["failed_checks"]}
    assert {check: resource for check, resource in found.items() if check not in waived} == {}
    assert waived.keys() <= found.keys(), "a waiver that nothing needs any more"
