"""Holds the product's goals on labelled requests.

Only `unseen` measures accuracy. The other sets are right by selection and guard against regressions;
`tests/data/requests/README.md` has first runs.
"""

import json
import re

import pytest

from serve.routing.cell import Cell, classify
from serve.routing.language import LANGUAGES
from serve.routing.task import TASKS
from tests.serve.routing.labelled import LabelledRequest, labelled, model

HELD_OUT = labelled("heldout")
DEV = labelled("dev")
UNSEEN = labelled("unseen")
LANGUAGE_ALONE = re.compile(r"(?:i|[klmnoqrs]2)\d{3}")
"""Ids of the batches of `dev` of which only the language was tuned on; their tasks are as their strangers saw them."""


@pytest.fixture(scope="module")
def cells() -> dict[str, Cell]:
    return {request.id: classify(request.payload, request.endpoint, model()) for request in HELD_OUT + DEV + UNSEEN}


@pytest.mark.parametrize(
    ("requests", "share"), [(UNSEEN, 0.016), (HELD_OUT, 0.005)], ids=["unseen, as reached", "held out, the goal"]
)
def test_language_is_right(cells: dict[str, Cell], requests: list[LabelledRequest], share: float) -> None:
    """The goal is 99.5 %; on what nobody tuned on, 98.4 % was reached."""
    wrong = [
        f"{r.id}: {r.language}, not {cells[r.id].language}" for r in requests if cells[r.id].language != r.language
    ]
    assert len(wrong) <= share * len(requests), wrong


@pytest.mark.parametrize(
    ("requests", "share"), [(UNSEEN, 0.0055), (HELD_OUT, 0.003)], ids=["unseen, as reached", "held out, the goal"]
)
def test_foreign_requests_are_not_called_english(
    cells: dict[str, Cell], requests: list[LabelledRequest], share: float
) -> None:
    """The goal: at most 0.3 %, for an English drafter on foreign text is the expensive error."""
    foreign = [r for r in requests if r.language != "en"]
    called_english = [r.id for r in foreign if cells[r.id].language == "en"]
    assert len(called_english) <= share * len(foreign), called_english


def test_task_is_still_right_on_held_out_requests(cells: dict[str, Cell]) -> None:
    wrong = [f"{r.id}: {r.task}, not {cells[r.id].task}" for r in HELD_OUT if cells[r.id].task != r.task]
    assert len(wrong) <= 0.01 * len(HELD_OUT), wrong


def test_thinking_is_still_right_on_every_held_out_request(cells: dict[str, Cell]) -> None:
    assert [r.id for r in HELD_OUT if cells[r.id].thinking != r.thinking] == []


def test_language_is_still_right_on_requests_that_the_rules_were_made_from(cells: dict[str, Cell]) -> None:
    wrong = [r.id for r in DEV if cells[r.id].language != r.language]
    assert len(wrong) <= 0.003 * len(DEV), wrong


@pytest.mark.parametrize(
    ("requests", "share"),
    [
        ([r for r in DEV if not LANGUAGE_ALONE.fullmatch(r.id)], 0.005),
        ([r for r in DEV if LANGUAGE_ALONE.fullmatch(r.id)], 0.11),
    ],
    ids=["tuned on", "as reached"],
)
def test_task_is_still_right_on_requests_that_the_rules_were_made_from(
    cells: dict[str, Cell], requests: list[LabelledRequest], share: float
) -> None:
    wrong = [r.id for r in requests if cells[r.id].task != r.task]
    assert len(wrong) <= share * len(requests), wrong


def test_the_held_out_set_is_wide_enough_to_mean_something() -> None:
    assert len(HELD_OUT) >= 300
    assert len({r.language for r in HELD_OUT}) >= 20
    assert {r.task for r in HELD_OUT} == set(TASKS)


def test_labels_are_of_the_closed_sets() -> None:
    assert {r.language for r in HELD_OUT + DEV + UNSEEN} <= set(LANGUAGES)
    assert {r.task for r in HELD_OUT + DEV + UNSEEN} <= set(TASKS)


@pytest.mark.parametrize("requests", [HELD_OUT, UNSEEN], ids=["held out", "unseen"])
def test_no_request_was_tuned_on(requests: list[LabelledRequest]) -> None:
    """Neither under its own id nor under another: what is sent must differ."""
    kept = {json.dumps(r.payload, sort_keys=True): r.id for r in requests}
    dev = {json.dumps(r.payload, sort_keys=True): r.id for r in DEV}
    assert [(kept[payload], dev[payload]) for payload in kept.keys() & dev.keys()] == []


def test_no_id_stands_for_two_requests() -> None:
    ids = [r.id for r in HELD_OUT + DEV]
    assert len(ids) == len(set(ids))
