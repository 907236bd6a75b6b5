"""The command: a simulated box, the real router before it, and what came of it."""

import functools
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from serve.routing import cell, language
from serve.sim.traffic import PROMPTS
from tests.stack.conftest import free_port


def sim(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "serve", "sim", *arguments, "--port", str(free_port())]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_shows_what_the_router_would_do_and_what_that_is_worth(tmp_path: Path) -> None:
    log, trace = tmp_path / "access.log", tmp_path / "trace.jsonl"
    files = ("--log", str(log), "--trace", str(trace))
    ran = sim("gb10", "--body", "seed", "--requests", "60", "--speed", "100", "--concurrency", "4", *files)
    assert ran.returncode == 0, ran.stderr
    assert "nothing was measured on such a box" in ran.stdout
    assert "| en, prose |" in ran.stdout
    assert "all: 60 requests" in ran.stdout
    assert "eagle3 alone" in ran.stdout
    assert len(log.read_text().splitlines()) == 60
    for file, said in ((log, "| mtp |"), (trace, "60 requests of a trace")):
        judged = [sys.executable, "-m", "serve", "backtest", str(file), "--policy", "logged", "--policy", "mtp"]
        assert said in subprocess.run(judged, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rtx-pro-6000",), "too little is published"),
        (("gb10", "--body", "big"), "no body big"),
        (("gb10", "--policy", "best"), "POLYDRAFT_POLICY"),
    ],
    ids=["box", "body", "policy"],
)
def test_says_in_one_line_what_cant_be_simulated(arguments: tuple[str, ...], said: str) -> None:
    ran = sim(*arguments)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_its_prompts_are_what_they_are_filed_as() -> None:
    """Languages without fail; a task that isn't recognised counts as prose, and one prompt in ten may be."""
    classify = functools.partial(cell.classify, identify=language.load())
    filed = tomllib.loads(PROMPTS.read_text(encoding="utf-8"))
    missed = []
    for name, tasks in filed.items():
        for task, text in tasks.items():
            found = classify({"messages": [{"role": "user", "content": text}]}, "chat")
            assert found.language == name
            missed += [(name, task)] if found.task != task else []
            assert found.task in (task, "prose")
    assert len(filed) >= 12
    assert len(missed) <= sum(map(len, filed.values())) // 10
