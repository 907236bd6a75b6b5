"""Pins and locks go back to what they were before their last change, by a real history."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from serve.deploy import pins as pinning
from serve.deploy.pins import PINS
from serve.deploy.rollback import rollback
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A repository whose pins and lock were changed once since its first commit, and another file after that."""
    for name in (str(PINS), "images/engine/requirements-gpu.txt", "images/engine/requirements-cpu.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    commit(tmp_path, "first", init=True)
    change(tmp_path / PINS, '"0.33.0"', '"0.34.0"')
    change(tmp_path / "images/engine/requirements-gpu.txt", "vllm==0.33.0", "vllm==0.34.0")
    commit(tmp_path, "newer vLLM")
    (tmp_path / "README.md").write_text("later\n")
    commit(tmp_path, "something else")
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def commit(root: Path, message: str, *, init: bool = False) -> None:
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in ([["init", "-q"]] if init else []) + [["add", "-A"], ["commit", "-q", "-m", message]]:
        subprocess.run([*git, *command], check=True)


def test_pins_and_locks_go_back_together_and_nothing_else_does(history: Path) -> None:
    _, changed = rollback(history)
    assert changed == ["images/engine/requirements-gpu.txt", str(PINS)]
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.33.0"
    assert "\nvllm==0.33.0 " in (history / "images/engine/requirements-gpu.txt").read_text(encoding="utf-8")
    assert (history / "README.md").read_text() == "later\n"


def test_a_change_that_is_not_committed_is_the_one_that_goes(history: Path) -> None:
    change(history / PINS, '"0.34.0"', '"0.35.0"')
    assert rollback(history)[1] == []
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.34.0"


def test_pins_that_cannot_be_read_any_more_go_back_too(history: Path) -> None:
    change(history / "images/engine/requirements-gpu.txt", "vllm==0.34.0", "vllm==0.35.0")
    change(history / PINS, '"0.34.0"', '"0.35.0')
    assert rollback(history)[1] == []
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.34.0"
    assert "\nvllm==0.34.0 " in (history / "images/engine/requirements-gpu.txt").read_text(encoding="utf-8")


def test_what_was_staged_goes_too(history: Path) -> None:
    change(history / PINS, '"0.34.0"', '"0.35.0"')
    git = ["git", "-C", str(history)]
    subprocess.run([*git, "add", "-A"], check=True)
    rollback(history)
    assert subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True).stdout == b""


def resolve(history: Path) -> None:
    pins = history / PINS
    pins.write_text(re.sub(r'digest = "unresolved"', f'digest = "sha256:{"0" * 64}"', pins.read_text()))


def test_a_version_in_which_less_was_resolved_is_passed_over(history: Path) -> None:
    """Else an upgrade that resolved what a clone hasn't would be taken back to what can't be built."""
    resolve(history)
    commit(history, "resolved")
    with pytest.raises(ConfigError, match="could be built; 2 older ones lack pins or are less resolved"):
        rollback(history)
    assert 'digest = "unresolved' not in (history / PINS).read_text()
    change(history / PINS, '"0.34.0"', '"0.35.0"')
    commit(history, "newer still")
    assert rollback(history)[1] == [str(PINS)]
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.34.0"


def test_pins_without_a_past_stay_as_they_are(history: Path) -> None:
    shutil.rmtree(history / ".git")
    commit(history, "all there is", init=True)
    with pytest.raises(ConfigError, match="has no earlier version"):
        rollback(history)
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.34.0"
