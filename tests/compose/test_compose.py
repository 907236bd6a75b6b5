import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from serve.deploy import memory
from serve.deploy import profile as profiles
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.profile import Profile
from serve.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")
BOXES = [profile for profile in map(profiles.load_named, profiles.names()) if profile.host.accelerator != "cpu"]
DRAIN = ("drain_delay", "drain_timeout")
each_box = pytest.mark.parametrize("box", BOXES, ids=lambda box: box.name)


def compose(*arguments: str) -> str:
    """Run the real Compose without an engine, in an environment of its own."""
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": "unix:///nowhere", "HOME": "/nonexistent"}
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
    return {engine.name: understood[f"{box.name}-{engine.name}"] for engine in box.served.engines}


@each_box
def test_compose_accepts_the_profile(box: Profile) -> None:
    compose("--profile", box.name, "config", "--quiet")


def test_compose_accepts_all_profiles_at_once() -> None:
    compose("--profile", "*", "config", "--quiet")


def test_nothing_starts_that_was_not_named() -> None:
    assert json.loads(compose("config", "--format", "json"))["services"] == {}


def test_the_files_follow_the_compose_specification() -> None:
    files = [ROOT / "compose.yaml", *sorted((ROOT / "compose").glob("*.yaml"))]
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run([checker, "--builtin-schema", "vendor.compose-spec", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@each_box
def test_the_service_that_is_named_like_the_profile_brings_its_engines(box: Profile) -> None:
    understood = services(box)
    engines = {f"{box.name}-{engine.name}" for engine in box.served.engines}
    assert understood.keys() == {box.name, f"{box.name}-plan", *engines}
    assert understood[box.name]["depends_on"].keys() == engines


def test_keys_and_a_public_port_come_by_an_override(tmp_path: Path) -> None:
    """The very file that the documentation shows."""
    readme = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    shown = readme.partition("# compose.override.yaml\n")[2].partition("\n\n")[0]
    override = tmp_path / "compose.override.yaml"
    override.write_text(textwrap.dedent(shown))
    given = json.loads(compose("-f", str(override), "--profile", "gb10", "config", "--format", "json"))
    router = given["services"]["gb10"]
    assert router["environment"]["POLYDRAFT_KEYS_FILE"] == "/run/secrets/keys"
    assert [secret["target"] for secret in router["secrets"]] == ["/run/secrets/keys"]
    assert given["secrets"]["keys"]["file"].endswith("/keys")
    assert [(port.get("host_ip"), port["published"]) for port in router["ports"]] == [(None, "8000")]


@each_box
def test_the_router_gets_its_environment_unharmed(box: Profile) -> None:
    """Compose interpolates and YAML has types of its own; the JSON must survive both."""
    given = services(box)[box.name]["environment"]
    serving = {lane.name: box.served.engine_of(lane.name).name for lane in box.served.lanes}
    upstreams = {lane: f"http://{box.name}-{engine}:8000" for lane, engine in serving.items()}
    own = {"POLYDRAFT_HOST": "0.0.0.0", "POLYDRAFT_PORT": "8000", "POLYDRAFT_WITHOUT_KEYS": "anywhere"}
    planned = given.pop("POLYDRAFT_PLANNED_MEMORY_GIB")
    assert float(planned) == pytest.approx(memory.plan(box, memory.idle(box)).held, abs=0.05)
    assert given == own | box.router_environment(upstreams)


@each_box
def test_the_engines_get_their_command_and_environment_unharmed(box: Profile) -> None:
    for lane, engine in engines(box).items():
        assert engine["command"] == engine_args(box, lane, Address("0.0.0.0", 8000))
        assert engine["environment"] == {**engine_environment(box), "HF_TOKEN": None}


@each_box
def test_engines_start_one_after_another(box: Profile) -> None:
    before, condition = "plan", "service_completed_successfully"
    for lane, engine in engines(box).items():
        waits_for = {name: rule["condition"] for name, rule in engine["depends_on"].items()}
        assert waits_for == {f"{box.name}-{before}": condition}
        before, condition = lane, "service_healthy"


@each_box
def test_memory_is_planned_before_any_engine_starts_and_counts_those_that_run(box: Profile) -> None:
    plan = services(box)[f"{box.name}-plan"]
    assert plan["restart"] == "no"
    assert "depends_on" not in plan
    first, name, *given = plan["command"]
    assert (first, name) == ("plan", box.name)
    urls = [word for engine in engines(box) for word in ("--engine", f"{engine}=http://{box.name}-{engine}:8000")]
    assert given == urls
    (device,) = plan["deploy"]["resources"]["reservations"]["devices"]
    assert (device["count"], device["capabilities"]) == (box.host.gpus, ["gpu", "utility"])


@each_box
def test_an_engine_is_what_goes_when_memory_runs_out(box: Profile) -> None:
    for name, engine in engines(box).items():
        assert engine["oom_score_adj"] == 500
        cap = box.engine_cap(name)
        assert (cap is not None) == box.host.unified_memory
        if cap is not None:
            assert int(engine["mem_limit"]) == int(engine["memswap_limit"]) == cap * 2**30, "nothing is swapped"
            assert box.engine_gib(box.served, box.served.engine(name)) <= cap


@each_box
def test_engines_may_take_a_quarter_of_an_hour_to_load_and_are_not_restarted_for_ever(box: Profile) -> None:
    for engine in engines(box).values():
        assert engine["restart"] == "on-failure:2"
        assert engine["healthcheck"]["start_period"] in ("1h0m0s", "1h")


@each_box
def test_engines_get_every_gpu_of_the_box(box: Profile) -> None:
    for engine in engines(box).values():
        (device,) = engine["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", box.host.gpus, ["gpu"])


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
    assert int(understood[box.name]["stop_grace_period"].removesuffix("s")) >= sum(waits) + 5
    for lane, engine in engines(box).items():
        assert engine["stop_grace_period"] == "1m0s"
        assert engine["command"][engine["command"].index("--shutdown-timeout") + 1] == "30", lane


@each_box
def test_what_compose_builds_is_in_the_repository(box: Profile) -> None:
    for service in services(box).values():
        context = Path(service["build"]["context"])
        assert context == ROOT
        assert (context / service["build"]["dockerfile"]).is_file()
