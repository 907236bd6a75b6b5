"""A ledger as sums: they add up over routers and times."""

import pytest

from serve.ledger.sums import Scale, Unsound, read, written
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.ledger import Ledger, State
from serve.routing.lesson import Lesson

LANES = (Lane("body", "http://one"), Lane("mtp", "http://one", "mtp", 3))
EN, ZH = (Cell(language, "prose", "chat", False) for language in ("en", "zh-Hans"))
HALF_LIFE = 3600.0


def lesson(cell: Cell, length: float, lane: str = "mtp", step: float = 0.03) -> Lesson:
    return Lesson(lane, cell, length, step, steps=90, batch=2.0, prompt_tokens=80, completion_tokens=200)


def learned(lessons: list[tuple[float, Lesson]]) -> State:
    ledger = Ledger(LANES, (), HALF_LIFE)
    for now, each in lessons:
        ledger.learn(each, now)
    return ledger.state()


def rounded(state: State) -> dict[object, object]:
    """A state's numbers, comparable."""
    cells: dict[object, object] = {where: (m.weight, m.mean, m.squares) for where, m in state.acceptance.items()}
    steps: dict[object, object] = {
        lane: (s.weight, *s.xy, *(each for row in s.xx for each in row)) for lane, s in state.steps.items()
    }
    sizes: dict[object, object] = {cell: (a.weight, a.mean, b.mean) for cell, (a, b) in state.sizes.items()}
    return {**cells, **steps, **sizes}


def test_what_was_written_is_read_again_as_old_as_it_is_by_then() -> None:
    state = learned([(100.0 + 50 * index, lesson(EN, 2.0 + index % 3)) for index in range(20)])
    scale = Scale(0.0, HALF_LIFE)
    now = 1050.0
    at_once = read(written(state, scale), scale, now)
    assert at_once.acceptance[("mtp/mtp/3", EN)].mean == pytest.approx(state.acceptance[("mtp/mtp/3", EN)].mean)
    later = read(written(state, scale), scale, now + HALF_LIFE)
    for where, moments in at_once.acceptance.items():
        assert later.acceptance[where].weight == pytest.approx(moments.weight / 2)
        assert later.acceptance[where].squares == pytest.approx(moments.squares / 2)


def test_sums_of_two_routers_are_those_of_one_that_saw_it_all() -> None:
    one = [(10.0, lesson(EN, 2.0)), (500.0, lesson(EN, 2.6)), (900.0, lesson(ZH, 1.2, step=0.031))]
    other = [(300.0, lesson(EN, 2.3, step=0.029)), (2000.0, lesson(EN, 2.1))]
    scale, now = Scale(5.0, HALF_LIFE), 2000.0
    added = written(learned(one), scale)
    for name, value in written(learned(other), scale).items():
        added[name] = added.get(name, 0.0) + value
    both = rounded(read(added, scale, now))
    alone = rounded(read(written(learned(sorted(one + other, key=lambda each: each[0])), scale), scale, now))
    assert both.keys() == alone.keys()
    for where, numbers in alone.items():
        assert both[where] == pytest.approx(numbers, rel=1e-6), where


def test_what_is_as_good_as_forgotten_is_left_out() -> None:
    scale = Scale(0.0, 1.0)
    state = read(written(learned([(1.0, lesson(EN, 2.0))]), scale), scale, 60.0)
    assert (state.acceptance, state.steps, state.sizes) == ({}, {}, {})


_EN = '["acceptance", "mtp", "en", "prose", "chat", false, "%s"]'


@pytest.mark.parametrize(
    "fields",
    [
        {"x": 1.0},
        {"[1, 2, 3]": 1.0},
        {'["acceptance", "mtp", "en", "weight"]': 1.0},
        {'["rates", "mtp", "en", "prose", "chat", false, "weight"]': 1.0},
        {'["steps", "mtp", 0]': float("nan")},
        {'["steps", "mtp", 0]': 1.0, '["steps", "mtp", 6]': -1.0},
        {'["steps", "mtp", 22]': 1.0},
        {'["steps", "mtp", "x", 0]': 1.0},
        {'["acceptance", "mtp", ["en"], "prose", "chat", false, "weight"]': 1.0},
        {'["acceptance", "mtp", "en", "prose", "chat", 0, "weight"]': 1.0},
        {_EN % "weight": 1.0, _EN % "sum": 1e200},
        {_EN % "weight": 1e16},
        {"[" * 100_000: 1.0},
    ],
    ids=[
        "word",
        "numbers",
        "short",
        "kind",
        "nan",
        "diagonal",
        "index",
        "cell",
        "list",
        "thinking",
        "overflow",
        "large",
        "deep",
    ],
)
def test_refuses_what_no_ledger_writes(fields: dict[str, float]) -> None:
    with pytest.raises(Unsound):
        read(fields, Scale(0.0, 1.0), 1.0)


def test_refuses_sums_of_a_time_that_cant_be() -> None:
    with pytest.raises(Unsound):
        read({'["steps", "mtp", 0]': 1.0}, Scale(1e300, 1.0), 1.0)
