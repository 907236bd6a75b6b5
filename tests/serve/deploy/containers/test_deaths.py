"""What follows a death: as often again as is good, and never for ever."""

import pytest

from serve.deploy.containers.deaths import BOUND, WINDOW, Deaths, Then, then

NOW = 1_000_000.0


def at(*ago: float, healthy: float | None = None) -> Deaths:
    """Deaths so many seconds ago, and how long ago it was last healthy."""
    known = Deaths(tuple(NOW - each for each in ago))
    return known if healthy is None else Deaths(known.at, NOW - healthy)


@pytest.mark.parametrize(
    ("deaths", "count"),
    [
        (at(), 0),
        (at(1, 2, 3), 3),
        (at(1, WINDOW + 1, healthy=10), 1),
        (at(1, WINDOW + 1), 2),
        (at(1, WINDOW + 1, healthy=WINDOW + 2), 2),
    ],
    ids=["none", "all of late", "one long ago, healthy since", "never healthy", "not healthy since"],
)
def test_deaths_count_within_the_window_and_until_it_was_healthy(deaths: Deaths, count: int) -> None:
    assert deaths.counted(NOW) == count


def test_below_the_bound_it_is_started_again_by_docker_or_by_us() -> None:
    assert then(at(1, 2), NOW, drafts=True, restarting=True) is Then.WAIT
    assert then(at(1, 2), NOW, drafts=True, restarting=False) is Then.AGAIN


@pytest.mark.parametrize("restarting", [False, True])
def test_at_the_bound_drafters_go_and_then_the_engine(restarting: bool) -> None:
    deaths = at(*range(BOUND))
    assert then(deaths, NOW, drafts=True, restarting=restarting) is Then.WITHOUT_DRAFTERS
    assert then(deaths, NOW, drafts=False, restarting=restarting) is Then.GIVE_UP


def test_an_engine_that_dies_at_its_first_request_after_each_load_does_not_go_on_for_ever() -> None:
    load, deaths, now = 15 * 60.0, Deaths(), NOW
    followed = []
    for _ in range(BOUND):
        now += load
        deaths = Deaths((*deaths.at, now), healthy=now - 1)
        followed.append(then(deaths, now, drafts=False, restarting=False))
    assert followed == [Then.AGAIN] * (BOUND - 1) + [Then.GIVE_UP]
