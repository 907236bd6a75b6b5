"""What is true of a simulated box: the published figures come out of it again."""

import random
from dataclasses import replace
from statistics import mean

import pytest

from serve.deploy import profile as profiles
from serve.errors import ConfigError
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.sim import figures
from serve.sim.box import Box

BODY = Lane("body", "")
MTP = Lane("mtp", "", "mtp", 4)
EAGLE3 = Lane("eagle3", "", "eagle3", 4)


def cell(language: str, task: str = "prose") -> Cell:
    return Cell(language, task, "chat", False)


@pytest.fixture(scope="module")
def box() -> Box:
    return Box(figures.load("gb10", "seed"), "seed", (BODY, MTP, EAGLE3))


@pytest.mark.parametrize(
    ("lane", "language", "rate"),
    [(BODY, "en", 40), (MTP, "en", 53), (MTP, "zh-Hans", 45), (EAGLE3, "en", 46), (EAGLE3, "zh-Hant", 27)],
    ids=lambda value: value.name if isinstance(value, Lane) else str(value),
)
def test_gives_back_the_published_rates(box: Box, lane: Lane, language: str, rate: float) -> None:
    assert box.rate(lane, cell(language)) == pytest.approx(rate, rel=0.01)


def test_a_curve_by_position_stays_as_it_was_published(box: Box) -> None:
    shares = box.survival(MTP, cell("en"))
    reached = [shares[0], shares[0] * shares[1], shares[0] * shares[1] * shares[2]]
    assert reached == pytest.approx([0.65, 0.43, 0.29])
    assert box.length(MTP, cell("en")) == pytest.approx(2.57)


def test_a_task_moves_a_drafter_by_as_much_as_its_source_says() -> None:
    """76 % of four drafts on code and 50 % in prose, on the very body that the source had."""
    box = Box(figures.load("gb10", "vanilla"), "vanilla", (BODY, MTP))
    assert (box.length(MTP, cell("en")) - 1) / 4 == pytest.approx(0.50, abs=0.001)
    assert (box.length(MTP, cell("en", "code")) - 1) / 4 == pytest.approx(0.76, abs=0.05)
    assert box.rate(MTP, cell("en", "json")) < box.rate(BODY, cell("en", "json"))


def test_steps_take_longer_in_company(box: Box) -> None:
    assert box.step(MTP, 8) / box.step(MTP, 1) == pytest.approx(1.21**3)


def test_answers_are_as_long_as_the_file_says(box: Box) -> None:
    rng = random.Random(1)
    lengths = sorted(box.tokens(rng) for _ in range(2001))
    assert lengths[1000] == pytest.approx(180, rel=0.08)
    assert mean(lengths) > 180


def test_a_box_that_nobody_measured_is_refused() -> None:
    with pytest.raises(ConfigError, match="too little is published of rtx-pro-6000"):
        figures.load("rtx-pro-6000", "vanilla")
    with pytest.raises(ConfigError, match="--body seed"):
        figures.load("rtx-pro-2000", "vanilla")
    with pytest.raises(ConfigError, match="lane dflash has no published figure"):
        Box(figures.load("gb10", "seed"), "seed", (Lane("dflash", "", "dflash", 4),))


@pytest.mark.parametrize("name", figures.names())
def test_every_body_with_figures_has_them_for_each_of_its_profiles_lanes(name: str) -> None:
    profile = profiles.load_named(name)
    for body in figures.load(name, "seed").bodies:
        lanes = [Lane(lane.name, "", lane.method, lane.draft_tokens) for lane in profile.bodies[body].lanes]
        box = Box(figures.load(name, body), body, lanes)
        assert all(box.rate(lane, cell("fi", task)) > 1 for lane in lanes for task in ("prose", "code", "edit"))


def test_fewer_drafts_cost_their_part_and_bring_those_positions_alone(box: Box) -> None:
    one, four = replace(MTP, draft_tokens=1), MTP
    assert box.length(one, cell("en")) == pytest.approx(1.65)
    assert box.step(one, 1) == pytest.approx(1 / 40 + (box.step(four, 1) - 1 / 40) / 4)
    assert box.step(one, 4) / box.step(one, 1) == pytest.approx(box.step(four, 4) / box.step(four, 1))


def test_raw_completions_go_in_circles_and_get_what_was_published_of_them(box: Box) -> None:
    raw = cell("en")._replace(endpoint="completions")
    assert (box.circles(raw), box.circles(cell("en"))) == (1.0, 0.0)
    assert box.length(EAGLE3, raw) == pytest.approx(1 + 0.844 + 0.749 + 0.741 + 0.727)
    assert box.rate(EAGLE3, raw) > 2 * box.rate(EAGLE3, cell("en"))
    assert box.length(MTP, raw) == box.length(MTP, cell("en"))
