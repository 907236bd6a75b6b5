"""The choice of a lane, by values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row, Wish, choose

BODY = Lane("body", "http://engine-1")
MTP = Lane("mtp", "http://engine-2", "mtp", 2)
EAGLE3 = Lane("eagle3", "http://engine-3", "eagle3", 2)
LANES = (BODY, MTP, EAGLE3)
ALL = {"body", "mtp", "eagle3"}

TABLE = (
    Row("en", "*", (Candidate("eagle3", 2.6, 130.0), Candidate("body", None, 60.0), Candidate("mtp", 1.2, 55.0))),
    Row("en", "json", (Candidate("body", None, 60.0), Candidate("eagle3", 1.1, 50.0))),
    Row("zh", "*", (Candidate("mtp", 2.6, 120.0), Candidate("body", None, 60.0), Candidate("eagle3", 1.0, 50.0))),
    Row("*", "*", (Candidate("body"), Candidate("mtp"), Candidate("eagle3"))),
)


def cell(language: str, task: str = "prose") -> Cell:
    return Cell(language=language, task=task, endpoint="chat", thinking=False)


@pytest.mark.parametrize(
    ("language", "task", "lane", "reason"),
    [
        pytest.param("en", "prose", "eagle3", "measured", id="english"),
        pytest.param("en", "json", "body", "measured", id="the task's own row comes before the language's"),
        pytest.param("zh-Hans", "prose", "mtp", "measured", id="a tag's first part stands for the tag"),
        pytest.param("zh-Hant", "json", "mtp", "measured", id="the language comes before the task"),
        pytest.param("ru", "prose", "body", "default", id="a language that nobody measured"),
        pytest.param("und", "code", "body", "default", id="undetermined"),
    ],
)
def test_takes_the_lane_that_the_table_puts_first(language: str, task: str, lane: str, reason: str) -> None:
    decision = choose(cell(language, task), TABLE, LANES, ALL, Wish())
    assert (decision.lane, decision.reason) == (lane, reason)


@pytest.mark.parametrize(
    ("ready", "lane", "reason"),
    [
        pytest.param({"body", "mtp"}, "body", "fallback", id="second choice"),
        pytest.param({"mtp"}, "mtp", "fallback", id="last choice"),
        pytest.param(set(), "eagle3", "measured", id="none is up: what the table says"),
    ],
)
def test_falls_back_in_the_measured_order(ready: set[str], lane: str, reason: str) -> None:
    decision = choose(cell("en"), TABLE, LANES, ready, Wish())
    assert (decision.lane, decision.reason) == (lane, reason)


def test_a_forced_lane_has_no_stand_in() -> None:
    decision = choose(cell("en"), TABLE, LANES, {"body", "eagle3"}, Wish(lane="mtp"))
    assert (decision.lane, decision.reason, len(decision.candidates)) == ("mtp", "forced", 1)


def test_parameters_that_only_the_body_honours_go_there_for_that_reason() -> None:
    decision = choose(cell("en"), TABLE, LANES, ALL, Wish(undrafted=True))
    assert (decision.lane, decision.reason) == ("body", "sampling")
    assert [candidate.lane for candidate in decision.candidates] == ["body"]


def test_a_lane_that_the_row_leaves_out_is_the_last_resort() -> None:
    decision = choose(cell("en", "json"), TABLE, LANES, {"mtp"}, Wish())
    assert (decision.lane, decision.reason) == ("mtp", "fallback")


def test_without_a_matching_row_lanes_come_in_configured_order() -> None:
    assert choose(cell("en"), (), LANES, ALL, Wish()).lane == "body"


def test_a_wish_that_no_lane_satisfies_is_the_callers_error() -> None:
    with pytest.raises(ValueError, match="no lane satisfies"):
        choose(cell("en"), TABLE, (MTP, EAGLE3), ALL, Wish(undrafted=True))


@given(
    language=st.sampled_from(["en", "zh-Hans", "ru", "und"]),
    task=st.sampled_from(["prose", "json"]),
    ready=st.sets(st.sampled_from(sorted(ALL))),
    wish=st.builds(Wish, lane=st.sampled_from([None, "body"]), undrafted=st.booleans()),
)
def test_chooses_a_ready_candidate_whenever_there_is_one(language: str, task: str, ready: set[str], wish: Wish) -> None:
    decision = choose(cell(language, task), TABLE, LANES, ready, wish)
    names = [candidate.lane for candidate in decision.candidates]
    assert decision.lane in names
    assert len(names) == len(set(names))
    if ready & set(names):
        assert decision.lane in ready
