"""The ledger's file: one SQLite database, which a kill in the middle of a write leaves as it was before it.

A file that isn't sound, or isn't this ledger's, is set aside with a warning, and a new one begun: what was learned can
be learned again, and must never keep a router from starting.
"""

import asyncio
import json
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from serve.errors import ConfigError
from serve.ledger.sums import Unsound, sound_moments, sound_steps
from serve.routing.cell import Cell
from serve.routing.ledger import State
from serve.routing.moments import Moments
from serve.routing.step_time import SIZE, Sums

LOGGER = logging.getLogger(__name__)

_APPLICATION = 0x504F4C59  # "POLY": SQLite keeps it in the file's head, where `file` finds it
_FORMAT = 1
_SCHEMA = """
CREATE TABLE model (name TEXT NOT NULL);
CREATE TABLE moments (
    kind TEXT, lane TEXT, language TEXT, task TEXT, endpoint TEXT, thinking INTEGER,
    weight REAL, mean REAL, squares REAL, at REAL,
    PRIMARY KEY (kind, lane, language, task, endpoint, thinking)
) WITHOUT ROWID;
CREATE TABLE steps (lane TEXT PRIMARY KEY, weight REAL, xx TEXT, xy TEXT, squares REAL, at REAL) WITHOUT ROWID;
"""
_SUFFIXES = ("", "-wal", "-shm")


class _Unusable(Exception):
    """The file isn't one that this ledger could go on from."""


