"""The engines' entry point: what breaks can be told from what was told to end."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ENTRY = Path(__file__).resolve().parents[2] / "images/engine/entry.py"
SERVES = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))
print("up", flush=True)
time.sleep(30)
"""


MEMINFO = "MemTotal:       127600000 kB\nMemFree:          2000000 kB\nMemAvailable:   {kib:>8} kB\n"


def entry(program: str, **variables: str) -> subprocess.Popen[str]:
    command: list[str | Path] = [sys.executable, ENTRY, sys.executable, "-c", program]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **variables})


@pytest.fixture(scope="module")
def module() -> Any:
    """The entry point as a module: the image has nothing else of this repository."""
    spec = importlib.util.spec_from_file_location("entry", ENTRY)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def meminfo(folder: Path, gib: float) -> Path:
    """Write what a kernel says that has so much memory to give."""
    path = folder / "meminfo"
    path.write_text(MEMINFO.format(kib=int(gib * 2**20)))
    return path


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 1),
        ("raise SystemExit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
    ids=["in order", "with a code", "killed"],
)
def test_what_ends_by_itself_has_failed(program: str, code: int) -> None:
    with entry(program) as process:
        assert process.wait(30) == code


@pytest.mark.parametrize("code", [0, 7])
def test_what_is_told_to_end_gives_its_own_code(code: int) -> None:
    with entry(SERVES.format(code=code)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == code


def test_one_that_is_told_before_it_has_begun_ends_all_the_same() -> None:
    """Whenever the signal comes: it is passed on, and 30 seconds don't pass."""
    started = time.monotonic()
    for delay in (0.02, 0.05, 0.1, 0.2):
        with entry("import time; time.sleep(30)") as process:
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (143, -signal.SIGTERM)
    assert time.monotonic() - started < 30


def test_what_crashes_leaves_no_core(tmp_path: Path) -> None:
    """Whatever limit it is started with, it has none to raise; a crash, by the kernel's own account, writes nothing."""
    dying = "import os, resource, sys; print(*resource.getrlimit(resource.RLIMIT_CORE), flush=True); os.abort()"
    wrapped = f"ulimit -S -c $(ulimit -H -c); exec {sys.executable} {ENTRY} {sys.executable} -c '{dying}'"
    done = subprocess.run(["bash", "-c", wrapped], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("0 0\n", 128 + signal.SIGABRT)
    assert list(tmp_path.iterdir()) == []


def leaving(mark: Path) -> list[str]:
    """A command that leaves a mark and ends with 3."""
    return [sys.executable, "-c", f"open({str(mark)!r}, 'a').write('x'); raise SystemExit(3)"]


@pytest.mark.parametrize(("free", "code"), [(74.4, 0), (74.6, 3)], ids=["a little less", "just enough"])
def test_the_gpu_is_touched_only_if_memory_for_a_start_is_available(
    free: float, code: int, module: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """0: a restart policy for failures leaves it alone, after a reset of the machine too."""
    mark, needs = tmp_path / "mark", {"POLYDRAFT_START_GIB": "74.5"}
    assert module.start(leaving(mark), needs, meminfo(tmp_path, free), patience=0) == code
    assert mark.exists() == (code == 3)
    said = capfd.readouterr().err
    assert ("74.4 GiB are available and 74.5 GiB are needed" in said) == (code == 0)


def test_memory_that_is_still_given_back_is_waited_for(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = meminfo(tmp_path, 10)

    def given_back(_seconds: float) -> int:
        meminfo(tmp_path, 100)
        return 75

    monkeypatch.setattr(module, "_sleep", given_back)
    assert module.start(leaving(tmp_path / "mark"), {"POLYDRAFT_START_GIB": "74.5"}, looked) == 3


def test_a_kernel_that_says_nothing_of_its_memory_starts_nothing(module: Any) -> None:
    assert "doesn't say" in module.refusal({"POLYDRAFT_START_GIB": "74.5"}, "MemTotal: 1 kB\n")
    assert module.refusal({}, "") == "", "a GPU with memory of its own"


def test_one_that_waits_for_memory_ends_when_it_is_told_to() -> None:
    with entry("raise SystemExit(3)", POLYDRAFT_START_GIB="1000000") as process:
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(4) in (0, -signal.SIGTERM)


def test_after_three_starts_within_an_hour_it_waits_for_the_hour_s_end(tmp_path: Path) -> None:
    mark, starts = tmp_path / "mark", tmp_path / "starts"
    program = leaving(mark)[-1]
    for _ in range(3):
        with entry(program, POLYDRAFT_STARTS=str(starts)) as process:
            assert process.wait(30) == 3
    with entry(program, POLYDRAFT_STARTS=str(starts)) as process:
        assert process.stderr is not None
        assert "3 starts within an hour" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    assert mark.read_text() == "xxx"


def test_a_start_is_forgotten_after_an_hour(module: Any, tmp_path: Path) -> None:
    path = tmp_path / "starts"
    assert [module.pause(path, now) for now in (0.0, 1000.0, 2000.0)] == [0, 0, 0]
    assert module.pause(path, 3000.0) == 600
    assert module.pause(path, 3599.0) == 1
    assert module.pause(path, 3600.0) == 0
    assert module.pause(path, 3601.0) == 999, "the second one's"


def test_what_a_crash_left_of_the_count_starts_the_engine(module: Any, tmp_path: Path) -> None:
    path = tmp_path / "starts"
    path.write_text("\x00\x00 17e\n2000.5")
    assert [module.pause(path, now) for now in (2001.0, 2002.0)] == [0, 0]
    assert module.pause(path, 2003.0) == 3597.5


def test_a_model_without_a_commit_is_refused_by_its_name(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for models, code, said in (("acme/model", 0, "acme/model: no commit is pinned"), ("", 3, "")):
        with entry(leaving(mark)[-1], POLYDRAFT_UNPINNED=models) as process:
            _, errors = process.communicate(timeout=30)
            assert (process.returncode, said in errors, mark.exists()) == (code, True, code == 3)
