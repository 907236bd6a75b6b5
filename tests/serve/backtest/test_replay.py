"""The policy that learns goes through a trace of known truth: it finds what is fastest, and says the same twice."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from serve.backtest.replay import learned
from serve.backtest.run import run
from serve.backtest.trace import Known, judge, read, written
from serve.errors import ConfigError
from serve.routing.cell import Cell
from serve.routing.policy import Candidate, Row

STEP = {"body": 0.025, "mtp": 0.035, "eagle3": 0.034}
DRAFTS = {"body": 0, "mtp": 4, "eagle3": 4}
LENGTHS = {"en": {"body": 1.0, "mtp": 1.8, "eagle3": 2.6}, "zh-Hans": {"body": 1.0, "mtp": 2.4, "eagle3": 1.1}}
BEST = {"en": "eagle3", "zh-Hans": "mtp"}


def trace(number: int, seed: int = 1) -> list[Known]:
    """Requests on an invented box, where English wants one drafter and Chinese the other."""
    rng, found = random.Random(seed), []
    for _ in range(number):
        language, tokens, batch = rng.choice(list(LENGTHS)), rng.randint(60, 300), rng.choice((1, 1, 2, 4))
        slower = 1.2 ** (batch.bit_length() - 1)
        lengths = LENGTHS[language]
        seconds = {lane: tokens / lengths[lane] * STEP[lane] * slower for lane in STEP}
        cell = Cell(language, "prose", "chat", False)
        found.append(Known(cell, "body", tokens, seconds, batch, 200, lengths, DRAFTS))
    return found


def test_it_finds_each_languages_lane_with_nothing_to_begin_from() -> None:
    requests = trace(400)
    taken = learned(requests, 1)
    for language, best in BEST.items():
        late = [lane for each, lane in list(zip(requests, taken, strict=True))[200:] if each.cell.language == language]
        assert Counter(late)[best] > 0.9 * len(late)
    (standing,) = judge(requests, {"learner": taken}, 0)
    assert standing.oracle.value > 0.95
    assert all(gain.low > 1 for gain in standing.gains.values()), "better than any lane for everything"
    assert standing.regret.value > 0


def test_the_same_seed_does_it_again_and_another_has_other_luck() -> None:
    requests = trace(150)
    assert learned(requests, 3) == learned(requests, 3)
    assert learned(requests, 3) != learned(requests, 4)


def test_it_may_begin_from_a_table() -> None:
    rows = tuple(
        Row(language, "*", tuple(Candidate(lane, lengths[lane], lengths[lane] / STEP[lane]) for lane in lengths))
        for language, lengths in LENGTHS.items()
    )
    requests = trace(60)
    told, untold = (judge(requests, {"": taken}, 0)[0] for taken in (learned(requests, 1, rows), learned(requests, 1)))
    assert told.oracle.value > untold.oracle.value


def test_the_command_puts_it_beside_fixed_lanes_and_the_oracle(tmp_path: Path) -> None:
    path, table = tmp_path / "trace.jsonl", tmp_path / "table.json"
    path.write_text("".join(written(each) + "\n" for each in trace(120)))
    table.write_text('[{"language": "*", "task": "*", "candidates": [{"lane": "mtp"}]}]')
    assert [line.split(" | ")[0] for line in run(path, [], 1).splitlines()[2:8]] == [
        *("| oracle", "| logged", "| learner", "| body", "| eagle3", "| mtp"),
    ]
    told = run(path, ["learner", f"learner={table}"], 1)
    assert f"| learner={table} |" in told
    assert "with luck as it is assumed to be" in told
    assert told == run(path, ["learner", f"learner={table}"], 1)


def test_a_trace_comes_back_as_it_was_written() -> None:
    requests = trace(5)
    assert list(read(map(written, requests))) == requests


@pytest.mark.parametrize(
    "without",
    [{"acceptance_lengths": {}}, {"draft_tokens": {}}, {"acceptance_lengths": {"body": 1, "mtp": 0.5, "eagle3": 2}}],
    ids=str,
)
def test_a_trace_that_teaches_nothing_is_refused(tmp_path: Path, without: dict[str, object]) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(json.loads(written(each)) | without) + "\n" for each in trace(5)))
    with pytest.raises(ConfigError, match="doesn't say what lanes get accepted"):
        run(path, ["learner"], 1)
    assert "5 requests of a trace" in run(path, ["logged", "mtp"], 1)


def test_a_table_to_begin_from_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(written(each) + "\n" for each in trace(5)))
    with pytest.raises(ConfigError, match="there is no policy /nowhere"):
        run(path, ["learner=/nowhere"], 1)
