"""Copies of engines: on which GPUs they are placed, how much memory each of those needs, and which boxes have none."""

import re
from typing import Any

import pytest

from serve.deploy import memory
from serve.deploy import profile as profiles
from serve.deploy.doctor import examine
from serve.deploy.doctor.finding import go
from serve.deploy.memory import Pool
from serve.deploy.placement import placed, serving
from serve.deploy.profile import Profile
from serve.deploy.reading import CARDS, Printed, Reading
from serve.errors import ConfigError
from serve.settings import Settings
from tests.serve.deploy.doctor.readings import load

FOUR = profiles.load_named("rtx-pro-2000-x4-replicas")
SEED = FOUR.model_copy(update={"body": "seed"})


def host(profile: Profile, **changes: Any) -> dict[str, Any]:
    """A profile as a document, its host changed (underscores for dashes)."""
    document = profile.model_dump(by_alias=True, exclude={"name"}, exclude_none=True)
    document["host"] |= {name.replace("_", "-"): value for name, value in changes.items()}
    return document


def test_every_copy_has_a_gpu_of_its_own() -> None:
    assert [(each.name, each.copy, each.gpus) for each in placed(FOUR)] == [
        (f"body-{number + 1}", number, (number,)) for number in range(4)
    ]
    assert FOUR.copy_gpus == 1


def test_lanes_with_engines_of_their_own_have_gpus_of_their_own_too() -> None:
    assert [(each.name, each.gpus) for each in placed(SEED)] == [
        ("body-1", (0,)), ("eagle3-1", (1,)), ("body-2", (2,)), ("eagle3-2", (3,)),
    ]  # fmt: skip
    assert [each.name for each in serving(SEED, "eagle3")] == ["eagle3-1", "eagle3-2"]
    assert (SEED.copies, SEED.copy_gpus) == (2, 2)


def test_a_copy_may_span_several_gpus() -> None:
    eight = profiles.check("eight", host(profiles.load_named("rtx-pro-6000-x8"), tensor_parallel_size=4))
    assert [(each.name, each.gpus) for each in placed(eight)] == [
        ("engine-1", (0, 1, 2, 3)),
        ("engine-2", (4, 5, 6, 7)),
    ]


@pytest.mark.parametrize("name", ["gb10", "gb10-compare", "gb10-x2", "rtx-pro-2000-x4"])
def test_without_copies_engines_have_their_own_names_and_share_the_gpus(name: str) -> None:
    profile = profiles.load_named(name)
    assert [(each.name, each.gpus) for each in placed(profile)] == [(each.name, ()) for each in profile.served.engines]
    assert profile.copies == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"gpus": 3}, "2 engines with 1 GPUs each don't divide the 3", id="a GPU would be left over"),
        pytest.param({"boxes": 2}, "several boxes have one engine each", id="copies on several boxes"),
        pytest.param({"accelerator": "cpu", "gpus": 0, "gpu": None}, "replicas: each would have GPUs", id="no GPU"),
    ],
)
def test_what_cannot_be_placed_is_refused_in_one_line(changes: dict[str, Any], says: str) -> None:
    document = host(FOUR, **changes)
    document["host"] = {name: value for name, value in document["host"].items() if value is not None}
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        profiles.check("four", document)
    assert "\n" not in str(caught.value)


def test_several_boxes_need_one_engine_a_box() -> None:
    with pytest.raises(ConfigError, match="several boxes have one engine each; set one-engine"):
        profiles.check("two", host(profiles.load_named("gb10-compare"), boxes=2))


def four_cards(*free: int) -> Reading:
    row = "{}, NVIDIA RTX PRO 2000 Blackwell, 580.105.08, 12.0, 16311, {}\n"
    return Reading({}, {CARDS: Printed(0, "".join(row.format(index, left) for index, left in enumerate(free)))})


def test_memory_is_planned_for_the_gpu_that_holds_most() -> None:
    made = memory.plan(SEED, memory.idle(SEED))
    assert list(made.engines) == ["eagle3"]
    assert made.held == pytest.approx(5.12 + 1.33 + 0.3 + 0.75 + 2.0)
    assert memory.plan(FOUR, memory.idle(FOUR)).held == pytest.approx(8.0 + 1.33 + 0.3 + 2.0)


def test_what_a_running_copy_holds_counts_on_its_own_gpu_alone() -> None:
    held = FOUR.engine_gib(FOUR.served, FOUR.served.engines[0]) * 1024
    pool = memory.free(FOUR, four_cards(int(16000 - held), 16000, 15900, 16000))
    assert memory.plan(FOUR, pool).problem
    again = memory.with_running(FOUR, pool, ["body-1"])
    assert again.free == pytest.approx(15900 / 1024)
    assert memory.with_running(FOUR, pool, ["body-2"]).free == pool.free, "the first GPU is as full as it was"
    with pytest.raises(ConfigError, match="no 'body' here; use one of"):
        memory.with_running(FOUR, pool, ["body"])


def test_a_pod_plans_for_the_gpus_that_it_was_given() -> None:
    one = four_cards(16000)
    assert memory.free(FOUR, one, gpus=1) == Pool(16311 / 1024, 16000 / 1024, "the card, by nvidia-smi", (
        (16000 / 1024, 16311 / 1024),
    ))  # fmt: skip
    with pytest.raises(ConfigError, match="needs 4x"):
        memory.free(FOUR, one)


def test_a_node_of_an_engine_over_several_plans_its_share_of_the_ranks_on_its_own_cards() -> None:
    """A card holds as much as where all four are in one box; the fullest of this node's two counts."""
    spread = profiles.load_named("rtx-pro-2000-x4")
    pool = memory.free(spread, four_cards(16000, 15000), gpus=2)
    assert pool.free == 15000 / 1024
    made = memory.plan(spread, pool)
    assert made.held == memory.plan(spread, memory.idle(spread)).held
    assert not made.problem
    assert memory.plan(spread, memory.free(spread, four_cards(16000, 9000), gpus=2)).problem


@pytest.mark.parametrize("name", ["rtx-pro-2000-x4-replicas", "gb10-x2"])
def test_the_doctor_judges_a_box_of_copies_as_it_judges_its_cards(name: str) -> None:
    """Nothing that lies between GPUs matters to engines that span one each."""
    _, reading = load("rtx-pro-2000-x4" if name.startswith("rtx") else "gb10")
    findings = examine.judge(profiles.load_named(name), reading)
    checked = {finding.check for finding in findings}
    assert "memory" in checked
    assert not checked & {"iommu", "acs", "all-reduce"}
    assert go([finding for finding in findings if finding.check in ("gpus", "driver", "memory", "compute capability")])


def test_the_doctor_takes_the_profile_that_has_one_engine_for_all_cards_by_itself() -> None:
    assert examine.fitting(load("rtx-pro-2000-x4")[1]) == "rtx-pro-2000-x4"
    assert examine.fitting(load("gb10")[1]) == "gb10"


@pytest.mark.parametrize("name", profiles.names())
def test_the_router_takes_what_the_profile_tells_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = profiles.load_named(name)
    urls = {lane.name: tuple(f"http://{each.name}:8000" for each in serving(profile, lane.name))
            for lane in profile.served.lanes}  # fmt: skip
    for variable, value in profile.router_environment(urls).items():
        monkeypatch.setenv(variable, value)
    assert {lane.name: lane.engines for lane in Settings().lanes} == urls
