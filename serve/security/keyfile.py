"""The file of keys on disk: read at the start, read again when it changes, edited by the command line.

A file that can't be read or understood while the router runs changes nothing: the keys of before stay, and the log says
so. One that is right and empty lets nobody in.
"""

import asyncio
import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from serve.errors import ConfigError
from serve.security import keys as kept
from serve.security.keys import Key

LOGGER = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]


class KeyFile:
    """The keys of one file, as of its last good state."""

    def __init__(self, path: Path) -> None:
        self.keys: tuple[Key, ...] = read(path)
        if not self.keys:
            raise ConfigError(f"{path} has no key; add one with: polydraft keys add NAME --file {path}")
        self._path = path
        self._stamp = _stamp(path)

    def refresh(self) -> None:
        """Read the file again if it isn't the one that was read last."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.keys = read(self._path)
        except ConfigError as error:
            LOGGER.error("API keys NOT reloaded, the %d of before stay: %s", len(self.keys), error)
        else:
            LOGGER.warning("API keys reloaded: %d", len(self.keys))

    async def watch(self, interval: float) -> None:
        """Refresh every `interval` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval)
            self.refresh()


def read(path: Path) -> tuple[Key, ...]:
    """Read a file of keys; raises ConfigError if it can't be read or isn't one."""
    try:
        return kept.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"can't read the keys in {path} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} isn't a file of keys: it isn't UTF-8") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


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
    there = read(path) if path.exists() else ()
    if key.name in {other.name for other in there}:
        raise ConfigError(f"{path} has a key of {key.name} already; remove it first: polydraft keys remove {key.name}")
    _write(path, [*there, key])


def remove(path: Path, name: str) -> None:
    """Remove a key from a file; raises ConfigError if there is none of that name."""
    there = read(path)
    left = [key for key in there if key.name != name]
    if len(left) == len(there):
        raise ConfigError(
            f"{path} has no key of {name[:64]!r}; it has {', '.join(key.name for key in there) or 'none'}"
        )
    _write(path, left)


def _write(path: Path, keys: Iterable[Key]) -> None:
    """Put a whole new file in the place of the old one, so that a router never reads half of one."""
    path = path.resolve()  # of a link, the file that it leads to
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ConfigError(f"can't write {path} ({error.strerror})") from None
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(kept.written(keys))
    temporary = Path(name)
    temporary.chmod(mode)
    temporary.replace(path)


def _stamp(path: Path) -> _Stamp | None:
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino
    return None