class Store:
    """An open file; holds SQLite's lock on it, so that no two routers write over each other's knowledge."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._one = threading.Lock()  # a write that was begun goes on, though the task that waits for it is cancelled

    def save(self, state: State) -> None:
        """Write all of a state, or none of it; raises sqlite3.Error if the disk won't take it."""
        with self._one, self._connection as transaction:
            transaction.execute("BEGIN IMMEDIATE")
            transaction.executemany("REPLACE INTO moments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _moments(state))
            transaction.executemany("REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?)", _steps(state))

    def close(self) -> None:
        """Give the file back."""
        with self._one:
            self._connection.close()


def opened(path: Path, model: str) -> tuple[Store | None, State]:
    """Open a ledger's file, or begin one; gives what it holds.

    There is no store if another router has the file: this one then learns for itself. Raises ConfigError if the file
    can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open(path, model)
        except (sqlite3.DatabaseError, _Unusable, Unsound) as error:
            if _code(error) == sqlite3.SQLITE_BUSY:
                LOGGER.warning("another router keeps its ledger in %s; nothing learned here will be kept", path)
                return None, State()
            if _code(error) in _OF_THE_DISK:
                raise
            LOGGER.warning("the ledger in %s can't be gone on from (%s); it now is %s", path, error, _set_aside(path))
            return _open(path, model)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"POLYDRAFT_LEDGER: {path} can't be written ({error}).") from None


async def keep(store: Store, state: Callable[[], State], changes: Callable[[], int], interval: float) -> None:
    """Write what has changed, every `interval` seconds, until cancelled; a disk that is full is tried again."""
    written = 0
    try:
        while True:
            await asyncio.sleep(interval)
            now = changes()
            if now != written and await asyncio.to_thread(_tried, store, state()):
                written = now
    finally:
        if changes() != written:
            _tried(store, state())
        store.close()


def _tried(store: Store, state: State) -> bool:
    try:
        store.save(state)
    except sqlite3.Error as error:
        LOGGER.warning("the ledger can't be written (%s); it will be tried again", error)
        return False
    return True


def _open(path: Path, model: str) -> tuple[Store, State]:
    # Written from a worker's thread, one at a time.
    connection = sqlite3.connect(path, timeout=1, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN EXCLUSIVE")
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            _begin(connection, model)
        else:
            _check(connection, model)
        state = _read(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return Store(connection), state


def _begin(connection: sqlite3.Connection, model: str) -> None:
    for statement in _SCHEMA.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.execute("INSERT INTO model VALUES (?)", (model,))


def _check(connection: sqlite3.Connection, model: str) -> None:
    """Raise _Unusable for a file that isn't sound, isn't a ledger, or is one of another model or version."""

    def one(statement: str) -> Any:
        with closing(connection.execute(statement)) as rows:
            row = rows.fetchone()
        return row[0] if row else None

    if one("PRAGMA application_id") != _APPLICATION:
        raise _Unusable("it isn't a ledger")
    if one("PRAGMA user_version") != _FORMAT:
        raise _Unusable(f"its format isn't {_FORMAT}")
    if (fault := one("PRAGMA quick_check")) != "ok":
        raise _Unusable(str(fault))
    if (name := one("SELECT name FROM model")) != model:
        raise _Unusable(f"it is of model {str(name)[:128]}")


def _read(connection: sqlite3.Connection) -> State:
    acceptance: dict[tuple[str, Cell], Moments] = {}
    sizes: dict[str, dict[Cell, Moments]] = {"context": {}, "answer": {}}
    for kind, lane, language, task, endpoint, thinking, *numbers in connection.execute("SELECT * FROM moments"):
        cell, moments = Cell(language, task, endpoint, bool(thinking)), sound_moments(Moments(*_sound(numbers)))
        if not all(isinstance(name, str) for name in (lane, language, task, endpoint)) or kind not in _KINDS:
            raise _Unusable("it holds a cell that there can't be")
        if kind == "acceptance":
            acceptance[lane, cell] = moments
        else:
            sizes[kind][cell] = moments
    steps = {lane: _sums(*row) for lane, *row in connection.execute("SELECT * FROM steps")}
    answers = sizes["answer"]
    both = {cell: (context, answers[cell]) for cell, context in sizes["context"].items() if cell in answers}
    return State(acceptance, steps, both)


_KINDS = ("acceptance", "context", "answer")


def _sums(weight: object, xx: str, xy: str, squares: object, at: object) -> Sums:
    try:
        rows, column = json.loads(xx), json.loads(xy)
        if len(rows) != SIZE:
            raise _Unusable("a lane's steps have another size")
        matrix = tuple(_sound(row, SIZE) for row in rows)
        counted, off, when = _sound([weight, squares, at])
        return sound_steps(Sums(counted, matrix, _sound(column, SIZE), off, when))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _Unusable("a lane's steps can't be read") from error


def _sound(numbers: list[object], size: int | None = None) -> tuple[float, ...]:
    """Take numbers that are finite; raises _Unusable for anything else, since arithmetic would spread it everywhere."""
    if size is not None and len(numbers) != size:
        raise _Unusable("a lane's steps have another size")
    sound = tuple(float(each) for each in numbers if isinstance(each, int | float) and math.isfinite(each))
    if len(sound) != len(numbers):
        raise _Unusable("it holds what isn't a number")
    return sound


def _moments(state: State) -> Iterator[tuple[object, ...]]:
    def row(kind: str, lane: str, cell: Cell, seen: Moments) -> tuple[object, ...]:
        where = (kind, lane, cell.language, cell.task, cell.endpoint, cell.thinking)
        return (*where, seen.weight, seen.mean, seen.squares, seen.at)

    for (lane, cell), moments in state.acceptance.items():
        yield row("acceptance", lane, cell, moments)
    for cell, (context, answer) in state.sizes.items():
        yield row("context", "", cell, context)
        yield row("answer", "", cell, answer)


def _steps(state: State) -> Iterator[tuple[object, ...]]:
    for lane, sums in state.steps.items():
        yield lane, sums.weight, json.dumps(sums.xx), json.dumps(sums.xy), sums.squares, sums.at


_OF_THE_DISK = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _code(error: Exception) -> int:
    """Give SQLite's primary code of an error, 0 where it has none."""
    return error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.Error) else 0


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.aside-{time.time_ns()}")
    for suffix in _SUFFIXES:
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(aside.with_name(aside.name + suffix))
    return aside
