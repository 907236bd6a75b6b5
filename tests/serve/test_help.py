"""The command line's help: a screen each, with an example; bars for terminals, lines for files."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from click.testing import CliRunner

from serve import __main__ as command_line
from serve.progress import Progress

CLI: click.Group = typer.main.get_command(command_line.cli)  # type: ignore[assignment]


def paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, deeper in getattr(command, "commands", {}).items():
        yield from paths(deeper, (*path, name))


@pytest.mark.parametrize("path", list(paths(CLI)), ids=" ".join)
def test_help_fits_a_screen_and_has_an_example(path: tuple[str, ...]) -> None:
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(CLI, [*path, "--help"], prog_name="polydraft")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert len(lines) <= 23  # and the prompt below them
    assert max(map(len, lines)) <= 80
    assert "..." not in shown.output.replace("[ARGS]...", "")
    text = " ".join(shown.output.split())
    assert "Example: polydraft" in text or "Try: polydraft" in text


def test_there_is_completion_for_shells() -> None:
    shown = CliRunner().invoke(CLI, ["--help"])
    assert "--install-completion" in shown.output


def test_an_all_reduce_is_refused_where_nothing_is_reduced() -> None:
    refused = CliRunner().invoke(CLI, ["doctor", "rtx-pro-6000-x8", "--all-reduce"])
    assert "an engine of rtx-pro-6000-x8 has one GPU" in str(refused.exception)


def test_profiles_names_are_completed() -> None:
    asked = {"_POLYDRAFT_COMPLETE": "complete_bash", "COMP_WORDS": "polydraft up gb", "COMP_CWORD": "2"}
    command = Path(sys.executable).with_name("polydraft")
    ran = subprocess.run([command], env=os.environ | asked, capture_output=True, text=True, check=False)
    assert {"gb10", "gb10-x2"} <= set(ran.stdout.split())
    assert all(name.startswith("gb") for name in ran.stdout.split())


PROGRESS = "from serve.progress import Progress\nshow = Progress()\nfor done in range(1, 41): show(done, 40)"


def test_progress_is_a_line_every_tenth_of_the_way_where_there_is_no_terminal() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRESS], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines() == [f"{done}/40 answers" for done in range(4, 41, 4)]


def test_progress_is_one_bar_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRESS], stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert shown.count("\n") == 1
    assert shown.rstrip().endswith(f"[{'#' * 40}] 40/40 answers")
    assert f"[{'#' * 20}{'.' * 20}] 20/40 answers" in shown


def test_a_bar_says_how_long_the_rest_will_take_as_it_has_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    times = iter((100.0, 110.0, 400.0, 1000.0))
    show = Progress(lambda: next(times))
    for done in (1, 2, 6, 11):
        show(done, 11)
    told = [line.strip() for line in capsys.readouterr().err.split("\r")[1:]]
    assert [line.partition("] ")[2] for line in told] == [
        "1/11 answers",
        "2/11 answers, 2 min left",
        "6/11 answers, 5 min left",
        "11/11 answers",
    ]
