"""What is to be done, by what is seen: values in, steps out."""

from dataclasses import replace

import pytest

from serve.deploy.containers.stack import Stack
from serve.deploy.containers.steps import Choice, Do, Seen, SeenImage, Sight, Step, down, proof, steps, undrafted
from tests.serve.deploy.containers.test_stack import made

GB10 = made("gb10")
ENGINE, GATE, ROUTER = "polydraft-gb10-engine-1", "polydraft-gb10-gate-1", "polydraft-gb10-1"
DOWNLOAD = "polydraft-gb10-download-1"
FETCHED = (Do.KEEP, DOWNLOAD)


def there(wanted: Stack) -> Sight:
    """Everything as it should be."""
    images = {image.name: SeenImage(f"id of {image.name}", image.labels) for image in wanted.images}
    containers = {
        each.name: Seen(each.fingerprint, images[each.image].id, running=True, health="healthy") for each in wanted.all
    }
    assert wanted.download is not None
    ended = replace(containers[wanted.download.name], running=False, health="")
    containers[wanted.download.name] = ended
    volumes = frozenset(wanted.owner.volume(volume) for volume in wanted.volumes)
    sight = Sight(images, containers, volumes, network=True)
    if wanted.gate is not None:
        seen = replace(containers[wanted.gate.name], running=False, health="", proof=proof(wanted, sight))
        sight = replace(sight, containers=containers | {wanted.gate.name: seen})
    return sight


def but(sight: Sight, name: str, **changes: object) -> Sight:
    return replace(sight, containers={**sight.containers, name: replace(sight.containers[name], **changes)})  # type: ignore[arg-type]


def without(sight: Sight, *names: str) -> Sight:
    return replace(sight, containers={name: seen for name, seen in sight.containers.items() if name not in names})


def brief(found: list[Step]) -> list[tuple[Do, str]]:
    return [(step.do, step.what) for step in found]


def test_from_nothing_all_is_done_in_order() -> None:
    assert brief(steps(GB10, Sight(), Choice())) == [
        (Do.BUILD, "polydraft-engine:test"),
        (Do.BUILD, "polydraft-router:test"),
        (Do.NETWORK, "polydraft_default"),
        (Do.VOLUME, "polydraft_gb10-cache"),
        (Do.DOWNLOAD, DOWNLOAD),
        (Do.PLAN, "gb10"),
        (Do.START, ENGINE),
        (Do.GATE, GATE),
        (Do.START, ROUTER),
    ]


def test_what_is_as_it_should_be_is_kept() -> None:
    found = brief(steps(GB10, there(GB10), Choice()))
    assert found == [FETCHED, (Do.KEEP, ENGINE), (Do.KEEP, GATE), (Do.KEEP, ROUTER)]


def test_one_that_is_still_loading_is_kept() -> None:
    found = steps(GB10, but(there(GB10), ENGINE, health="starting"), Choice())
    assert (Do.KEEP, ENGINE) in brief(found)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fingerprint": "other"}, "its configuration is another now"),
        ({"image": "other"}, "its image is another now"),
        ({"running": False, "exit_code": 137}, "it has stopped, exit code 137"),
        ({"health": "unhealthy"}, "it is unhealthy"),
    ],
    ids=["configuration", "image", "stopped", "unhealthy"],
)
def test_an_engine_that_can_t_be_kept_is_replaced_and_proven_before_anybody_is_served(
    changes: dict[str, object], why: str
) -> None:
    found = steps(GB10, but(there(GB10), ENGINE, **changes), Choice())
    assert brief(found) == [
        FETCHED,
        (Do.REMOVE, ROUTER),
        (Do.REMOVE, ENGINE),
        (Do.START, ENGINE),
        (Do.REMOVE, GATE),
        (Do.GATE, GATE),
        (Do.START, ROUTER),
    ]
    assert found[2].why == why


def test_a_router_alone_is_replaced_at_the_end() -> None:
    found = brief(steps(GB10, but(there(GB10), ROUTER, fingerprint="other"), Choice()))
    assert found == [FETCHED, (Do.KEEP, ENGINE), (Do.KEEP, GATE), (Do.REMOVE, ROUTER), (Do.START, ROUTER)]


def test_without_the_gate_the_router_is_left_to_serve() -> None:
    found = brief(steps(GB10, but(there(GB10), ENGINE, running=False), Choice(gate=False)))
    assert found == [FETCHED, (Do.REMOVE, ENGINE), (Do.START, ENGINE), (Do.KEEP, ROUTER)]


@pytest.mark.parametrize(
    "sight",
    [without(there(GB10), GATE), but(there(GB10), GATE, proof="of others"), but(there(GB10), GATE, running=True)],
    ids=["never tried", "other engines", "broken off"],
)
def test_engines_that_run_unproven_are_proven_while_they_serve(sight: Sight) -> None:
    found = brief(steps(GB10, sight, Choice()))
    assert [each for each in found if each[0] is not Do.REMOVE] == [
        FETCHED,
        (Do.KEEP, ENGINE),
        (Do.GATE, GATE),
        (Do.KEEP, ROUTER),
    ]


