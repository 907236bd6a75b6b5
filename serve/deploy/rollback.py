"""Takes the pins and their locks back to what they were before their last change, by the repository's own history.

It never makes or moves a commit: what it writes is for somebody to look at, render and commit.
"""

import subprocess
import tempfile
from pathlib import Path

from serve.deploy import pins as pinning
from serve.deploy.pins import PINS, Pins
from serve.errors import ConfigError


def rollback(root: Path) -> tuple[str, list[str]]:
    """Restore the files; returns the commit they are from and which of them changed.

    Changes that aren't committed count as the last one, and go. An older version that lacks a pin, or hasn't resolved
    what is resolved by now, would build nothing, and is passed over. Raises ConfigError where there is no other.
    """
    unreadable = False
    try:
        files = _files(root)
    except ConfigError:
        # Pins that can't be read name no locks; those of the last commit do. They still count as the last change.
        _restore(root, "HEAD", str(PINS))
        unreadable, files = True, _files(root)
    uncommitted = unreadable or _git(root, "diff", "--name-only", "HEAD", "--", *files)
    source = "HEAD" if uncommitted else _earlier(root, files)
    commit = _git(root, "rev-parse", "--short", source)[0]
    _restore(root, source, *files)
    return commit, _git(root, "diff", "--name-only", "HEAD", "--", *files)


def _files(root: Path) -> list[str]:
    return [str(PINS), *sorted({pin.lock for pin in pinning.load(root / PINS).all if pin.lock})]


def _earlier(root: Path, files: list[str]) -> str:
    """Name the commit that has the newest version before the last one from which everything can be built."""
    wanted = _buildable(pinning.load(root / PINS))
    older = _git(root, "log", "--format=%H", "--", *files)[1:]
    for commit in older:
        if (then := _pins_of(root, commit)) and wanted <= _buildable(then):
            return commit
    passed = f"; {len(older)} older ones lack pins or are less resolved" if older else ""
    raise ConfigError(f"{PINS}: has no earlier version in this repository's history that could be built{passed}")


def _buildable(pins: Pins) -> set[tuple[str, ...]]:
    """Name every pin, and once more each that is resolved."""
    named = {(pin.kind, pin.name) for pin in pins.all}
    return named | {(pin.kind, pin.name, "resolved") for pin in pins.all if pin.resolved}


def _pins_of(root: Path, commit: str) -> Pins | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PINS.name
        path.write_text(_run(root, "show", f"{commit}:{PINS}"), encoding="utf-8")
        try:
            return pinning.load(path)
        except ConfigError:
            return None


def _restore(root: Path, source: str, *files: str) -> None:
    _git(root, "restore", f"--source={source}", "--staged", "--worktree", "--", *files)


def _git(root: Path, *arguments: str) -> list[str]:
    return _run(root, *arguments).split()


def _run(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError as error:
        raise ConfigError("git isn't installed, and the earlier pins are in its history") from error
    if done.returncode:
        raise ConfigError(f"git {arguments[0]} fails: {' '.join(done.stderr.split())[:200]}")
    return done.stdout
