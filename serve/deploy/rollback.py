"""Takes the pins and their locks back to what they were before their last change, by the repository's own history.

It never makes or moves a commit: what it writes is for somebody to look at, render and commit.
"""

import subprocess
from pathlib import Path

from serve.deploy import pins as pinning
from serve.deploy.pins import PINS
from serve.errors import ConfigError


def rollback(root: Path) -> tuple[str, list[str]]:
    """Restore the files; returns the commit they are from and which of them changed.

    Changes that aren't committed count as the last one, and go. Raises ConfigError where there is no earlier version.
    """
    unreadable = False
    try:
        files = _files(root)
    except ConfigError:
        # Pins that can't be read name no locks; those of the last commit do. They still count as the last change.
        _restore(root, "HEAD", str(PINS))
        unreadable, files = True, _files(root)
    if unreadable or _git(root, "diff", "--name-only", "HEAD", "--", *files):
        source = "HEAD"
    else:
        last = _git(root, "log", "-1", "--format=%H", "--", *files)
        if not (last and _git(root, "log", "-1", "--format=%H", f"{last[0]}^@", "--", *files)):
            raise ConfigError(f"{PINS}: has no earlier version in this repository's history")
        source = f"{last[0]}^"
    commit = _git(root, "rev-parse", "--short", source)[0]
    _restore(root, source, *files)
    return commit, _git(root, "diff", "--name-only", "HEAD", "--", *files)


def _files(root: Path) -> list[str]:
    return [str(PINS), *sorted({pin.lock for pin in pinning.load(root / PINS).all if pin.lock})]


def _restore(root: Path, source: str, *files: str) -> None:
    _git(root, "restore", f"--source={source}", "--staged", "--worktree", "--", *files)


def _git(root: Path, *arguments: str) -> list[str]:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError as error:
        raise ConfigError("git isn't installed, and the earlier pins are in its history") from error
    if done.returncode:
        raise ConfigError(f"git {arguments[0]} fails: {' '.join(done.stderr.split())[:200]}")
    return done.stdout.split()
