"""What cells let expect of each other, by values and by identities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.belief import Belief, joined
from serve.routing.cell import Cell
from serve.routing.pooling import fit, parts_of

LANGUAGES = ("en", "zh-Hans", "zh-Hant", "da", "ru")
TASKS = ("prose", "code", "json")


def cell(language: str, task: str = "prose", *, thinking: bool = False) -> Cell:
    return Cell(language, task, "chat", thinking)


def seen(mean: float, weight: float = 50.0) -> Belief:
    return Belief(mean, 0.16 / weight)


SEEN = st.dictionaries(
    st.builds(cell, st.sampled_from(LANGUAGES), st.sampled_from(TASKS), thinking=st.booleans()),
    st.builds(seen, st.floats(1, 5), st.floats(0.1, 500)),
    max_size=20,
)


def test_nothing_seen_leaves_the_assumption_and_a_wide_doubt() -> None:
    belief = fit({}, 2.2).expect(cell("en"))
    assert belief.mean == pytest.approx(2.2)
    assert belief.variance == pytest.approx(0.5 + 1.5 + 1.0 + 0.5 + 0.05)


def test_a_cell_never_seen_borrows_language_and_task_from_others() -> None:
    """Danish is 1.0 below English at prose, code 0.8 above prose: Danish code is expected between them, not at 2."""
    pool = fit({cell("en"): seen(2.5), cell("en", "code"): seen(3.3), cell("da"): seen(1.5)}, 2.0)
    danish_code = pool.expect(cell("da", "code"))
    assert danish_code.mean == pytest.approx(2.3, abs=0.35)
    assert pool.expect(cell("da", "json")).mean < pool.expect(cell("en", "json")).mean
    assert danish_code.variance < pool.expect(cell("ru", "json")).variance


def test_scripts_of_one_language_borrow_from_each_other() -> None:
    pool = fit({cell("en"): seen(3.0), cell("zh-Hans"): seen(1.2)}, 2.0)
    assert pool.expect(cell("zh-Hant")).mean < pool.expect(cell("ru")).mean


def test_thinking_borrows_over_languages() -> None:
    pool = fit({cell("en"): seen(2.0), cell("en", thinking=True): seen(3.0), cell("ru"): seen(2.0)}, 2.0)
    assert pool.expect(cell("ru", thinking=True)).mean > pool.expect(cell("ru")).mean + 0.2


@given(SEEN, st.builds(cell, st.sampled_from(LANGUAGES), st.sampled_from(TASKS)))
def test_is_never_surer_than_a_cells_own_peculiarity_lets_it(sights: dict[Cell, Belief], asked: Cell) -> None:
    belief = fit(sights, 2.0).expect(asked)
    assert 0.05 <= belief.variance <= 3.55 + 1e-9
    assert -4 < belief.mean < 10


@given(SEEN, st.floats(1, 5), st.floats(1, 5))
def test_what_a_cell_saw_itself_isnt_counted_among_its_parents(
    sights: dict[Cell, Belief], one: float, other: float
) -> None:
    """The only cell that was ever seen says nothing of what to expect in it, whatever it saw."""
    alone = cell("en")
    first, second = (fit({alone: seen(mean)}, 2.0).expect(alone) for mean in (one, other))
    assert first.mean == pytest.approx(second.mean, abs=0.05)
    assert first.variance == pytest.approx(second.variance)


@given(st.floats(1, 5), st.floats(0.01, 2), st.floats(1, 5), st.floats(0.01, 2))
def test_joined_beliefs_lie_between_and_are_surer(a: float, va: float, b: float, vb: float) -> None:
    belief = joined(Belief(a, va), Belief(b, vb))
    assert min(a, b) - 1e-9 <= belief.mean <= max(a, b) + 1e-9
    assert belief.variance <= min(va, vb)


def test_parts_of_a_cell() -> None:
    assert parts_of(Cell("zh-Hant", "code", "completions", False)) == ("zh", "code", ("completions", False))
