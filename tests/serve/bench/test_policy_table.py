"""The table that a router loads: rows where somebody has won, by what the router takes prompts for."""

import json
import tomllib
from pathlib import Path

import pytest

from serve import tables
from serve.bench.figures import figures
from serve.bench.plan import Setting
from serve.bench.policy_table import as_cells, as_json, rows
from serve.bench.pools import pools
from serve.bench.sample import Sample
from serve.deploy.body import Cell as ProfileCell
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row, Wish, choose
from tests.serve.bench.made import CHAT, RAW, accepted, answers, sample

LANES = ("body", "eagle3", "mtp")


def measured() -> list[Sample]:
    """English code wants mtp, prose wants eagle3 and Danish no drafter; English JSON nobody can tell."""
    fast, slow, body = [60.0, 62, 58, 61, 59], [20.0] * 5, [40.0] * 5
    unsure = [80.0, 20, 75, 22, 45]
    made = answers({"body": body, "mtp": fast, "eagle3": slow}, "en", "code")
    made += answers({"body": body, "mtp": slow, "eagle3": fast}, "en", "prose")
    made += answers({"body": body, "mtp": unsure, "eagle3": unsure}, "en", "json")
    return made + answers({"body": body, "mtp": slow, "eagle3": slow}, "da", "prose")


def seen(samples: list[Sample]) -> dict[str, tuple[str, str]]:
    return {each.prompt.text: (each.prompt.language, each.prompt.task) for each in samples}


def preferred(table: tuple[Row, ...], language: str, task: str) -> str:
    ways = [Lane(lane, "") for lane in LANES]
    return choose(Cell(language, task, "chat", False), table, ways, LANES, Wish()).lane


def test_each_request_gets_what_won_and_none_gets_a_drafter_that_hasnt() -> None:
    samples = measured()
    table = rows(samples, seen(samples), 0)
    cells = {(row.language, row.task) for row in table}
    assert {("en", "code"), ("en", "prose"), ("da", "prose"), ("*", "*")} <= cells
    assert ("en", "json") not in cells
    assert [preferred(table, "en", "code"), preferred(table, "en", "prose")] == ["mtp", "eagle3"]
    assert preferred(table, "da", "prose") == "body"
    assert preferred(table, "ko", "edit") == "body"


def test_rows_are_of_what_the_router_takes_prompts_for() -> None:
    samples = answers({"body": [40] * 5, "mtp": [60] * 5}, "ar", "json")
    (row,) = rows(samples, {each.prompt.text: ("ar", "prose") for each in samples}, 0)
    assert (row.language, row.task) == ("ar", "prose")


def test_prompts_without_tasks_make_rows_for_any_task() -> None:
    samples = answers({"body": [40] * 5, "mtp": [60] * 5})
    assert [
        (row.language, row.task) for row in rows(samples, {each.prompt.text: ("en", "prose") for each in samples}, 0)
    ] == [("en", "*")]


def test_only_chat_at_the_lowest_load_and_the_lanes_own_lengths_count() -> None:
    samples = answers({"body": [40] * 5, "mtp": [60] * 5})
    others = answers({"body": [90] * 5, "mtp": [10] * 5}, setting=Setting("chat", 4))
    others += answers({"body": [90] * 5, "mtp": [10] * 5}, setting=RAW)
    others += [sample("mtp", 99, f"en * {number}", drafts=1) for number in range(5)]
    assert rows(samples + others, seen(samples), 0) == rows(samples, seen(samples), 0)
    assert rows(answers({"body": [40]}, setting=RAW), {}, 0) == ()


def test_a_router_reads_back_what_was_written(tmp_path: Path) -> None:
    samples = measured()
    samples = [*samples, *(sample("mtp", 60, f"fr {number}", acceptance=accepted(50, 25)) for number in range(5))]
    table = rows(measured(), seen(measured()), 0)
    file = tmp_path / "table.json"
    file.write_text(as_json(table))
    assert tables.load(file, set(LANES)) == table
    assert len(file.read_text().splitlines()) == len(table) + 2, "a row a line, so that a fault is found by its line"


def test_numbers_of_a_row_are_those_that_were_measured() -> None:
    samples = answers({"body": [40] * 5})
    samples += [sample("mtp", 60, f"en * {number}", acceptance=accepted(50, 30, 20)) for number in range(5)]
    (row,) = rows(samples, seen(samples), 0)
    assert row.candidates == (Candidate("mtp", 2.0, 60.0), Candidate("body", None, 40.0))
    assert json.loads(as_json([row]))[0]["candidates"][1] == {"lane": "body", "decode_rate": 40.0}


def test_a_profile_takes_the_cells() -> None:
    samples = answers({"body": [40] * 5, "mtp": [60] * 5}, "da", "prose")
    text = as_cells([each for pool in pools(samples) for each in figures(pool, 0)], CHAT, 'measured "here"')
    (cell,) = tomllib.loads(text)["bodies"]["BODY"]["cells"]
    taken = ProfileCell.model_validate(cell)
    assert (taken.language, taken.task, [each.lane for each in taken.lanes]) == ("da", "prose", ["mtp", "body"])


@pytest.mark.parametrize("table", [(), (Row("*", "*", ()),)])
def test_an_empty_table_is_a_table(table: tuple[Row, ...], tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(as_json(table))
    assert tables.load(file, LANES) == table
