"""Which of a lane's engines takes a request: by values, and what holds whatever the values are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.replicas import UNBOUND, Bond, Standing, most, pick

A, B, C = "http://a:8000", "http://b:8000", "http://c:8000"


@pytest.mark.parametrize(
    ("in_flight", "bond", "chosen"),
    [
        pytest.param((2, 1), UNBOUND, B, id="the fewest in flight"),
        pytest.param((2, 1), Bond(7, holder=A), A, id="its prefix is there, and one more is no burden"),
        pytest.param((2, 0), Bond(7, holder=A), B, id="its prefix is there, but the other is idle"),
        pytest.param((7, 4), Bond(7, holder=A), A, id="within a quarter above the average"),
        pytest.param((9, 4), Bond(7, holder=A), B, id="beyond a quarter above the average"),
        pytest.param((0, 5), Bond(7, holder=A), A, id="its prefix is on the idlest"),
        pytest.param((3, 1), Bond(7, holder=C), B, id="the holder of its prefix isn't ready"),
        pytest.param((9, 0), Bond(7, holder=B, held=frozenset({A})), A, id="only one holds the response"),
        pytest.param((9, 0), Bond(7, held=frozenset({C})), B, id="nobody who is ready holds the response"),
    ],
)
def test_picks(in_flight: tuple[int, int], bond: Bond, chosen: str) -> None:
    assert pick([Standing(A, in_flight[0]), Standing(B, in_flight[1])], bond) == chosen


def test_of_two_idle_engines_each_gets_about_half_of_the_conversations() -> None:
    idle = [Standing(A, 0), Standing(B, 0)]
    assert 400 < sum(pick(idle, Bond(number)) == A for number in range(1000)) < 600


def test_an_engine_that_comes_takes_conversations_from_the_others_and_moves_none_between_them() -> None:
    two = [Standing(A, 0), Standing(B, 0)]
    before = [pick(two, Bond(number)) for number in range(1000)]
    after = [pick([*two, Standing(C, 0)], Bond(number)) for number in range(1000)]
    assert {new for old, new in zip(before, after, strict=True) if old != new} == {C}
    assert 250 < after.count(C) < 420


names = st.integers(0, 9).map(lambda number: f"http://engine-{number}:8000")
fleets = st.lists(st.tuples(names, st.integers(0, 300)), min_size=1, max_size=8, unique_by=lambda each: each[0]).map(
    lambda each: [Standing(*one) for one in each]
)
bonds = st.builds(Bond, st.none() | st.integers(), st.integers(), st.none() | names, st.frozensets(names, max_size=2))


@given(fleets, bonds)
def test_whoever_is_picked_is_the_idlest_or_holds_something_and_is_not_overburdened(
    fleet: list[Standing], bond: Bond
) -> None:
    among = [each for each in fleet if each.engine in bond.held] or fleet
    (chosen,) = [each for each in fleet if each.engine == pick(fleet, bond)]
    assert chosen in among
    if chosen.in_flight > min(each.in_flight for each in among):
        assert chosen.engine == bond.holder
        assert chosen.in_flight + 1 <= most(among)


@given(fleets, bonds, st.randoms())
def test_the_order_in_which_engines_are_listed_decides_nothing(fleet: list[Standing], bond: Bond, rng: object) -> None:
    shuffled = fleet[:]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pick(shuffled, bond) == pick(fleet, bond)


@given(fleets, st.integers(1, 200))
def test_a_burst_leaves_no_engine_with_more_than_one_above_another_that_began_level(
    fleet: list[Standing], requests: int
) -> None:
    counts = {each.engine: 0 for each in fleet}
    for number in range(requests):
        counts[pick([Standing(*each) for each in counts.items()], Bond(number))] += 1
    assert max(counts.values()) - min(counts.values()) <= 1


@given(fleets, st.integers(1, 200))
def test_one_conversation_that_asks_for_everything_at_once_stays_within_the_bound(
    fleet: list[Standing], requests: int
) -> None:
    counts = {each.engine: 0 for each in fleet}
    for _ in range(requests):
        standings = [Standing(*each) for each in counts.items()]
        counts[pick(standings, Bond(7, holder=fleet[0].engine))] += 1
    assert max(counts.values()) <= 1.25 * requests / len(fleet) + 1
