"""The command on a simulated box, over real HTTP: what was published of the box comes out again, whatever ends it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest

from serve.bench.results import SCHEMA
from serve.bench.run import FILES
from tests.stack.running import free_port

SMALL = ("--languages", "en,zh-Hans", "--tasks", "prose,code")


@contextmanager
def simulated(*options: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A simulated GB10 with the abliterated body, behind the real router."""
    port = free_port()
    command = [sys.executable, "-m", "serve", "sim", "gb10", "--body", "seed", "--port", str(port), *options]
    settings = {**os.environ, "POLYDRAFT_DRAIN_TIMEOUT": "1", **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings) as running:
        try:
            assert running.stdout
            while "Ctrl-C stops it" not in running.stdout.readline():
                assert running.poll() is None
            yield f"http://127.0.0.1:{port}", running
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=30)


@pytest.fixture(scope="module")
def box() -> Iterator[str]:
    with simulated("--speed", "100", "--policy", "static") as (url, _):
        yield url


def command(url: str, output: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "serve", "bench", url, "--output", str(output), *options]


def bench(url: str, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(url, output, *options), capture_output=True, text=True, timeout=300, check=False)


def told(output: Path) -> dict[str, Any]:
    assert sorted(each.name for each in output.iterdir()) == sorted(FILES)
    results: dict[str, Any] = json.loads((output / "results.json").read_text())
    jsonschema.validate(results, json.loads(SCHEMA.read_text()))
    return results


def figures(results: dict[str, Any], **where: object) -> dict[str, dict[str, Any]]:
    """Give the lanes' figures of one cell, by lane and the draft length that was asked for."""
    wanted = {"endpoint": "chat", "concurrency": 1, "language": "*", "task": "*", **where}
    found = [each for each in results["figures"] if {name: each[name] for name in wanted} == wanted]
    return {f"{each['lane']} {each['forced_draft_tokens'] or ''}".strip(): each for each in found}


