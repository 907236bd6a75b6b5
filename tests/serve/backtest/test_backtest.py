"""What a log tells of policies that weren't asked: by values, and against the truth of the made-up box."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from serve import __main__ as command_line
from serve.backtest.judge import Choice, comparable, judge
from serve.backtest.log import Entry, read
from serve.backtest.policies import Learning, policy
from serve.backtest.run import run
from serve.backtest.trace import Known, written
from serve.errors import ConfigError
from serve.routing.cell import Cell
from tests.serve.ledger.box import LANES, Box, trace

EN, ZH = (Cell(language, "prose", "chat", False) for language in ("en", "zh-Hans"))
NAMES = {lane.name for lane in LANES}

LINE: dict[str, Any] = {
    "request_id": "x",
    "endpoint": "chat",
    "language": "en",
    "task": "prose",
    "thinking": False,
    "lane": "mtp",
    "learned_lane": "mtp",
    "propensities": {"mtp": 0.9, "body": 0.1},
    "applied": True,
    "end": "complete",
    "generation_time_s": 2.0,
    "completion_tokens": 101,
}


def choices(*names: str) -> dict[str, Choice]:
    found = {}
    for name in names:
        chosen = policy(name, NAMES)
        assert not isinstance(chosen, Learning)
        found[name] = chosen
    return found


def log_of(entries: Sequence[Entry]) -> str:
    return "".join(
        json.dumps(
            LINE
            | {
                "language": each.cell.language,
                "task": each.cell.task,
                "lane": each.lane,
                "learned_lane": each.lane,
                "propensities": dict(each.propensities),
                "generation_time_s": each.seconds,
                "completion_tokens": each.tokens + 1,
            }
        )
        + "\n"
        for each in entries
    )


def drawn(number: int, shares: dict[str, float], seed: int = 1) -> list[Entry]:
    """Answers of the made-up box, whose lanes were drawn by these shares."""
    rng = random.Random(seed)
    box, entries = Box(rng), []
    for cell, _, tokens in trace(rng, number):
        name = rng.choices(list(shares), list(shares.values()))[0]
        lane = next(lane for lane in LANES if lane.name == name)
        entries.append(Entry(cell, lane.name, shares, tokens - 1, box.outcome(lane, cell, 1, tokens)[1]))
    return entries


def test_reads_what_an_answer_tells() -> None:
    log = read([json.dumps(LINE)])
    assert log.entries == (Entry(EN, "mtp", {"mtp": 0.9, "body": 0.1}, 100, 2.0),)


@pytest.mark.parametrize(
    "change",
    [
        {"end": "aborted"},
        {"applied": False},
        {"lane": "body"},
        {"generation_time_s": None},
        {"generation_time_s": 0},
        {"completion_tokens": 1},
        {"completion_tokens": None},
        {"propensities": {"body": 1.0}},
        {"propensities": {"mtp": 0.0}},
        {"propensities": [1]},
        {"propensities": None},
    ],
    ids=str,
)
def test_leaves_out_what_cant_be_judged_by(change: dict[str, Any]) -> None:
    log = read([json.dumps(LINE | change)])
    assert (log.entries, log.left_out) == ((), 1)


@pytest.mark.parametrize(
    ("change", "undrawn"),
    [({"applied": False}, 1), ({"propensities": None}, 1), ({"end": "aborted"}, 0), ({"lane": "body"}, 0)],
    ids=str,
)
def test_answers_whose_lane_nobody_drew_are_counted_apart(change: dict[str, Any], undrawn: int) -> None:
    assert read([json.dumps(LINE | change)]).undrawn == undrawn


def test_a_log_without_propensities_is_refused_with_what_to_do(tmp_path: Path) -> None:
    plain = {name: value for name, value in LINE.items() if name not in ("propensities", "applied", "learned_lane")}
    (tmp_path / "log").write_text((json.dumps(plain) + "\n") * 3)
    with pytest.raises(ConfigError, match=r"3 answers don't say how likely each lane was.*POLYDRAFT_POLICY=apply"):
        run(tmp_path / "log", [], 0)


def test_the_learner_cant_be_judged_by_a_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log_of(drawn(40, {"body": 0.5, "mtp": 0.5})))
    with pytest.raises(ConfigError, match="learner can't be judged by a log"):
        run(tmp_path / "log", ["learner"], 0)


def test_gains_are_over_each_lane_and_estimates_of_few_answers_are_called_so(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log_of(drawn(400, {"body": 0.02, "mtp": 0.49, "eagle3": 0.49})))
    lines = run(tmp_path / "log", ["mtp", "eagle3"], 0).splitlines()
    assert lines[0] == ("| policy | tokens a second (95 %) | answers | against mtp | against body | against eagle3 |")
    mtp = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert (mtp[0], mtp[3]) == ("mtp", "")
    assert mtp[4].endswith(", too few")
    assert not mtp[5].endswith(", too few")


@given(st.lists(st.text(max_size=30) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_never_raises_whatever_a_log_holds(lines: list[str]) -> None:
    assert read(lines).left_out == len(lines)


def test_weighs_answers_by_how_unlikely_they_were() -> None:
    """Two lanes at 100 and 50 tokens a second, of which one is drawn ten times as seldom."""
    shares = {"mtp": 0.9, "body": 0.1}
    entries = [Entry(EN, "mtp", shares, 100, 1.0)] * 90 + [Entry(EN, "body", shares, 100, 2.0)] * 10
    policies = choices("logged", "mtp", "body")
    logged, mtp, body = judge(entries, policies, NAMES, 1)
    assert logged.rate == pytest.approx(10_000 / 110)
    assert mtp.rate == pytest.approx(100)
    assert body.rate == pytest.approx(50)
    assert body.gains["logged"].value == pytest.approx(0.55)
    assert body.gains["mtp"].value == pytest.approx(0.5)
    assert body.gains["mtp"].answers == pytest.approx(10)
    assert "eagle3" not in logged.gains, "nothing tells of a lane that is never drawn"
    assert mtp.answers == pytest.approx(90)
    assert body.answers == pytest.approx(10)


def test_estimates_every_lane_as_it_is_though_the_easy_requests_went_to_one() -> None:
    """Of what a lane got, the mean rate would mislead: English went to mtp, the rest to eagle3."""
    rng = random.Random(3)
    box, entries, true = Box(rng), [], {"mtp": [0.0, 0.0], "eagle3": [0.0, 0.0]}
    for cell, _, tokens in trace(rng, 6000):
        share = 0.9 if cell.language == "en" else 0.2
        shares = {"mtp": share, "eagle3": 1 - share}
        name = "mtp" if rng.random() < share else "eagle3"
        lane = next(lane for lane in LANES if lane.name == name)
        entries.append(Entry(cell, name, shares, tokens - 1, box.outcome(lane, cell, 1, tokens)[1]))
        for each in LANES[1:]:
            true[each.name][0] += tokens
            true[each.name][1] += tokens / box.rate(each, cell, 1)
    verdicts = judge(entries, choices(*true), NAMES, 1)
    for verdict in verdicts:
        done, spent = true[verdict.policy]
        assert verdict.rate == pytest.approx(done / spent, rel=0.03)
        assert verdict.rate is not None
        assert verdict.low is not None
        assert verdict.high is not None
        assert verdict.low < verdict.rate < verdict.high


def test_compares_where_every_policy_could_have_been_drawn() -> None:
    both, one = {"mtp": 0.5, "body": 0.5}, {"mtp": 1.0, "body": 0.0}
    entries = [Entry(EN, "mtp", both, 100, 1.0), Entry(ZH, "mtp", one, 100, 9.0)]
    policies = choices("mtp", "body")
    assert comparable(entries, policies) == entries[:1]
    mtp, body = judge(entries, policies, NAMES, 1)
    assert mtp.rate == pytest.approx(100)
    assert (body.rate, body.gains) == (None, {})


def test_an_equal_policy_wins_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(log_of(drawn(300, {"mtp": 0.5, "eagle3": 0.5})))
    table = tmp_path / "table.json"
    table.write_text('[{"language": "*", "task": "*", "candidates": [{"lane": "mtp"}]}]')
    told = run(log, ["mtp", str(table)], 1)
    assert "300 of 300 answers" in told
    row = next(line for line in told.splitlines() if line.startswith(f"| {table} |"))
    assert "| 1.000 (1.000 to 1.000), no winner |" in row


def test_a_table_is_a_policy(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text('[{"language": "zh", "task": "*", "candidates": [{"lane": "mtp"}]}]')
    choice = choices(str(table))[str(table)]
    assert (choice(ZH), choice(EN)) == ("mtp", "body")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[{"language": "zh", "task": "*", "candidates": [{"lane": "medusa"}]}]',
            "line 1: names a lane that there isn't, medusa",
        ),
        ('[{"language": "zh", "task": "*", "candidates": [{"lane": "mtp", "decode_rate": -1}]}]', "a rate of -1"),
        ('[{"language": "zh"}]', "line 1: task"),
        ("{", "line 1: isn't JSON"),
    ],
)
def test_a_bad_table_is_refused_with_its_row(tmp_path: Path, text: str, says: str) -> None:
    table = tmp_path / "table.json"
    table.write_text(text)
    with pytest.raises(ConfigError, match=says):
        policy(str(table), NAMES)


def test_an_unknown_policy_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="logged, a lane"):
        policy("medusa", NAMES)


def test_the_command_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("no JSON\n" + log_of(drawn(400, {"body": 0.2, "mtp": 0.4, "eagle3": 0.4})))
    done = CliRunner().invoke(command_line.cli, ["backtest", str(log)])
    assert done.exit_code == 0
    assert [line.split("|")[1].strip() for line in done.output.splitlines()[2:6]] == ["logged", "body", "eagle3", "mtp"]
    assert "1 lines of the log tell nothing" in done.output


def test_a_log_of_no_use_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("{}\n")
    with pytest.raises(ConfigError, match="no answer"):
        run(tmp_path / "log", [], 0)


def known(lane: str, cell: Cell = EN, **seconds: float) -> Known:
    return Known(cell, lane, 100, seconds)


def test_a_trace_says_what_every_policy_takes_and_how_far_the_oracle_is(tmp_path: Path) -> None:
    """English is faster with mtp, Chinese without: 1 and 2 seconds against 2 and 1."""
    requests = [known("mtp", EN, mtp=1.0, body=2.0)] * 60 + [known("mtp", ZH, mtp=2.0, body=1.0)] * 60
    path, table = tmp_path / "trace.jsonl", tmp_path / "table.json"
    path.write_text("".join(written(each) + "\n" for each in requests))
    rows = [{"language": "zh", "task": "*", "candidates": [{"lane": "body"}, {"lane": "mtp"}]}]
    rows.append({"language": "*", "task": "*", "candidates": [{"lane": "mtp"}, {"lane": "body"}]})
    table.write_text(json.dumps(rows))
    told = run(path, ["body", "logged", str(table)], 1)
    lines = {line.split(" | ")[0].strip("| "): line for line in told.splitlines() if line.startswith("| ")}
    assert lines["body"].split(" | ")[1].startswith("66.7 ")
    assert lines["logged"].split(" | ")[2].startswith("0.667 ")
    assert lines[str(table)].split(" | ")[2].startswith("1.000 (1.000 to 1.000)")
    assert lines[str(table)].split(" | ")[3].startswith("0.0 (")
    assert lines["logged"].split(" | ")[3].startswith("60.0 (")
    assert lines[str(table)].split(" | ")[4].startswith("1.500 (")
    assert lines["oracle"].split(" | ")[1:4] == ["100.0", "1.000", "0.0"]
    assert "120 requests of a trace" in told


def test_an_interval_of_a_trace_holds_the_truth_in_about_nineteen_of_twenty(tmp_path: Path) -> None:
    held = 0
    for seed in range(60):
        rng = random.Random(seed)
        requests = [known("mtp", EN, mtp=rng.uniform(0.5, 1.5), body=1.25) for _ in range(80)]
        path = tmp_path / "trace.jsonl"
        path.write_text("".join(written(each) + "\n" for each in requests))
        row = next(line for line in run(path, ["body", "mtp"], seed).splitlines() if line.startswith("| mtp |"))
        low, high = row.split(" | ")[4].partition("(")[2].rstrip(")").split(" to ")
        held += float(low) <= 1.25 <= float(high)
    assert 51 <= held <= 60


@pytest.mark.parametrize(
    "change", [{"seconds": {"body": 0.0}}, {"seconds": {"mtp": 1.0}}, {"tokens": 0}, {"seconds": []}], ids=str
)
def test_a_line_of_a_trace_that_makes_no_sense_is_left_out(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "trace.jsonl"
    good = written(known("body", EN, body=1.0, mtp=0.5))
    path.write_text(good + "\n" + json.dumps(json.loads(good) | change) + "\n{\n")
    assert "1 requests of a trace" in run(path, [], 1)
