"""Pooling samples, and the two tables made of them."""

from serve.bench.measure import Sample
from serve.bench.prompts import Prompt
from serve.bench.report import cells, figures, markdown
from serve.routing.outcome import Acceptance

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