@pytest.fixture(scope="module")
def measured(box: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    output = tmp_path_factory.mktemp("bench") / "results"
    more = ("--concurrency", "1,4", "--draft-tokens", "1,2,4,9", "--raw", "--note", "simulated", "--rounds", "2")
    ran = bench(box, output, *SMALL, *more)
    assert ran.returncode == 0, ran.stderr
    return output, ran.stdout


def test_what_was_published_of_the_box_comes_out_again(measured: tuple[Path, str]) -> None:
    results = told(measured[0])
    english = figures(results, language="en", task="prose")
    assert english["body"]["decode_rate"]["value"] == pytest.approx(40, rel=0.05)
    assert english["mtp"]["decode_rate"]["value"] == pytest.approx(53, rel=0.2)
    chinese = figures(results, language="zh-Hans", task="prose")
    assert chinese["eagle3"]["decode_rate"]["value"] == pytest.approx(27, rel=0.1)
    assert chinese["eagle3"]["accepted_by_position"][0] == pytest.approx(0.12, abs=0.06)
    winners = {(each["language"], each["task"], each["concurrency"]): each["winner"] for each in results["rivalries"]}
    assert winners["zh-Hans", "code", 1] == "mtp"
    assert (results["end"], results["plan"]["prompts"], results["note"]) == ("complete", 20, "simulated")


def test_load_slows_every_lane_down_as_published(measured: tuple[Path, str]) -> None:
    """1.21 times a doubling; the end of each stretch has less company."""
    results = told(measured[0])
    alone, busy = (figures(results, concurrency=level) for level in (1, 4))
    for lane in ("body", "mtp", "eagle3"):
        slower = alone[lane]["decode_rate"]["value"] / busy[lane]["decode_rate"]["value"]
        assert 1.15 < slower < 1.21**2 + 0.1


def test_draft_lengths_are_swept_where_a_lane_can_be_told(measured: tuple[Path, str]) -> None:
    results = told(measured[0])
    swept = figures(results)
    assert {"mtp", "mtp 1", "mtp 2", "eagle3", "eagle3 1", "eagle3 2", "body"} == set(swept)
    assert [swept[way]["draft_tokens"] for way in ("mtp 1", "mtp 2", "mtp")] == [1, 2, 4]
    lengths = [swept[way]["acceptance_length"] for way in ("mtp 1", "mtp 2", "mtp")]
    assert lengths == sorted(lengths)
    assert {name: "a whole number from 1 to 4" in why for name, why in results["refused"].items()} == {
        "mtp n=9": True,
        "eagle3 n=9": True,
    }


def test_raw_completions_are_shown_for_what_they_are(measured: tuple[Path, str]) -> None:
    output, said = measured
    raw = {each["lane"]: each for each in told(output)["raw"]}
    assert raw["eagle3"]["raw"] > 1.8 * raw["eagle3"]["chat"]
    assert raw["eagle3"]["inflated"]
    assert not raw["body"]["inflated"]
    assert re.search(r"Warning: raw completions, eagle3: \d+ tok/s is inflated by degenerate output", said)


def test_warm_up_counts_for_nothing(measured: tuple[Path, str]) -> None:
    answers = told(measured[0])["answers"]
    ways, raw = 7, 3
    assert answers["warm_up"] == ways * (1 + 4) + raw + 3 + 4  # settings, then what asks for draft lengths
    assert answers["asked"] == 2 * (20 * ways + 20 * raw + 24 * ways)


def test_the_router_loads_the_table_and_decides_by_it(measured: tuple[Path, str]) -> None:
    output, _ = measured
    table = {
        (row["language"], row["task"]): row["candidates"][0]["lane"]
        for row in json.loads((output / "table.json").read_text())
    }
    assert table["zh-Hans", "code"] == "mtp"
    chinese = {"messages": [{"role": "user", "content": "请用Python写一个函数，返回字符串中最长的回文。"}]}
    with simulated("--policy", "static", POLYDRAFT_TABLE_FILE=str(output / "table.json")) as (url, _):
        decided = httpx2.post(f"{url}/v1/route", json=chinese).json()
    assert (decided["lane"], decided["reason"], decided["language"], decided["task"]) == (
        *("mtp", "measured", "zh-Hans", "code"),
    )
    row = next(
        row
        for row in json.loads((output / "table.json").read_text())
        if (row["language"], row["task"]) == ("zh-Hans", "code")
    )
    assert [each["decode_rate"] for each in decided["candidates"]] == [
        each["decode_rate"] for each in row["candidates"]
    ]


def slowly(url: str, output: Path) -> subprocess.Popen[str]:
    """A measurement that has begun to count answers."""
    running = subprocess.Popen(
        command(url, output, *SMALL, "--rounds", "20"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr
    while not re.match(r"[1-9]\d+/", running.stderr.readline()):
        assert running.poll() is None
    return running


def test_told_to_stop_it_keeps_what_it_has(box: str, tmp_path: Path) -> None:
    running = slowly(box, tmp_path / "part")
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "PARTIAL" in said
    results = told(tmp_path / "part")
    assert (results["end"], results["why"]) == ("interrupted", "it was told to stop")
    assert 0 < results["answers"]["asked"] < 1200
    assert figures(results)["body"]["prompts"] > 0
    assert "This is a part" in (tmp_path / "part/report.md").read_text()


def test_a_router_that_goes_away_leaves_what_there_is(tmp_path: Path) -> None:
    with simulated("--speed", "100", "--policy", "static") as (url, router):
        running = slowly(url, tmp_path / "part")
        router.send_signal(signal.SIGKILL)
        said, _ = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "PARTIAL" in said
    assert told(tmp_path / "part")["end"] == "failed"


def test_stopped_before_there_is_anything_it_leaves_nothing(tmp_path: Path) -> None:
    with simulated("--speed", "0.1", "--policy", "static") as (url, _):
        running = subprocess.Popen(command(url, tmp_path / "none", *SMALL), stderr=subprocess.PIPE, text=True)
        time.sleep(4)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert running.returncode != 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--concurrency", "0"), "--concurrency: '0' isn't a list of whole numbers"),
        (("--concurrency", "many"), "write it as 1,4,16"),
        (("--draft-tokens", "1,-2"), "--draft-tokens"),
        (("--languages", "tlh"), "no prompt is of tlh; there are en, zh-Hans"),
        (("--tasks", "poem"), "no prompt is of poem"),
        (("--prompts", "/nowhere.toml"), "can't be read as TOML"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_arguments_are_one_line(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    ran = bench("http://127.0.0.1:9", tmp_path / "none", *options)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_never_written_into(box: str, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    ran = bench(box, tmp_path, *SMALL)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1)
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_on_a_terminal_progress_is_one_bar(box: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    options = ("--languages", "en", "--tasks", "json")
    done = subprocess.run(
        command(box, tmp_path / "out", *options), stderr=theirs, stdout=subprocess.DEVNULL, check=False
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert shown.count("\n") == 1
    assert shown.rstrip().endswith(f"[{'#' * 40}] 18/18 answers")
