"""What is written: JSON by its schema, tables in the shape that drafters' cards have, a page by itself."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise

import jsonschema
import pytest

from serve.bench.measure import Run
from serve.bench.page import page
from serve.bench.plan import Plan, Setting, Way
from serve.bench.prompts import Prompt
from serve.bench.results import SCHEMA, Occasion, Results, as_json, work_out
from serve.bench.sample import Sample
from serve.bench.svg import Plot, Series, bars, lines
from serve.bench.tables import Table, tables
from serve.bench.words import headline, report, summary
from tests.serve.bench.made import RAW, accepted, sample

OCCASION = Occasion("2026-01-02T03:04:05Z", "2026-01-02T03:05:05Z", "1.2.3", "a <b>box</b>")
PROMPTS = tuple(
    Prompt(language, f"{language} {task} {number}", task)
    for language in ("da", "en")
    for task in ("code", "prose")
    for number in range(5)
)
BUSY = Setting("chat", 4)


def measured() -> list[Sample]:
    """A drafter that is twice as fast as the body, with another draft length, under load, and in circles when raw."""
    made = []
    for prompt in PROMPTS:
        made += [sample("body", 40, prompt), sample("mtp", 80, prompt, acceptance=accepted(50, 40, 30))]
        made += [sample("mtp", 60, prompt, drafts=1, acceptance=accepted(60, 45))]
        made += [
            sample("body", 30, prompt, setting=BUSY),
            sample("mtp", 50, prompt, setting=BUSY, acceptance=accepted(50, 40, 30)),
        ]
        made += [
            sample("body", 40, prompt, setting=RAW, fault="repeating"),
            sample("mtp", 120, prompt, setting=RAW, fault="repeating"),
        ]
    return made


def results(samples: list[Sample] | None = None, **changed: object) -> Results:
    made = measured() if samples is None else samples
    cells = {prompt.text: (prompt.language, prompt.task) for prompt in PROMPTS} | {"da code 0": ("da", "prose")}
    run = Run(
        made, warm_up=7, refused={"body n=1": "it drafts nothing"}, cells=cells, versions={"vllm": {"body": "0.32.0"}}
    )
    for name, value in changed.items():
        setattr(run, name, value)
    return work_out(Plan(PROMPTS, concurrency=(1, 4), draft_tokens=(1,), raw=True), run, OCCASION)


def table(of: Results, title: str) -> Table:
    return next(each for each in tables(of) if each.title == title)


@pytest.mark.parametrize(
    "of",
    [
        results(),
        results(samples=[]),
        results(end="interrupted", why="it was told to stop"),
        results(samples=measured()[:3]),
    ],
    ids=["all", "nothing", "a part", "one prompt"],
)
def test_json_is_what_its_schema_says_and_keeps_no_text(of: Results) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    written = as_json(of)
    jsonschema.validate(json.loads(written), schema)
    assert not any(prompt.text in written for prompt in PROMPTS)


def test_json_has_every_number_again() -> None:
    told = json.loads(as_json(results()))
    figure = next(
        each
        for each in told["figures"]
        if (each["language"], each["task"], each["lane"], each["concurrency"], each["forced_draft_tokens"])
        == ("*", "*", "mtp", 1, None)
    )
    assert figure["decode_rate"]["value"] == pytest.approx(80)
    assert figure["gain_over_body"]["value"] == pytest.approx(2)
    assert (figure["acceptance_length"], figure["accepted_by_position"]) == (2.4, [0.8, 0.6])
    assert (figure["draft_tokens"], figure["answers"], figure["prompts"]) == (2, 20, 20)
    assert told["answers"] == {"asked": 140, "counted": 100, "warm_up": 7}
    assert {each["lane"]: each["inflated"] for each in told["raw"]} == {"body": False, "mtp": True}
    assert told["misfiled"] == [
        {"language": "da", "task": "code", "as_language": "da", "as_task": "prose", "prompts": 1}
    ]
    assert {each["winner"] for each in told["rivalries"]} == {"mtp"}
    assert [each["winner"] for each in told["draft_lengths"]] == ["mtp"] * len(told["draft_lengths"])


def test_lanes_stand_beside_each_other_by_language_and_task() -> None:
    lanes = table(results(), "Lanes: chat, one at a time")
    assert lanes.head == ("answer in", "prompts", "`body`", "`mtp`", "winner")
    assert [row[0] for row in lanes.rows] == [
        *("da, code", "da, prose", "da", "en, code", "en, prose", "en", "all, code", "all, prose", "all")
    ]
    assert lanes.rows[-1] == ("all", "20", "40 (40–40)", "**2.40 / 80 (80–80)**", "mtp, 2.00 (2.00–2.00)× body")
    assert table(results(), "Lanes: chat, 4 at once").rows[-1][2] == "30 (30–30)"


def test_tables_have_the_shape_of_the_cards() -> None:
    """A drafter's card sweeps n, lists positions downwards, and holds the speed-up against the base."""
    of = results()
    assert table(of, "Draft lengths").rows == (
        ("chat, one at a time", "`mtp`", "1", "60.0 (60.0–60.0) tok/s", "75.0%", "1.75"),
        ("chat, one at a time", "`mtp`", "2", "**80.0 (80.0–80.0) tok/s**", "80.0%", "2.40"),
    )
    assert table(of, "Acceptance by position").rows == (("pos 0", "80.0%", "75.0%"), ("pos 1", "60.0%", ""))
    assert table(of, "Speed-up over the body").rows == (
        ("chat, one at a time", "`mtp`", "2", "40.0", "80.0", "2.00 (2.00–2.00)×", "70.0%"),
        ("chat, 4 at once", "`mtp`", "2", "30.0", "50.0", "1.67 (1.67–1.67)×", "70.0%"),
    )
    assert table(of, "Load").rows[1] == ("4", "30.0 (30.0–30.0), 0.10 s", "50.0 (50.0–50.0), 0.10 s")
    assert table(of, "Raw completions against chat").rows[1] == (
        *("`mtp`", "2.40 / 80.0", "120.0", "1.50×", "100%", "none", "inflated"),
    )
    assert table(of, "Answers that count for nothing").rows[0] == (
        *("raw completions, one at a time", "`body`", "20 of 20", "repeating 20"),
    )


