"""Pooling samples, and the two tables made of them."""

from pathlib import Path

import pytest

from serve.bench.measure import Sample
from serve.bench.prompts import DEMO, Prompt, load
from serve.bench.report import cells, figures, markdown, positions
from serve.errors import ConfigError
from serve.routing.outcome import Acceptance

TASKS = DEMO.with_name("tasks.toml")
ENGLISH, CHINESE = Prompt("en", "hi"), Prompt("zh-Hans", "你好")
SAMPLES = [
    Sample(ENGLISH, "body", 101, 2.0, None),
    Sample(ENGLISH, "mtp", 101, 1.0, Acceptance(50, 100, 50, (30, 20))),
    Sample(ENGLISH, "mtp", 51, 1.0, Acceptance(50, 100, 0, (0, 0))),
    Sample(CHINESE, "body", 11, 0.1, None),
    Sample(CHINESE, "mtp", 1, 0.0, None),
]


def test_pools_tokens_and_steps_over_answers() -> None:
    body, mtp, _ = figures(SAMPLES)
    assert (body.acceptance_length, body.decode_rate) == (None, 50.0)
    assert (mtp.requests, mtp.acceptance_length, mtp.decode_rate) == (2, 1.5, 75.0)
    assert (mtp.slowest, mtp.fastest) == (50.0, 100.0)


def test_an_answer_of_one_token_says_nothing_about_speed() -> None:
    assert [(figure.language, figure.lane) for figure in figures(SAMPLES)] == [
        ("en", "body"),
        ("en", "mtp"),
        ("zh-Hans", "body"),
    ]


def test_the_table_for_people_marks_the_fastest_lane() -> None:
    assert markdown(figures(SAMPLES)).splitlines() == [
        "| answer in | `body` | `mtp` |",
        "| --- | --- | --- |",
        "| en | 50 tok/s | **1.50 / 75 tok/s** |",
        "| zh-Hans | **100 tok/s** |  |",
    ]


def test_the_table_for_profiles_puts_the_fastest_lane_first() -> None:
    assert cells(figures(SAMPLES[:3])) == (
        'language = "en"\ntask = "*"\nlanes = [\n'
        '  { lane = "mtp", acceptance-length = 1.50, decode-rate = 75.0 },\n'
        '  { lane = "body", decode-rate = 50.0 },\n]'
    )


def test_an_answer_in_circles_counts_for_nothing() -> None:
    flattered = Sample(ENGLISH, "mtp", 1001, 0.5, Acceptance(250, 500, 500, (250, 250)), repeats=True)
    assert figures([*SAMPLES, flattered]) == figures(SAMPLES)


def test_tasks_are_told_apart_where_the_prompts_are() -> None:
    code = Sample(Prompt("en", "write code", "code"), "mtp", 101, 0.5, Acceptance(25, 50, 50, (25, 25)))
    found = figures([*SAMPLES, code])
    assert "| en, code |  | **3.00 / 200 tok/s** |" in markdown(found).splitlines()
    assert 'language = "en"\ntask = "code"' in cells(found)


def test_the_table_by_position_shows_where_acceptance_falls() -> None:
    assert positions(figures(SAMPLES)).splitlines() == [
        "| answer in | lane | 0 | 1 |",
        "| --- | --- | --- | --- |",
        "| en | `mtp` | 30% | 20% |",
    ]
    assert positions(figures(SAMPLES[:1])) == ""


def test_prompts_may_be_filed_by_task(tmp_path: Path) -> None:
    file = tmp_path / "prompts.toml"
    file.write_text('[en]\nprose = "Tell me"\ncode = "Write it"\n')
    assert load(file) == (Prompt("en", "Tell me", "prose"), Prompt("en", "Write it", "code"))
    for bad in ('en = "x"', "[en]\nprose = 1", "en = []", "[en]"):
        file.write_text(bad)
        with pytest.raises(ConfigError, match="en must be a list of prompts, or a table"):
            load(file)
    assert len({prompt.language for prompt in load(TASKS)}) >= 12
