"""The file of keys on disk: read at the start, read again when it changes, edited by the command line.

It is edited in its place, never replaced: a container that has this one file mounted keeps the file that it got, and a
new one would also belong to whoever edits it.

A file that can't be read or understood while the router runs changes nothing: the keys of before stay, and the log says
so. One that is right and empty lets nobody in.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from serve.errors import ConfigError
from serve.security import keys as kept
from serve.security.keys import Key

LOGGER = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]


class KeyFile:
    """The keys of one file, as of its last good state."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._refused = _stamp(path)  # before reading: what is written meanwhile is read again
        self.keys: tuple[Key, ...] = read(path)
        if not self.keys:
            raise ConfigError(f"{path} has no key; add one with: polydraft keys add NAME --file {path}")

    def refresh(self) -> None:
        """Read the file again if it isn't the one that was read last; one that is no use is tried again each time.

        It may have been read half written, and then nothing need show that it is whole by now.
        """
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        try:
            self.keys = read(self._path)
        except ConfigError as error:
            if stamp != self._refused:
                LOGGER.error("API keys NOT reloaded, the %d of before stay: %s", len(self.keys), error)
            self._refused = stamp
        else:
            self._stamp = self._refused = stamp
            LOGGER.warning("API keys reloaded: %d", len(self.keys))

    async def watch(self, interval: float) -> None:
        """Refresh every `interval` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval)
            self.refresh()


def read(path: Path) -> tuple[Key, ...]:
    """Read a file of keys; raises ConfigError if it can't be read or isn't one."""
    try:
        return _parsed(path, path.read_bytes())
    except OSError as error:
        raise ConfigError(f"can't read the keys in {path} ({error.strerror})") from None


def bearer(path: Path | None) -> dict[str, str]:
    """Give the header that brings the one key in a file, none without a file; raises ConfigError if it can't be one."""
    if path is None:
        return {}
    try:
        key = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"can't read the key in {path} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} isn't a file with a key: it isn't UTF-8") from None
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigError(f"{path} must hold one key, in printable ASCII and without spaces")
    return {"authorization": f"Bearer {key}"}


def add(path: Path, key: Key) -> None:
    """Add a key to a file, which is made if it isn't there; raises ConfigError if the name is taken."""

    def with_it(there: tuple[Key, ...]) -> list[Key]:
        if key.name in {other.name for other in there}:
            raise ConfigError(
                f"{path} has a key of {key.name} already; remove it first: polydraft keys remove {key.name}"
            )
        return [*there, key]

    _edit(path, with_it, os.O_CREAT)


def remove(path: Path, name: str) -> None:
    """Remove a key from a file; raises ConfigError if there is none of that name."""

    def without_it(there: tuple[Key, ...]) -> list[Key]:
        left = [key for key in there if key.name != name]
        if len(left) == len(there):
            raise ConfigError(
                f"{path} has no key of {name[:64]!r}; it has {', '.join(key.name for key in there) or 'none'}"
            )
        return left

    _edit(path, without_it)


def _edit(path: Path, edited: Callable[[tuple[Key, ...]], Iterable[Key]], how: int = 0) -> None:
    """Change a file of keys in its place, so that its inode, owner and mode stay; who edits it meanwhile waits."""
    try:
        with os.fdopen(os.open(path, os.O_RDWR | how, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            raw = kept.written(edited(_parsed(path, file.read()))).encode()
            file.seek(0)
            file.write(raw)
            file.truncate()
    except OSError as error:
        fix = (
            "name another with --file, or make its folder" if isinstance(error, FileNotFoundError) else "mend its mode"
        )
        raise ConfigError(f"can't write the keys in {path} ({error.strerror}); {fix}") from None


def _parsed(path: Path, raw: bytes) -> tuple[Key, ...]:
    try:
        return kept.parse(raw.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"{path} isn't a file of keys: it isn't UTF-8") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _stamp(path: Path) -> _Stamp | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino
    return None