def test_engines_that_must_go_go_before_another_starts() -> None:
    compared = made("gb10-compare")
    sight = there(compared)
    for engine in compared.engines:
        sight = but(sight, engine.name, fingerprint="other")
    verbs = [step.do for step in steps(compared, sight, Choice()) if "gate" not in step.what]
    assert verbs == [Do.KEEP, Do.REMOVE, Do.REMOVE, Do.REMOVE, Do.START, Do.START, Do.START]


def test_an_image_that_isn_t_what_the_pins_say_is_built_again() -> None:
    sight = there(GB10)
    old = SeenImage("old", {"org.opencontainers.image.version": "0.0.1"})
    found = steps(GB10, replace(sight, images={**sight.images, "polydraft-engine:test": old}), Choice())
    assert found[0] == Step(Do.BUILD, "polydraft-engine:test", "the one that is there isn't what the pins say")
    assert (Do.START, ENGINE) in brief(found)
    assert (Do.GATE, GATE) in brief(found)


def test_images_are_pulled_where_a_registry_is_named_and_built_anew_where_that_is_asked_for() -> None:
    assert str(steps(GB10, Sight(), Choice("registry.example/team/"))[0]) == (
        "pull polydraft-engine:test (from registry.example/team/)"
    )
    built = [step for step in steps(GB10, there(GB10), Choice(build=True)) if step.do is Do.BUILD]
    assert [step.why for step in built] == ["asked for", "asked for"]


def test_what_is_no_part_of_it_any_more_goes_first() -> None:
    sight = there(GB10)
    left = {"polydraft-gb10-eagle3-1": sight.containers[ENGINE]}
    found = steps(GB10, replace(sight, containers={**sight.containers, **left}), Choice())
    assert found[1] == Step(Do.REMOVE, "polydraft-gb10-eagle3-1", "no part of this any more")


def test_a_stack_without_drafters_needs_no_gate_and_takes_its_record_away() -> None:
    plain = made("gb10", drafters=False)
    found = brief(steps(plain, there(GB10), Choice()))
    assert (Do.REMOVE, GATE) in found
    assert Do.GATE not in {verb for verb, _ in found}
    assert found[-2:] == [(Do.REMOVE, ROUTER), (Do.START, ROUTER)]


def test_containers_without_drafters_are_known_again() -> None:
    assert not undrafted(GB10, there(GB10))
    off = but(there(GB10), ROUTER, drafters=False)
    assert undrafted(GB10, off)
    assert undrafted(GB10, but(without(off, ROUTER), ENGINE, drafters=False)), "before there is a router"
    assert not undrafted(GB10, Sight())


def test_what_has_no_drafters_to_lose_says_nothing_of_them() -> None:
    """It was made while they were off, and is kept now that they are on again."""
    compared = made("gb10-compare")
    kept = ("polydraft-gb10-compare-body-1", "polydraft-gb10-compare-download-1")
    sight = there(compared)
    for name in kept:
        sight = but(sight, name, drafters=False)
    assert not undrafted(compared, sight)


@pytest.mark.parametrize(
    ("changes", "removed", "why"),
    [
        ({"running": True}, None, "it is under way"),
        ({"exit_code": 1}, "it has failed, exit code 1", "what is there already is kept"),
        ({"fingerprint": "other"}, "its configuration is another now", "what is there already is kept"),
        (
            {"fingerprint": "other", "running": True},
            "its configuration is another now",
            "what is there already is kept",
        ),
        ({"image": "other"}, "its image is another now", "what is there already is kept"),
    ],
    ids=["under way", "failed", "other models", "other models while it runs", "image"],
)
def test_models_that_aren_t_there_are_fetched(changes: dict[str, object], removed: str | None, why: str) -> None:
    found = steps(GB10, but(there(GB10), DOWNLOAD, **changes), Choice())
    expected = [] if removed is None else [Step(Do.REMOVE, DOWNLOAD, removed)]
    assert found[: len(expected) + 1] == [*expected, Step(Do.DOWNLOAD, DOWNLOAD, why)]
    assert [step.do for step in found[len(expected) + 1 :]] == [Do.KEEP] * 3, "nothing else is the worse for it"


def test_they_are_fetched_while_the_old_engine_serves_and_the_memory_is_planned_then() -> None:
    sight = but(but(there(GB10), DOWNLOAD, fingerprint="other"), ENGINE, fingerprint="other")
    verbs = brief(steps(GB10, sight, Choice()))
    assert verbs[:4] == [(Do.REMOVE, DOWNLOAD), (Do.DOWNLOAD, DOWNLOAD), (Do.PLAN, "gb10"), (Do.REMOVE, ROUTER)]


def test_down_ends_the_router_first() -> None:
    ended = [(Do.REMOVE, each) for each in (ROUTER, GATE, ENGINE, DOWNLOAD)]
    assert brief(down(GB10, there(GB10))) == ended
    assert down(GB10, Sight()) == []
