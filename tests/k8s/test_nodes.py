"""An engine over several nodes: what the chart makes of the values that docs/boxes.md shows for it."""

import json
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from serve.deploy import profile as profiles
from serve.deploy.engine_args import Address, engine_args
from tests.k8s.test_chart import KEYS, ROOT, objects, run, values
from tests.k8s.test_chart import helm as helm
from tests.k8s.test_manifests import VERSIONS, check_restricted

BOX = profiles.load_named("rtx-pro-2000-x4")
NAME = f"{BOX.name}-engines"
SCHEMA = json.loads(Path(__file__).with_name("crds").joinpath("leaderworkerset.json").read_text())
GROUP, INDEX = "leaderworkerset.sigs.k8s.io/group-index", "leaderworkerset.sigs.k8s.io/worker-index"
HEADLESS = "--headless"


def documented() -> dict[str, Any]:
    """The values that the documentation shows."""
    text = (ROOT / "docs/boxes.md").read_text(encoding="utf-8")
    block = text.partition("    # two-nodes.yaml: ")[2].partition("\n\n")[0].partition("\n")[2]
    return dict(yaml.safe_load(textwrap.dedent(block)))


@pytest.fixture
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    file = tmp_path_factory.mktemp("values") / "two-nodes.yaml"
    file.write_text(yaml.safe_dump(documented()))
    return "-f", str(file)


@pytest.fixture
def rendered(helm: Path, two_nodes: tuple[str, str]) -> dict[tuple[str, str], Any]:
    return objects(helm, BOX, *two_nodes)


def pods_of(rendered: dict[tuple[str, str], Any]) -> list[dict[str, Any]]:
    """The group's pods, the one that serves first, as Kubernetes' own objects."""
    template = rendered["LeaderWorkerSet", NAME]["spec"]["leaderWorkerTemplate"]
    both = (template["leaderTemplate"], template["workerTemplate"])
    named = zip(("first", "other"), both, strict=True)
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {**each["metadata"], "name": name}, "spec": each["spec"]}
        for name, each in named
    ]


def engine_of(pod: dict[str, Any]) -> dict[str, Any]:
    (engine,) = pod["spec"]["containers"]
    return dict(engine)


def test_a_group_of_pods_takes_the_place_of_the_stateful_set(rendered: dict[tuple[str, str], Any]) -> None:
    kinds = {kind for kind, _ in rendered}
    assert not kinds & {"StatefulSet", "Job", "PersistentVolumeClaim"}
    spec = rendered["LeaderWorkerSet", NAME]["spec"]
    assert (spec["replicas"], spec["leaderWorkerTemplate"]["size"]) == (1, documented()["engine"]["nodes"])
    assert spec["startupPolicy"] == "LeaderCreated", "the first is ready only when all ranks are there"


