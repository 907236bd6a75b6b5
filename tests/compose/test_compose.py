import functools
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from serve.deploy import limits, models
from serve.deploy import profile as profiles
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.placement import placed
from serve.deploy.profile import Profile
from serve.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")
BOXES = [profile for profile in map(profiles.load_named, profiles.names()) if profile.host.accelerator != "cpu"]
DRAIN = ("drain_delay", "drain_timeout")
each_box = pytest.mark.parametrize("box", BOXES, ids=lambda box: box.name)


@functools.cache
def compose(*arguments: str, **variables: str) -> str:
    """Run the real Compose without an engine, in an environment of its own; once for whoever asks the same."""
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": "unix:///nowhere", "HOME": "/nonexistent", **variables}
    command: list[str | Path] = [COMPOSE, "--project-directory", ROOT, "-f", ROOT / "compose.yaml", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def services(box: Profile) -> dict[str, Any]:
    """What Compose understands of a box's services."""
    found: dict[str, Any] = json.loads(compose("--profile", box.name, "config", "--format", "json"))["services"]
    return found


def engines(box: Profile) -> dict[str, Any]:
    """The engines of a box by name."""
    understood = services(box)
    return {engine.name: understood[f"{box.name}-{engine.name}"] for engine in placed(box)}


@each_box
def test_compose_accepts_the_profile(box: Profile) -> None:
    compose("--profile", box.name, "config", "--quiet")


def test_compose_accepts_all_profiles_at_once() -> None:
    compose("--profile", "*", "config", "--quiet")


def test_nothing_starts_that_was_not_named() -> None:
    assert json.loads(compose("config", "--format", "json"))["services"] == {}


def test_the_files_follow_the_compose_specification() -> None:
    # The specification knows no tag that takes a value away; what Compose makes of lan.yaml is tested below.
    files = [ROOT / "compose.yaml", *sorted({*(ROOT / "compose").glob("*.yaml")} - {ROOT / "compose/lan.yaml"})]
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run([checker, "--builtin-schema", "vendor.compose-spec", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@each_box
def test_the_service_that_is_named_like_the_profile_brings_its_engines(box: Profile) -> None:
    understood = services(box)
    engines = {f"{box.name}-{engine.name}" for engine in placed(box)}
    assert understood.keys() == {box.name, f"{box.name}-download", f"{box.name}-plan", *engines}
    assert understood[box.name]["depends_on"].keys() == engines


def overridden(page: str, profile: str, folder: Path) -> dict[str, Any]:
    """What Compose makes of a profile with the very override that a page of the documentation shows."""
    shown = (ROOT / "docs" / page).read_text(encoding="utf-8").partition("# compose.override.yaml\n")[2]
    override = folder / "compose.override.yaml"
    override.write_text(textwrap.dedent(shown.partition("\n\n")[0]))
    given: dict[str, Any] = json.loads(compose("-f", str(override), "--profile", profile, "config", "--format", "json"))
    return given


def opened(profile: str, **variables: str) -> dict[str, Any]:
    """What Compose makes of a profile with the override that opens its router to a network."""
    lan = ("-f", str(ROOT / "compose/lan.yaml"), "--profile", profile, "config", "--format", "json")
    given: dict[str, Any] = json.loads(compose(*lan, **variables))
    return given


@pytest.mark.parametrize("profile", profiles.names())
def test_a_router_that_is_open_to_a_network_asks_for_keys(profile: str) -> None:
    given = opened(profile)
    router = given["services"][profile]
    assert router["environment"]["POLYDRAFT_KEYS_FILE"] == "/run/secrets/keys"
    assert "POLYDRAFT_WITHOUT_KEYS" not in router["environment"]
    assert [secret["target"] for secret in router["secrets"]] == ["/run/secrets/keys"]
    assert given["secrets"]["keys"]["file"] == str(ROOT / "keys")
    assert [(port["host_ip"], port["published"]) for port in router["ports"]] == [("0.0.0.0", "8000")]


def test_opening_a_router_changes_nothing_else() -> None:
    box = profiles.load_named("gb10")
    plain = services(box)
    given = opened("gb10")["services"]
    assert {name: each for name, each in given.items() if name != "gb10"} == {
        name: each for name, each in plain.items() if name != "gb10"
    }
    changed = {key for key in given["gb10"] if given["gb10"][key] != plain["gb10"].get(key)}
    assert changed == {"environment", "ports", "secrets"}


def test_monitoring_reads_a_router_with_keys_if_it_is_let() -> None:
    for given, said in (({}, "false"), ({"POLYDRAFT_OPEN_METRICS": "true"}, "true")):
        assert opened("gb10", **given)["services"]["gb10"]["environment"]["POLYDRAFT_OPEN_METRICS"] == said


def test_a_router_may_be_open_at_one_address_alone() -> None:
    (port,) = opened("gb10", LISTEN_ADDRESS="192.168.1.5", POLYDRAFT_PORT="9000")["services"]["gb10"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("192.168.1.5", "9000", 8000)


@each_box
def test_the_router_gets_its_environment_unharmed(box: Profile) -> None:
    """Compose interpolates and YAML has types of its own; the JSON must survive both."""
    given = services(box)[box.name]["environment"]
    upstreams: dict[str, str | tuple[str, ...]] = {}
    for lane in (lane.name for lane in box.served.lanes):
        urls = [
            f"http://{box.name}-{each.name}:8000" for each in placed(box) if each.engine == box.served.engine_of(lane)
        ]
        urls += [f"http://box-{number}:8101" for number in range(2, box.host.boxes + 1)]
        upstreams[lane] = urls[0] if len(urls) == 1 else tuple(urls)
    own = {"POLYDRAFT_HOST": "0.0.0.0", "POLYDRAFT_PORT": "8000", "POLYDRAFT_WITHOUT_KEYS": "anywhere"}
    own["POLYDRAFT_DRAIN_TIMEOUT"] = "300"
    planned = json.loads(given.pop("POLYDRAFT_PLANNED_MEMORY_GIB"))
    assert planned.keys() == {url for urls in upstreams.values() for url in ([urls] if isinstance(urls, str) else urls)}
    here = {each.name: planned[f"http://{box.name}-{each.name}:8000"] for each in placed(box)}
    for each in placed(box):
        assert here[each.name] == pytest.approx(box.engine_gib(box.served, each.engine), abs=0.01)
    assert given == own | box.router_environment(upstreams)


@each_box
def test_the_engines_get_their_command_and_environment_unharmed(box: Profile) -> None:
    understood = engines(box)
    secrets = dict.fromkeys(["HF_TOKEN", *(["VLLM_API_KEY"] if box.host.boxes > 1 else [])])
    for each in placed(box):
        engine = understood[each.name]
        assert engine["command"] == engine_args(box, each.engine.name, Address("0.0.0.0", 8000))
        own = engine_environment(box) | limits.start_environment(box, each.engine.name)
        assert engine["environment"] == {**own, **secrets}


@each_box
def test_engines_start_one_after_another(box: Profile) -> None:
    plan = {f"{box.name}-plan": ("service_completed_successfully", True)}
    before: dict[str, tuple[str, bool]] = {}
    for name, engine in engines(box).items():
        waits_for = {each: (rule["condition"], rule["required"]) for each, rule in engine["depends_on"].items()}
        assert waits_for == (before | plan if box.copies > 1 else before or plan)
        before = {f"{box.name}-{name}": ("service_healthy", box.copies == 1)}


@each_box
def test_a_copy_that_does_not_come_up_keeps_neither_the_next_nor_the_router_from_it(box: Profile) -> None:
    rules = services(box)[box.name]["depends_on"].values()
    assert {rule["required"] for rule in rules} == {box.copies == 1}


@each_box
def test_memory_is_planned_before_any_engine_starts_and_counts_those_that_run(box: Profile) -> None:
    plan = services(box)[f"{box.name}-plan"]
    assert plan["restart"] == "no"
    waits_for = {each: rule["condition"] for each, rule in plan["depends_on"].items()}
    assert waits_for == {f"{box.name}-download": "service_completed_successfully"}
    assert int(plan["mem_limit"]) == 512 * 2**20
    first, name, *given = plan["command"]
    assert (first, name) == ("plan", box.name)
    urls = [word for engine in engines(box) for word in ("--engine", f"{engine}=http://{box.name}-{engine}:8000")]
    assert given == urls
    (device,) = plan["deploy"]["resources"]["reservations"]["devices"]
    assert (device["count"], device["capabilities"]) == (box.host.gpus, ["gpu", "utility"])


@each_box
def test_models_are_fetched_before_the_plan_without_a_gpu_into_the_engines_cache(box: Profile) -> None:
    """An hour's download after the plan would make its reading of the memory an hour old."""
    download = services(box)[f"{box.name}-download"]
    assert "deploy" not in download
    assert download["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert download["entrypoint"] == ["python3", "/opt/polydraft/models.py"]
    verb, *fetched = download["command"]
    body = box.served
    wanted = [body.model, *(lane.speculative_config.model for lane in body.lanes if lane.speculative_config)]
    assert (verb, [each.partition("@")[0] for each in fetched]) == ("fetch", wanted)
    for engine in engines(box).values():
        assert engine["image"] == download["image"]
        assert engine["volumes"] == download["volumes"]


def test_a_pinned_model_is_fetched_at_its_commit_and_not_refused() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    one = profiles.load_named("rtx-pro-2000")
    pinned = one.model_copy(
        update={"bodies": one.bodies | {one.body: one.served.model_copy(update={"revision": commit})}}
    )
    assert models.download(pinned.served) == ["fetch", f"{one.served.model}@{commit}"]
    assert "POLYDRAFT_UNPINNED" not in engine_environment(pinned)
    assert engine_environment(one)["POLYDRAFT_UNPINNED"] == one.served.model


@each_box
def test_an_engine_is_what_goes_when_memory_runs_out(box: Profile) -> None:
    for each in placed(box):
        engine = engines(box)[each.name]
        assert engine["oom_score_adj"] == 500
        cap = limits.cap_gib(box, each.engine.name)
        assert ("mem_limit" in engine) == (cap is not None)
        if cap is not None:
            assert int(engine["mem_limit"]) == int(engine["memswap_limit"]) == cap * 2**30, "nothing is swapped"


@each_box
def test_scratch_space_is_bounded(box: Profile) -> None:
    """It is memory, of which half the machine's is a container's otherwise."""
    for service in services(box).values():
        assert all("size=" in each for each in service["tmpfs"])


@each_box
def test_engines_may_take_a_quarter_of_an_hour_to_load_and_are_not_restarted_for_ever(box: Profile) -> None:
    for engine in engines(box).values():
        together = box.host.unified_memory and len(engines(box)) > 1  # started at once they would overrun it
        assert engine["restart"] == ("no" if together else "on-failure:2")
        assert engine["healthcheck"]["start_period"] in ("1h0m0s", "1h")


@each_box
def test_engines_get_every_gpu_of_the_box_or_each_its_own(box: Profile) -> None:
    own: list[str] = []
    for engine in engines(box).values():
        (device,) = engine["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        if box.host.replicas:
            own += device["device_ids"]
        else:
            assert device["count"] == box.host.gpus
    assert own == ([str(index) for index in range(box.host.gpus)] if box.host.replicas else [])


SPARKS = profiles.load_named("gb10-x2")


def test_a_further_box_runs_its_engine_alone_and_publishes_it_at_its_own_address() -> None:
    given = json.loads(compose("--profile", "gb10-x2-box-2", "config", "--format", "json", BOX_2="192.168.100.2"))
    names = ("gb10-x2-box-2-download", "gb10-x2-box-2-plan", "gb10-x2-box-2")
    download, plan, engine = (given["services"].pop(name) for name in names)
    assert plan["depends_on"].keys() == {names[0]}
    assert download["command"] == services(SPARKS)["gb10-x2-download"]["command"]
    assert given["services"] == {}
    (port,) = engine["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("192.168.100.2", "8101", 8000)
    waits_for = {name: rule["condition"] for name, rule in engine["depends_on"].items()}
    assert waits_for == {"gb10-x2-box-2-plan": "service_completed_successfully"}
    assert plan["command"] == ["plan", "gb10-x2", "--engine", "engine=http://gb10-x2-box-2:8000"]
    first = services(SPARKS)["gb10-x2-engine"]
    different = {"ports", "depends_on", "profiles", "networks"}
    assert {key: value for key, value in engine.items() if key not in different} == {
        key: value for key, value in first.items() if key not in different
    }


@pytest.mark.parametrize(("given", "address"), [({}, "127.0.0.1"), ({"BOX_2": "192.168.100.2"}, "192.168.100.2")])
def test_the_router_finds_the_further_box_at_the_address_it_was_told(given: dict[str, str], address: str) -> None:
    understood = json.loads(compose("--profile", "gb10-x2", "config", "--format", "json", **given))
    assert understood["services"]["gb10-x2"]["extra_hosts"] == [f"box-2={address}"]


def test_a_key_for_the_engines_of_two_boxes_comes_by_an_override(tmp_path: Path) -> None:
    given = overridden("boxes.md", "gb10-x2", tmp_path)
    router = given["services"]["gb10-x2"]
    assert router["environment"]["POLYDRAFT_ENGINE_KEY_FILE"] == "/run/secrets/engine-key"
    assert [secret["target"] for secret in router["secrets"]] == ["/run/secrets/engine-key"]
    assert given["secrets"]["engine-key"]["file"].endswith("/engine-key")


def test_nobody_else_s_engine_is_published_until_an_address_was_told() -> None:
    given = json.loads(compose("--profile", "gb10-x2-box-2", "config", "--format", "json"))
    assert [port["host_ip"] for port in given["services"]["gb10-x2-box-2"]["ports"]] == ["127.0.0.1"]


@each_box
def test_only_the_router_is_published_and_only_to_this_machine(box: Profile) -> None:
    for name, service in services(box).items():
        addresses = [port.get("host_ip") for port in service.get("ports", [])]
        assert addresses == (["127.0.0.1"] if name == box.name else [])


@each_box
def test_containers_have_no_privileges(box: Profile) -> None:
    for service in services(box).values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert service["read_only"] is True
        assert service["pids_limit"] > 0
    users = {name: service["user"] for name, service in services(box).items()}
    routers = {box.name, f"{box.name}-plan"}
    assert users == {name: "10001:10001" if name in routers else "2000:0" for name in users}


@each_box
def test_containers_may_finish_what_they_are_doing(box: Profile) -> None:
    understood = services(box)
    given = understood[box.name]["environment"]
    waits = [int(given.get(f"POLYDRAFT_{name.upper()}", Settings.model_fields[name].default)) for name in DRAIN]
    assert understood[box.name]["stop_grace_period"] == "5m10s"
    assert sum(waits) + 5 <= 310
    for lane, engine in engines(box).items():
        assert engine["stop_grace_period"] == "5m30s"
        assert engine["command"][engine["command"].index("--shutdown-timeout") + 1] == "300", lane


@each_box
def test_what_compose_builds_is_in_the_repository(box: Profile) -> None:
    for service in services(box).values():
        context = Path(service["build"]["context"])
        assert context == ROOT
        assert (context / service["build"]["dockerfile"]).is_file()
