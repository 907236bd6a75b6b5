"""The figures of `make bench-engine`, worked out from measurements that are made up; taking them needs a GPU."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def compare() -> Any:
    folder = str(ROOT / "images/engine/bench")
    sys.path.insert(0, folder)
    yield importlib.import_module("compare")
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def rows(compare: Any) -> dict[str, list[str]]:
    """Two rounds at batch 4; the first round's drafts were lucky, which is no speed of the engine."""
    measured = {
        ("body", "body", 4): [(100.0, 1.0), (100.0, 1.0)],
        ("mtp", "mtp", 4): [(50.0, 4.0), (50.0, 3.8)],
        ("lanes", "body", 4): [(99.0, 1.0), (97.0, 1.0)],
        ("lanes", "mtp", 4): [(50.0, 4.2), (52.0, 3.8)],
        ("lanes", "body+mtp", 4): [(45.0, 3.0), (47.0, 2.2)],
    }
    found = {which: [compare.Timed(*each) for each in rounds] for which, rounds in measured.items()}
    lines = [line.strip("| ").split(" | ") for line in compare.table(found).splitlines()[2:]]
    return {line[1]: line for line in lines}


def test_a_lane_is_held_against_its_own_engine_round_by_round(rows: dict[str, list[str]]) -> None:
    assert rows["body"] == ["4", "body", "392", "98.0", "100.0", "0.980", "0.970 to 0.990"]
    assert rows["mtp"][4:] == ["50.0", "1.020", "1.000 to 1.040"]


def test_a_mixed_batch_is_held_against_its_slowest_lane_in_tokens(rows: dict[str, list[str]]) -> None:
    """Two requests get a token a step and two get 4.0, which is what a step of mtp gave in all its rounds."""
    mixed = rows["body + mtp"]
    assert mixed[2:4] == ["460", "46.0"]
    assert mixed[4] == "slowest lane: 392 tokens/s"
    assert mixed[5:] == ["1.174", "1.136 to 1.211"]


def test_requests_are_dealt_to_lanes_in_turns(compare: Any) -> None:
    assert compare.dealt(["body", "mtp", "eagle3"], 4) == ["body", "mtp", "eagle3", "body"]
