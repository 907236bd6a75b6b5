"""The command: a simulated box, the real router before it, and what came of it."""

import functools
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from serve.bench.prompts import TASKS, load
from serve.routing import cell, language
from tests.stack.running import free_port


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
    every = ("--policy", "logged", "--policy", "mtp")
    for file, policies, said in ((log, every, "| mtp |"), (trace, (*every, "--policy", "learner"), "| learner |")):
        judged = [sys.executable, "-m", "serve", "backtest", str(file), *policies]
        assert said in subprocess.run(judged, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("speed", "said"),
    [("0.1", "no answer was complete"), ("100", "of the oracle's")],
    ids=["before the first answer", "among many"],
)
def test_ctrl_c_ends_it_with_what_came_until_then(monkeypatch: pytest.MonkeyPatch, speed: str, said: str) -> None:
    monkeypatch.setenv("POLYDRAFT_DRAIN_TIMEOUT", "1")
    command = [sys.executable, "-m", "serve", "sim", "gb10", "--body", "seed", "--requests", "50000", "--speed", speed]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "--port", str(free_port())], stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdout
        while "simulated gb10" not in running.stdout.readline():
            assert running.poll() is None
        time.sleep(3 if speed == "100" else 0.5)
        running.send_signal(signal.SIGINT)
        shown, wrong = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said in shown
    assert "Traceback" not in wrong


def test_a_port_that_is_taken_names_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "serve", "sim", "gb10", "--port", str(port)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 2
    said = f"polydraft: can't listen on 127.0.0.1, port {port} (Address already in use); choose another --port\n"
    assert ran.stderr == said


def test_teaches_the_real_routers_ledger_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYDRAFT_LEDGER", str(tmp_path / "ledger.sqlite"))
    for name in ("KEYS_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE", "ENGINE_KEY_FILE"):
        monkeypatch.setenv(f"POLYDRAFT_{name}", str(tmp_path / name))
    ran = sim("gb10", "--body", "seed", "--requests", "8", "--speed", "100", "--policy", "apply")
    assert ran.returncode == 0, ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("rtx-pro-6000",),
            "[load], [prefill], [answers], [[bodies.vanilla.steps]] of mtp, body and [[bodies.vanilla.acceptance]] of "
            "mtp aren't published; they would go to serve/sim/figures/rtx-pro-6000.toml",
        ),
        (("rtx-pro-6000-x8",), "would go to serve/sim/figures/rtx-pro-6000.toml"),
        (("rtx-pro-2000-x4", "--body", "seed"), "would go to serve/sim/figures/rtx-pro-2000-x4.toml"),
        (("gb10-compare",), "its engines share a GPU"),
        (("rtx-pro-2000-x4-replicas",), "serve/sim/figures/rtx-pro-2000.toml"),
        (("rtx-pro-2000",), "use --body seed"),
        (("gb10", "--body", "big"), "no body big"),
        (("gb10", "--policy", "best"), "POLYDRAFT_POLICY"),
    ],
    ids=[
        "box",
        "copies of it",
        "several GPUs",
        "one GPU shared",
        "copies of another body",
        "its body",
        "no body",
        "policy",
    ],
)
def test_says_in_one_line_what_cant_be_simulated(arguments: tuple[str, ...], said: str) -> None:
    ran = sim(*arguments)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "box", "engines"),
    [(("gb10-x2",), "gb10", 2), (("rtx-pro-2000-x4-replicas", "--body", "seed"), "rtx-pro-2000", 2)],
    ids=["boxes", "copies"],
)
def test_a_copy_is_the_box_that_it_is_a_copy_of(arguments: tuple[str, ...], box: str, engines: int) -> None:
    ran = sim(*arguments, "--requests", "24", "--speed", "100", "--concurrency", "4")
    assert ran.returncode == 0, ran.stderr
    assert f"each of a lane's {engines} engines is taken for a {box}, by the figures of that box" in ran.stdout
    assert "all: 24 requests" in ran.stdout


def test_a_box_of_its_own_is_taken_for_nothing_else() -> None:
    assert "is taken for" not in sim("gb10", "--requests", "4", "--speed", "100").stdout


def test_its_prompts_are_what_they_are_filed_as() -> None:
    """Languages without fail; a task that isn't recognised counts as prose, and one prompt in ten may be."""
    classify = functools.partial(cell.classify, identify=language.load())
    filed, missed = load(TASKS), 0
    for prompt in filed:
        found = classify({"messages": [{"role": "user", "content": prompt.text}]}, "chat")
        assert (found.language, prompt.text) == (prompt.language, prompt.text)
        assert found.task in (prompt.task, "prose"), prompt.text
        missed += found.task != prompt.task
    cells = Counter((prompt.language, prompt.task) for prompt in filed)
    assert len({language for language, _ in cells}) >= 12
    assert len({task for _, task in cells}) >= 5
    assert min(cells.values()) >= 5
    assert missed <= len(filed) // 10
