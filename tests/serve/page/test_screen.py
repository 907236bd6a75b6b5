"""What the page is told of now: the guard's account, and languages as rows that aren't made anew for nothing."""

import random
import time
import types
from dataclasses import fields, replace
from typing import Any

import pytest

from serve.ledger.learner import Learner
from serve.page import cells, screen
from serve.page.sources import Sources
from serve.page.view import View
from serve.routing.cell import Cell
from serve.routing.outcome import Acceptance
from serve.routing.policy import Decision, Wish, choose
from tests.serve.ledger.test_learner import ALL, LANES, outcome, policy

GUARDED = tuple(Cell(language, "prose", "chat", False) for language in ("de", "fr", "ru", "en"))
GOOD = Acceptance(33, 99, 88, (33, 30, 25))


def sources(learner: Learner | None, view: View | None = None) -> Sources:
    engine = types.SimpleNamespace(ready=True, slots=types.SimpleNamespace(running=0))
    given: dict[str, Any] = {each.name: None for each in fields(Sources)}
    given |= {"view": view or View(LANES, time.time), "upstreams": dict.fromkeys(ALL.values(), engine)}
    return Sources(**given | {"learner": learner, "table": ()})


def asked(learner: Learner, cell: Cell) -> Decision:
    return learner.explain(cell, choose(cell, (), LANES, frozenset(ALL), Wish()), ALL, None)


@pytest.fixture
def guarded() -> Learner:
    """Four cells: in three drafters were a little slow once; in the last, where nothing was lost, they are hopeless."""
    learner, rng = policy(), random.Random(3)
    for _ in range(30):
        for cell in GUARDED:
            learner.observe(outcome("body", 40.0, cell=cell, decision=replace(asked(learner, cell), lane="body")))
    slow = Acceptance(40, 120, 80, (40, 40, 0))
    for cell in GUARDED[:3]:
        for _ in range(7):
            decision = replace(asked(learner, cell), lane="mtp")
            learner.observe(outcome("mtp", 38.5, cell=cell, acceptance=slow, decision=decision))
    for _ in range(12):
        for lane in ("mtp", "eagle3"):
            steps = rng.choice((20, 60, 400))
            none = {"completion_tokens": steps, "generation_time": steps / 12.8}
            learner.observe(
                outcome(lane, 12.8, cell=GUARDED[3], acceptance=Acceptance(steps, 3 * steps, 0, (0, 0, 0)), **none)
            )
    for cell in GUARDED[:3]:
        for _ in range(60):
            for lane in ("mtp", "eagle3"):
                learner.observe(outcome(lane, 47.0, cell=cell, acceptance=GOOD))
    return learner


def test_a_drafter_that_is_barred_where_nothing_was_lost_is_told_first(guarded: Learner) -> None:
    told = screen._guard(guarded, sources(guarded))
    assert [guarded.lost()[cell][1] > 0 for cell in GUARDED] == [True, True, True, False]
    assert (told["guarded"], told["asked"], told["barring"]) == (4, 4, 1)
    first = told["cells"][0]
    assert (first["language"], first["lost"], len(first["barred"])) == ("en", 0, 2)
    assert len(told["cells"]) == 4


def test_says_of_how_many_it_knows_what_is_barred(guarded: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "_ASKED", 3)
    told = screen._guard(guarded, sources(guarded))
    assert (told["guarded"], told["asked"], told["barring"]) == (4, 3, 0)


def test_a_language_is_described_anew_only_after_a_request_in_it() -> None:
    view = View(LANES, time.time)
    for cell in GUARDED[:2]:
        view.observe(outcome("mtp", 50.0, decode_rate=50.0, cell=cell))
    rows = cells.Rows(sources(None, view))
    before = {row["language"]: row["cells"] for row in rows.now()}
    view.observe(outcome("body", 40.0, decode_rate=40.0, cell=GUARDED[0]))
    after = {row["language"]: row["cells"] for row in rows.now()}
    assert after["fr"] is before["fr"]
    assert (before["de"]["body"]["requests"], after["de"]["body"]["requests"]) == (0, 1)
    assert after["de"]["mtp"]["gain"]["value"] == pytest.approx(1.25)