def test_leaderworkerset_takes_it(rendered: dict[tuple[str, str], Any]) -> None:
    group = rendered["LeaderWorkerSet", NAME]
    jsonschema.validate(group, SCHEMA)
    group["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]["containers"][0]["argz"] = []
    with pytest.raises(jsonschema.ValidationError, match="argz"):
        jsonschema.validate(group, SCHEMA)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_its_pods_and_all_around_them(version: str, rendered: dict[tuple[str, str], Any]) -> None:
    claims = rendered["LeaderWorkerSet", NAME]["spec"]["leaderWorkerTemplate"]["volumeClaimTemplates"]
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    others = [document for (kind, _), document in rendered.items() if kind != "LeaderWorkerSet"]
    for document in [*pods_of(rendered), *(claim | each for each in claims), *others]:
        kubernetes_validate.validate(document, version, strict=True)


def test_its_pods_keep_to_the_restricted_rules(rendered: dict[tuple[str, str], Any]) -> None:
    for pod in pods_of(rendered):
        check_restricted(pod["spec"])


def test_every_node_has_its_share_of_the_gpus_and_plans_for_it(rendered: dict[tuple[str, str], Any]) -> None:
    share = BOX.copy_gpus // documented()["engine"]["nodes"]
    for pod in pods_of(rendered):
        _download, plan = pod["spec"]["initContainers"]
        assert plan["args"] == ["plan", BOX.name, "--gpus", str(share)]
        assert [each["resources"]["limits"]["nvidia.com/gpu"] for each in (plan, engine_of(pod))] == [share, share]


def test_ranks_find_one_another_by_vllm_s_own_flags(rendered: dict[tuple[str, str], Any]) -> None:
    (engine,) = BOX.served.engines
    plain = engine_args(BOX, engine.name, Address("0.0.0.0", BOX.engine_port(engine.name)))
    nodes = ["--nnodes", "2", "--node-rank", "$(LWS_WORKER_INDEX)"]
    found = ["--master-addr", "$(LWS_LEADER_ADDRESS)", "--master-port", "29501"]
    first, other = (engine_of(pod) for pod in pods_of(rendered))
    assert first["args"] == plain + nodes + found
    assert other["args"] == [*first["args"], HEADLESS]
    address = {"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    assert address in first["env"]
    assert address in other["env"]


def test_only_the_first_serves_and_is_probed(rendered: dict[tuple[str, str], Any]) -> None:
    first, other = (engine_of(pod) for pod in pods_of(rendered))
    serving = {"ports", "startupProbe", "readinessProbe", "livenessProbe"}
    assert first.keys() - other.keys() == serving
    service = rendered["Service", NAME]["spec"]
    assert service["selector"][INDEX] == "0"
    assert service["publishNotReadyAddresses"] is True, "the others look for the first before it is ready"


def test_the_router_knows_the_first_by_the_name_that_it_gets(rendered: dict[tuple[str, str], Any]) -> None:
    """LeaderWorkerSet 0.9 calls it <set>-<group>, in the headless Service of the set's name."""
    (router,) = rendered["Deployment", BOX.name]["spec"]["template"]["spec"]["containers"]
    lanes = next(json.loads(each["value"]) for each in router["env"] if each["name"] == "POLYDRAFT_LANES")
    assert {lane["upstream"] for lane in lanes} == {f"http://{NAME}-0.{NAME}:8101"}


def test_pods_are_on_nodes_of_their_own_with_a_cache_each(rendered: dict[tuple[str, str], Any]) -> None:
    template = rendered["LeaderWorkerSet", NAME]["spec"]["leaderWorkerTemplate"]
    assert [claim["metadata"]["name"] for claim in template["volumeClaimTemplates"]] == ["cache"]
    for pod in pods_of(rendered):
        (term,) = pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        assert term["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert not any("persistentVolumeClaim" in volume for volume in pod["spec"]["volumes"])


def test_only_pods_of_one_group_talk_to_each_other(helm: Path, two_nodes: tuple[str, str]) -> None:
    rendered = objects(helm, BOX, *two_nodes, "--set", "engine.replicas=2")
    labels = pods_of(rendered)[0]["metadata"]["labels"]
    for group in ("0", "1"):
        spec = rendered["NetworkPolicy", f"{NAME}-{group}"]["spec"]
        ((peer,),) = [rule["from"] for rule in spec["ingress"]]
        ((reached,),) = [rule["to"] for rule in spec["egress"]]
        assert peer["podSelector"] == reached["podSelector"] == spec["podSelector"]
        selected = spec["podSelector"]["matchLabels"]
        assert selected[GROUP] == group
        assert {name: value for name, value in selected.items() if name != GROUP}.items() <= labels.items()


SEVERAL = ("engine.nodes=2", "engine.apart=true")


@pytest.mark.parametrize(
    ("box", "settings", "sentence"),
    [
        pytest.param(BOX.name, SEVERAL[:1], "every node has a cache of its own", id="one cache for all"),
        pytest.param(BOX.name, ("engine.nodes=3", *SEVERAL[1:]), "can't be spread evenly", id="three for four ranks"),
        pytest.param(BOX.name, (*SEVERAL, "engine.gpus=2"), "over all of its nodes", id="the GPUs of one node"),
        pytest.param("gb10-x2", SEVERAL, "can't be spread evenly", id="no tensor parallelism"),
        pytest.param("gb10-compare", SEVERAL, "only one engine can span", id="several engines"),
        pytest.param(
            BOX.name,
            (*SEVERAL, "engine.processes[0].args[1]=--nnodes=2"),
            "--nnodes itself",
            id="a flag of the chart's",
        ),
        pytest.param(
            BOX.name,
            (*SEVERAL, "engine.processes[0].args[1]=--pipeline-parallel-size"),
            "spreads --tensor-parallel-size alone",
            id="pipelines",
        ),
        pytest.param(BOX.name, ("engine.nodes=0",), "nodes", id="none"),
    ],
)
def test_what_cannot_span_nodes_is_refused(box: str, settings: tuple[str, ...], sentence: str, helm: Path) -> None:
    given = [word for setting in settings for word in ("--set", setting)]
    file = values(profiles.load_named(box))
    done = run(helm, "template", "release", ROOT / "k8s/chart", "-f", file, *KEYS, *given)
    assert done.returncode != 0
    assert sentence in done.stderr


CONFIGURE = """
import json, sys
from vllm import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for args in json.load(sys.stdin):
    given = parser.parse_args(args)
    validate_parsed_serve_args(given)
    given.model = given.model_tag
    made = AsyncEngineArgs.from_cli_args(given).create_engine_config(headless=given.headless).parallel_config
    ranks = [made.nnodes, made.node_rank, made.local_world_size]
    print("made", json.dumps([*ranks, made.distributed_executor_backend, made.master_addr]))
"""


@pytest.mark.engine
def test_vllm_makes_of_the_arguments_one_engine_over_two_nodes(rendered: dict[tuple[str, str], Any]) -> None:
    """By its own configuration, for a small model with as many heads as ranks; nothing is started."""
    leader = f"{NAME}-0.{NAME}.default"
    given = {"$(LWS_LEADER_ADDRESS)": leader, BOX.served.model: str(ROOT / "images/demo/gemma4"), "32768": "512"}
    commands = [
        [{**given, "$(LWS_WORKER_INDEX)": str(index)}.get(each, each) for each in engine_of(pod)["args"]]
        for index, pod in enumerate(pods_of(rendered))
    ]
    command: list[str | Path] = [ROOT / ".venv-engine/bin/python", "-c", CONFIGURE]
    written = json.dumps(commands)
    done = subprocess.run(command, input=written, text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    made = [json.loads(line.removeprefix("made ")) for line in done.stdout.splitlines() if line.startswith("made ")]
    assert made == [[2, 0, 2, "mp", leader], [2, 1, 2, "mp", leader]]
