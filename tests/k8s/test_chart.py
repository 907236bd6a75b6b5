import functools
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.deploy import limits
from serve.deploy import profile as profiles
from serve.deploy.engine_args import Address, engine_args
from serve.deploy.profile import Profile

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "k8s/chart"
BOXES = [profile for profile in map(profiles.load_named, profiles.names()) if profile.host.accelerator != "cpu"]
# While the pins aren't resolved, the chart is told to leave it to the engines to refuse.
KEYS = ("--set", "router.keysSecret=polydraft-keys", "--set", "engine.unpinned=leave")
each_box = pytest.mark.parametrize("box", BOXES, ids=lambda box: box.name)


@pytest.fixture(scope="session", params=["4", "3"], ids=["helm4", "helm3"])
def helm(request: pytest.FixtureRequest) -> Path:
    """The real Helm, of both majors in use; `make test` has downloaded them."""
    spec = importlib.util.spec_from_file_location("get_helm", Path(__file__).with_name("get_helm.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path: Path = module.ensure_helm(request.param)
    return path


@functools.cache
def run(helm: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Helm, once for whoever asks the same: the chart doesn't change meanwhile."""
    return subprocess.run([helm, *arguments], capture_output=True, text=True, check=False)


def values(box: Profile) -> Path:
    return ROOT / f"k8s/values/{box.name}.yaml"


def objects(helm: Path, box: Profile, *arguments: str) -> dict[tuple[str, str], Any]:
    """What Helm renders for a box, by kind and name."""
    done = run(helm, "template", "release", CHART, "-f", values(box), *KEYS, *arguments)
    assert done.returncode == 0, done.stderr
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}


def engine_containers(helm: Path, box: Profile) -> list[Any]:
    """The engines' containers in the order in which the kubelet starts them, after models and plan."""
    pod = objects(helm, box)["StatefulSet", f"{box.name}-engines"]["spec"]["template"]["spec"]
    _models, _plan, *sidecars = pod["initContainers"]
    return [*sidecars, *pod["containers"]]


@each_box
def test_lint_finds_nothing(box: Profile, helm: Path) -> None:
    done = run(helm, "lint", "--strict", CHART, "-f", values(box), *KEYS)
    assert done.returncode == 0, done.stdout


@each_box
def test_the_chart_renders_one_of_each_object(box: Profile, helm: Path) -> None:
    rendered = objects(helm, box)
    fetching = {(kind, name) for kind, name in rendered if kind == "Job"}
    assert len(fetching) == (1 if box.host.boxes == 1 else 0)
    if fetching:
        fetching |= {("NetworkPolicy", f"{box.name}-download"), ("PersistentVolumeClaim", f"{box.name}-cache")}
    assert rendered.keys() == fetching | {
        ("Pod", f"{box.name}-ready"),
        ("PodDisruptionBudget", box.name),
        ("NetworkPolicy", box.name),
        ("Deployment", box.name),
        ("Service", box.name),
        ("StatefulSet", f"{box.name}-engines"),
        ("Service", f"{box.name}-engines"),
        ("NetworkPolicy", f"{box.name}-engines"),
    }


@each_box
def test_the_router_gets_its_environment_and_finds_the_engines(box: Profile, helm: Path) -> None:
    rendered = objects(helm, box)
    (router,) = rendered["Deployment", box.name]["spec"]["template"]["spec"]["containers"]
    given = {variable["name"]: variable["value"] for variable in router["env"]}
    service, engines = (
        rendered["Service", f"{box.name}-engines"]["spec"],
        rendered["StatefulSet", f"{box.name}-engines"],
    )
    assert (service["clusterIP"], engines["spec"]["serviceName"]) == ("None", f"{box.name}-engines")
    ports = {port["name"]: port["port"] for port in service["ports"]}
    pods = [f"{box.name}-engines-{number}.{box.name}-engines" for number in range(engines["spec"]["replicas"])]
    serving = {lane.name: box.served.engine_of(lane.name).name for lane in box.served.lanes}
    urls = {lane: tuple(f"http://{pod}:{ports[engine]}" for pod in pods) for lane, engine in serving.items()}
    upstreams = {lane: each[0] if len(each) == 1 else each for lane, each in urls.items()}
    own = {"POLYDRAFT_HOST": "0.0.0.0", "POLYDRAFT_PORT": "8000", "POLYDRAFT_KEYS_FILE": "/etc/polydraft/keys"}
    drain = {"POLYDRAFT_DRAIN_DELAY": "10", "POLYDRAFT_DRAIN_TIMEOUT": "300"}
    planned = json.loads(given.pop("POLYDRAFT_PLANNED_MEMORY_GIB"))
    assert planned.keys() == {url for each in urls.values() for url in each}
    for lane, each in urls.items():
        gib = box.engine_gib(box.served, box.served.engine_of(lane))
        assert [planned[url] for url in each] == [pytest.approx(gib, abs=0.01)] * len(each)
    assert given == own | drain | box.router_environment(upstreams)


@pytest.mark.parametrize(
    ("chosen", "seconds"), [((), 315), ((20, 60), 85), ((0, 1), 6)], ids=["default", "long", "short"]
)
def test_a_pod_is_killed_only_after_its_router_has_had_its_time(
    chosen: tuple[int, ...], seconds: int, helm: Path
) -> None:
    names = ("router.drainDelay", "router.drainTimeout")
    arguments = [word for name, value in zip(names, chosen, strict=False) for word in ("--set", f"{name}={value}")]
    pod = objects(helm, BOXES[0], *arguments)["Deployment", BOXES[0].name]["spec"]["template"]["spec"]
    given = {variable["name"]: variable["value"] for variable in pod["containers"][0]["env"]}
    periods = [int(given[f"POLYDRAFT_DRAIN_{each}"]) for each in ("DELAY", "TIMEOUT")]
    assert pod["terminationGracePeriodSeconds"] == sum(periods) + 5 == seconds


def test_a_pod_takes_requests_until_a_failed_readiness_probe_has_been_noted(helm: Path) -> None:
    pod = objects(helm, BOXES[0])["Deployment", BOXES[0].name]["spec"]["template"]["spec"]
    (router,) = pod["containers"]
    delay = next(each["value"] for each in router["env"] if each["name"] == "POLYDRAFT_DRAIN_DELAY")
    assert int(delay) > router["readinessProbe"]["periodSeconds"]


def test_keys_come_from_a_secret_as_a_folder_so_that_a_change_reaches_the_router(helm: Path) -> None:
    pod = objects(helm, BOXES[0])["Deployment", BOXES[0].name]["spec"]["template"]["spec"]
    assert {"name": "keys", "secret": {"secretName": "polydraft-keys"}} in pod["volumes"]
    mounts = pod["containers"][0]["volumeMounts"]
    assert {"name": "keys", "mountPath": "/etc/polydraft", "readOnly": True} in mounts  # a subPath would never change


def test_without_keys_the_chart_wants_to_be_told_so(helm: Path) -> None:
    plain = ("template", "release", CHART, "-f", values(BOXES[0]), *KEYS[2:])
    refused = run(helm, *plain)
    assert refused.returncode != 0
    assert "router.keysSecret" in refused.stderr
    told = run(helm, *plain, "--set", "router.withoutKeys=anywhere")
    assert told.returncode == 0
    assert "POLYDRAFT_WITHOUT_KEYS" in told.stdout
    assert "secretName" not in told.stdout


@each_box
def test_the_engines_get_their_arguments_in_order(box: Profile, helm: Path) -> None:
    containers = engine_containers(helm, box)
    assert [each["name"] for each in containers] == [engine.name for engine in box.served.engines]
    for container in containers:
        (port,) = container["ports"]
        address = Address("0.0.0.0", port["containerPort"])
        assert container["args"] == engine_args(box, container["name"], address)


@each_box
def test_every_start_of_an_engine_is_counted_and_looks_at_the_memory_first(box: Profile, helm: Path) -> None:
    """The kubelet starts a container again and again, and the plan not once more."""
    counted = []
    for container in engine_containers(helm, box):
        given = {each["name"]: each.get("value") for each in container["env"]}
        counted.append(Path(given["POLYDRAFT_STARTS"]))
        assert counted[-1].parent == Path("/tmp")
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
        own = limits.start_environment(box, container["name"])
        assert {name: given[name] for name in given if name == "POLYDRAFT_START_GIB"} == own
    assert len(set(counted)) == len(counted), "containers of a pod share it"
    pod = objects(helm, box)["StatefulSet", f"{box.name}-engines"]["spec"]["template"]["spec"]
    assert {"name": "tmp", "emptyDir": {"sizeLimit": "4Gi"}} in pod["volumes"]
    assert pod["terminationGracePeriodSeconds"] == 330


@each_box
def test_engines_start_one_after_another(box: Profile, helm: Path) -> None:
    """The kubelet starts a sidecar's successor when its startup probe succeeds, and the container after all of them."""
    *sidecars, last = engine_containers(helm, box)
    assert [each.get("restartPolicy") for each in sidecars] == ["Always"] * len(sidecars)
    assert "restartPolicy" not in last
    assert all("startupProbe" in each for each in sidecars)


@each_box
def test_engines_may_take_half_an_hour_to_load(box: Profile, helm: Path) -> None:
    for container in engine_containers(helm, box):
        probe = container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 30 * 60


@each_box
def test_the_pods_hold_the_box_s_gpus_once_and_every_engine_sees_its_own(box: Profile, helm: Path) -> None:
    first, *others = engine_containers(helm, box)
    engines = objects(helm, box)["StatefulSet", f"{box.name}-engines"]["spec"]
    held = [each["resources"].get("limits", {}).get("nvidia.com/gpu", 0) for each in (first, *others)]
    assert sum(held) * engines["replicas"] == box.host.gpus * box.host.boxes
    if box.host.replicas:
        assert set(held) == {box.host.tensor_parallel_size}
        return
    for other in others:
        assert "nvidia.com/gpu" not in other["resources"].get("limits", {})
        assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"} in other["env"]


def test_on_unified_memory_the_engines_caps_leave_the_reserve_free(helm: Path) -> None:
    """Every engine may hold what the others don't plan to; the plans themselves must fit together."""
    box = profiles.load_named("gb10")
    assert box.host.memory is not None
    available = box.host.memory.gib - box.host.memory.reserve_gib
    containers = engine_containers(helm, box)
    requests = {each["name"]: int(each["resources"]["requests"]["memory"].removesuffix("Gi")) for each in containers}
    limits = {each["name"]: int(each["resources"]["limits"]["memory"].removesuffix("Gi")) for each in containers}
    assert sum(requests.values()) <= available
    for name in requests:
        others = sum(box.engine_gib(box.served, engine) for engine in box.served.engines if engine.name != name)
        assert requests[name] <= limits[name] <= available - others


@each_box
def test_containers_have_no_privileges(box: Profile, helm: Path) -> None:
    rendered = objects(helm, box)
    for kind, name in (("Deployment", box.name), ("StatefulSet", f"{box.name}-engines")):
        pod = rendered[kind, name]["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in [*(pod.get("initContainers") or []), *pod["containers"]]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@each_box
def test_kubernetes_adds_no_variable_that_the_router_would_refuse(box: Profile, helm: Path) -> None:
    pod = objects(helm, box)["Deployment", box.name]["spec"]["template"]["spec"]
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        pytest.param("router.replica=2", "replica", id="unknown value"),
        pytest.param("engine.loadSeconds=60", "loadSeconds", id="no time to load"),
        pytest.param("engine.cache.size=plenty", "size", id="not a quantity"),
        pytest.param("router.service.type=Public", "type", id="unknown service type"),
        pytest.param("router.environment.POLYDRAFT_LANES=null", "POLYDRAFT_LANES", id="no lanes for the router"),
    ],
)
def test_the_schema_refuses_bad_values_and_names_them(setting: str, problem: str, helm: Path) -> None:
    done = run(helm, "template", "release", CHART, "-f", values(BOXES[0]), "--set", setting)
    assert done.returncode != 0
    assert problem in done.stderr


def test_the_chart_alone_asks_for_a_profile(helm: Path) -> None:
    done = run(helm, "template", "release", CHART)
    assert done.returncode != 0
    assert "profile" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "affinity"),
    [
        ((), None),
        (("--set", "router.replicas=2"), "ClientIP"),
        (("--set", "router.autoscaling.enabled=true"), "ClientIP"),
        (("--set", "router.replicas=2", "--set", "router.service.sessionAffinity=None"), "None"),
    ],
    ids=["one router", "two", "by load", "spread"],
)
def test_a_client_stays_with_one_of_several_routers(helm: Path, arguments: tuple[str, ...], affinity: str) -> None:
    """The page's sessions and numbers live in one router's memory."""
    box = BOXES[0]
    assert objects(helm, box, *arguments)["Service", box.name]["spec"].get("sessionAffinity") == affinity
