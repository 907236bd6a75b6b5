"""Whose end it was: somebody's doing, the memory's, or its own."""

from typing import Any

from serve.deploy.containers.hearing import Death, Hearing


def event(at: int, action: str, name: str = "polydraft-gb10-engine-1", **more: str) -> dict[str, Any]:
    return {"timeNano": at, "Action": action, "Actor": {"Attributes": {"name": name, **more}}}


def heard(*events: dict[str, Any]) -> list[Death]:
    return list(Hearing(lambda _: list(events), "polydraft", 0.0).deaths())


def test_a_death_of_its_own_is_told_from_one_that_was_ordered() -> None:
    (own,) = heard(event(1, "die", exitCode="137"))
    (stopped,) = heard(event(1, "kill", signal="15"), event(2, "die", exitCode="0"))
    assert (own.exit_code, own.told) == (137, False)
    assert stopped.told


def test_a_signal_that_ends_nothing_excuses_nothing() -> None:
    (death,) = heard(event(1, "kill", signal="1"), event(2, "die", exitCode="1"))
    assert not death.told


def test_a_second_death_isn_t_excused_by_the_first_one_s_order() -> None:
    first, second = heard(
        event(1, "kill", signal="9"), event(2, "die", exitCode="137"), event(3, "oom"), event(4, "die", exitCode="137")
    )
    assert (first.told, first.out_of_memory) == (True, False)
    assert (second.told, second.out_of_memory) == (False, True)


def test_another_project_s_containers_are_nobody_s_here() -> None:
    assert heard(event(1, "die", name="other-gb10-engine-1", exitCode="1")) == []


def test_each_event_counts_once_though_docker_gives_whole_seconds() -> None:
    asked: list[int] = []

    def events(since: int) -> list[dict[str, Any]]:
        asked.append(since)
        return [event(4_900_000_000, "die", exitCode="1"), event(7_200_000_000, "die", exitCode="1")]

    hearing = Hearing(events, "polydraft", 5.0)
    assert [death.at for death in hearing.deaths()] == [7.2]
    assert list(hearing.deaths()) == []
    assert asked == [5, 7]
