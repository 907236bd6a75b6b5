"""Places at an engine and the line before them, with tasks that end, fail and are cancelled in any order."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.errors import EngineBusy
from serve.proxy.slots import Slots


async def hold(slots: Slots, until: asyncio.Event, log: list[int], number: int) -> None:
    taken = await slots.take()
    try:
        log.append(number)
        await until.wait()
    finally:
        slots.give_back(taken)


async def _served_in_order() -> list[int]:
    slots, log = Slots(1, 10, lambda: 0.0), list[int]()
    ends = [asyncio.Event() for _ in range(4)]
    tasks = [asyncio.create_task(hold(slots, end, log, number)) for number, end in enumerate(ends)]
    for end in ends:
        await asyncio.sleep(0)
        end.set()
    await asyncio.gather(*tasks)
    assert slots.running == 0
    return log


def test_serves_in_the_order_of_coming() -> None:
    assert asyncio.run(_served_in_order()) == [0, 1, 2, 3]


def test_refuses_who_comes_to_a_full_line() -> None:
    async def overfill() -> None:
        slots = Slots(1, 1, lambda: 0.0)
        end = asyncio.Event()
        tasks = [asyncio.create_task(hold(slots, end, [], number)) for number in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy) as refused:
            await slots.take()
        assert refused.value.retry_after == 2  # a mean second for each of the two before
        end.set()
        await asyncio.gather(*tasks)
        slots.give_back(await slots.take())

    asyncio.run(overfill())


@settings(max_examples=200)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(["end", "cancel"]), st.integers(0, 7), st.booleans()), max_size=24),
)
def test_no_place_is_lost_or_given_twice(limit: int, events: list[tuple[str, int, bool]]) -> None:
    async def play() -> None:
        slots = Slots(limit, 8, lambda: 0.0)
        ends = [asyncio.Event() for _ in range(8)]
        tasks = [asyncio.create_task(hold(slots, end, [], number)) for number, end in enumerate(ends)]
        for kind, number, turn in events:
            if kind == "end":
                ends[number].set()
            else:
                tasks[number].cancel()
            if turn:
                await asyncio.sleep(0)
                assert slots.running <= limit
        for end in ends:
            end.set()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert slots.running == 0

    asyncio.run(play())
