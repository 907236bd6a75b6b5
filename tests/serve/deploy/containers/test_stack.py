"""Which containers a profile is made of, in which order, and what is left of it without drafters."""

import json

import pytest

from serve.deploy import profile as profiles
from serve.deploy.containers.definition import Owner
from serve.deploy.containers.stack import Stack, stack, without_drafters
from tests.serve.deploy.containers.standing_in import builds


def made(name: str, *, drafters: bool = True) -> Stack:
    return stack(profiles.load_named(name), builds("test"), Owner("polydraft", name, drafters), {})


def test_models_come_first_engines_one_after_another_and_the_router_last() -> None:
    assert [each.service for each in made("gb10").all] == ["gb10-download", "gb10-engine", "gb10-gate", "gb10"]
    compared = [each.service for each in made("gb10-compare").all]
    assert compared[0] == "gb10-compare-download"
    assert compared[1:] == ["gb10-compare-mtp", "gb10-compare-body", "gb10-compare-gate", "gb10-compare"]


def test_where_one_lane_serves_there_is_nothing_to_prove() -> None:
    assert made("rtx-pro-2000").gate is None
    assert made("gb10", drafters=False).gate is None
    assert made("rtx-pro-2000-x4-replicas").gate is not None, "copies are held against each other"


def test_the_gate_s_router_is_the_router_but_nobody_finds_it() -> None:
    wanted = made("gb10")
    assert wanted.gate is not None
    gate, router = wanted.gate.document, wanted.router.document
    assert gate["Env"] == router["Env"]
    assert gate["HostConfig"] | {"PortBindings": 1, "RestartPolicy": 1} == router["HostConfig"] | {
        "PortBindings": 1,
        "RestartPolicy": 1,
    }
    assert "PortBindings" not in gate["HostConfig"]
    assert gate["NetworkingConfig"]["EndpointsConfig"]["polydraft_default"]["Aliases"] == ["gb10-gate"]


def test_copies_start_one_after_another_each_on_a_gpu_of_its_own() -> None:
    wanted = made("rtx-pro-2000-x4-replicas")
    assert wanted.copies
    requests = [each.document["HostConfig"]["DeviceRequests"] for each in wanted.engines]
    assert [request["DeviceIDs"] for (request,) in requests] == [["0"], ["1"], ["2"], ["3"]]
    assert not made("gb10").copies


def test_a_further_box_s_services_are_no_part_of_this_one() -> None:
    owner = Owner("polydraft", "gb10-x2")
    wanted = stack(profiles.load_named("gb10-x2"), builds("test"), owner, {"BOX_2": "192.168.100.2"})
    assert not any("box-2" in each.name for each in wanted.all)
    assert wanted.router.document["HostConfig"]["ExtraHosts"] == ["box-2:192.168.100.2"]


def test_each_image_is_known_by_what_it_is_built_from() -> None:
    assert {image.name: image.dockerfile for image in made("gb10").images} == {
        "polydraft-engine:test": "images/engine/Dockerfile",
        "polydraft-router:test": "images/router/Dockerfile",
    }
    for image in made("gb10").images:
        assert image.labels["org.opencontainers.image.version"] == image.arguments["POLYDRAFT_VERSION"]


@pytest.mark.parametrize(
    ("name", "drafting"),
    [
        ("gb10", {"polydraft-gb10-engine-1"}),
        ("gb10-compare", {"polydraft-gb10-compare-mtp-1"}),
        ("rtx-pro-2000", set()),
    ],
    ids=["one engine", "an engine a lane", "no drafter"],
)
def test_only_an_engine_with_drafters_has_any_to_lose(name: str, drafting: set[str]) -> None:
    assert made(name).drafting == drafting
    assert made(name, drafters=False).drafting == set()


def test_without_drafters_the_body_s_engine_and_lane_are_left() -> None:
    wanted = made("gb10", drafters=False)
    (engine,) = wanted.engines
    assert not {"--additional-config", "--speculative-config"} & set(engine.document["Cmd"])
    environment = dict(each.split("=", 1) for each in wanted.router.document["Env"])
    assert [lane["name"] for lane in json.loads(environment["POLYDRAFT_LANES"])] == ["body"]
    rows = json.loads(environment["POLYDRAFT_TABLE"])
    assert {candidate["lane"] for row in rows for candidate in row["candidates"]} == {"body"}


def test_a_body_s_engine_of_its_own_is_the_same_without_the_others() -> None:
    """So that it is kept, where a drafter's engine is given up."""
    full, plain = made("gb10-compare"), made("gb10-compare", drafters=False)
    assert plain.engines[0].fingerprint == full.engines[1].fingerprint


def test_every_profile_for_a_gpu_can_lose_its_drafters() -> None:
    for name in profiles.names():
        plain = without_drafters(profiles.load_named(name))
        profiles.check(name, plain.model_dump(mode="json", by_alias=True, exclude={"name"}, exclude_none=True))