def test_no_winner_is_an_answer() -> None:
    samples = [sample(lane, rate, prompt) for prompt in PROMPTS[:6] for lane, rate in (("body", 40), ("mtp", 40))]
    of = results(samples=samples)
    assert table(of, "Lanes: chat, one at a time").rows[-1][-1] == "no winner: too close to tell"
    assert "**" not in "".join(table(of, "Lanes: chat, one at a time").rows[-1])


def test_words_say_what_was_measured_and_what_it_isnt_worth() -> None:
    of = results(end="failed", why="no router answers")
    assert headline(of).startswith(
        "PARTIAL; 2026-01-02, polydraft 1.2.3 on vLLM 0.32.0; a <b>box</b>; 20 prompts, 1 round,"
    )
    for said in (report(of), summary(of)):
        assert "This is a part: no router answers." in said
        assert "Warning: raw completions, mtp: 120 tok/s is inflated" in said
        assert "Not measured: body n=1. it drafts nothing" in said
    assert "| da, code | 5 |" in report(of)
    assert "| da, code | 5 |" not in summary(of)
    assert "| all, code | 10 |" in summary(of)
    assert "No number: no prompt was answered soundly in every lane." in report(results(samples=[]))


def test_markdown_tables_have_as_many_cells_in_every_row() -> None:
    lines = [line for line in report(results()).splitlines() if line.startswith("|")]
    assert len(lines) > 30
    for heading, rule in pairwise(lines):
        if set(rule) == set("|- "):
            assert heading.count("|") == rule.count("|")
    for each in tables(results()):
        assert {len(row) for row in each.rows} == {len(each.head)}, each.title


def test_the_page_needs_nothing_else_and_shows_each_plot_with_its_table() -> None:
    written = page(results())
    assert not re.search(r"<(?:script|link|img|iframe)|src=|url\(|@import|https?://", written)
    assert "prefers-color-scheme:dark" in written
    assert "&lt;b&gt;box&lt;/b&gt;" in written
    sections = written.split("<h2>")[1:]
    drawn = [section for section in sections if "<svg" in section]
    assert len(drawn) == 6
    assert all("<table>" in section for section in sections)
    for drawing in re.findall(r"<svg.*?</svg>", written, re.DOTALL):
        ElementTree.fromstring(drawing)


def test_the_page_of_nothing_says_so() -> None:
    written = page(results(samples=[], end="interrupted", why="it was told to stop"))
    assert "PARTIAL" in written
    assert "No number" in written
    assert "<svg" not in written


def test_what_a_lane_is_called_is_text_on_the_page() -> None:
    evil = replace(sample("<script>alert(1)</script>", 40, PROMPTS[0]), way=Way("<script>alert(1)</script>"))
    assert "<script>" not in page(results(samples=[evil, sample("body", 40, PROMPTS[0])]))


def test_bars_are_as_high_as_their_values_and_whiskers_as_long_as_intervals() -> None:
    plot = Plot(
        "t",
        ("a", "b"),
        (Series("x", ((50.0, 40.0, 60.0), None), 0), Series("y", ((100.0,) * 3, (25.0,) * 3), 1)),
        "tok/s",
    )
    drawing = ElementTree.fromstring(bars(plot))
    heights = [float(each.get("height", "0")) for each in drawing.iter("rect") if each.find("title") is not None]
    assert heights == pytest.approx([heights[1] / 2, heights[1], heights[1] / 4], abs=0.2)
    (whisker,) = [each for each in drawing.iter("line") if each.get("class") == "whisker"]
    assert float(whisker.get("y1", "0")) - float(whisker.get("y2", "0")) == pytest.approx(heights[1] / 5, abs=0.2)
    assert [each.text for each in drawing.iter("title")] == ["a, x: 50 (40 to 60)", "a, y: 100", "b, y: 25"]
    assert len(ElementTree.fromstring(lines(plot)).findall("polyline")) == 2


def test_a_plot_of_nothing_is_still_a_plot() -> None:
    for draw in (bars, lines):
        ElementTree.fromstring(draw(Plot("t", (), (), "tok/s")))
        ElementTree.fromstring(
            draw(Plot("t", ("a",), (Series("x", (None,), 0), Series("y", ((0.0, 0.0, 0.0),), 1)), "u"))
        )
