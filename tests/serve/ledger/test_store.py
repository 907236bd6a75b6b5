"""The ledger's file: what survives, and what is set aside."""

import asyncio
import logging
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serve.errors import ConfigError
from serve.ledger.store import Store, keep, opened
from serve.routing.cell import Cell
from serve.routing.ledger import State
from serve.routing.moments import Moments
from serve.routing.step_time import Sums, features

EN = Cell("en", "prose", "chat", False)
ZH = Cell("zh-Hans", "code", "completions", True)


def state(number: float = 1.0) -> State:
    sums = Sums(at=5.0).plus(features(3, 700), math.log(0.03), 0.9, 0.1)
    return State(
        {("mtp/mtp/3", EN): Moments(number, 2.5, 0.3, 7.0), ("mtp/mtp/3", ZH): Moments(number, 1.5, 0.0, 8.0)},
        {"mtp/mtp/3": sums, "body//0": sums},
        {EN: (Moments(2.0, 700.0, 9.0, 7.0), Moments(2.0, 300.0, 1.0, 7.0))},
    )


def saved(path: Path, kept: State) -> None:
    store = held(path)[0]
    store.save(kept)
    store.close()


def held(path: Path, model: str = "demo") -> tuple[Store, State]:
    store, found = opened(path, model)
    assert store is not None
    return store, found


def asides(path: Path) -> list[Path]:
    return [each for each in path.parent.iterdir() if ".aside-" in each.name]


def test_begins_empty_and_makes_the_folder(tmp_path: Path) -> None:
    store, found = held(tmp_path / "new" / "ledger.sqlite")
    store.close()
    assert found == State()


def test_gives_back_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    saved(path, state(1.0))
    saved(path, state(2.0))
    store, found = held(path)
    store.close()
    assert found == state(2.0)


_WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from serve.ledger.store import opened
from tests.serve.ledger.test_store import state
store, _ = opened(Path(sys.argv[1]), "demo")
number = 0.0
while True:
    number += 1.0
    store.save(state(number))
    print(int(number), flush=True)
"""


@pytest.mark.parametrize("writes", [1, 7, 40])
def test_survives_a_kill_in_the_middle_of_writing(tmp_path: Path, writes: int) -> None:
    """All of the last state that was written, or of the one that was being written; never a mixture."""
    path = tmp_path / "ledger.sqlite"
    root = str(Path(__file__).resolve().parents[3])
    command = [sys.executable, "-c", _WRITER, str(path), root]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(writes):
            last = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        last = max([last, *map(int, writer.stdout.read().split())])
    store, found = held(path)
    store.close()
    number = found.acceptance["mtp/mtp/3", EN].weight
    assert number in (last, last + 1)
    assert found == state(number)
    assert asides(path) == []


def damage(path: Path, how: str) -> None:
    if how == "noise":
        path.write_bytes(os.urandom(20_000))
    elif how == "text":
        path.write_text("not a database, but somebody's notes")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "overwritten":
        raw = bytearray(path.read_bytes())
        raw[4096:] = b"\xff" * (len(raw) - 4096)
        path.write_bytes(raw)
    else:
        with sqlite3.connect(path) as connection:
            connection.execute(how)
        connection.close()


@pytest.mark.parametrize(
    "how",
    [
        "noise",
        "text",
        "cut",
        "overwritten",
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 7",
        "DROP TABLE steps",
        "DELETE FROM model",
        "UPDATE moments SET mean = 'x'",
        "UPDATE moments SET weight = -1",
        "UPDATE moments SET mean = 9e999",
        "UPDATE moments SET kind = 'other' WHERE language = 'zh-Hans'",
        "UPDATE steps SET xx = '[[1, 2], [3, 4]]'",
        "UPDATE steps SET xy = 'null'",
        "UPDATE steps SET weight = NULL",
        "UPDATE moments SET squares = -1",
        "UPDATE moments SET weight = 1e300",
        "UPDATE moments SET at = -1e16",
        "UPDATE steps SET weight = -8.0",
        "UPDATE steps SET squares = -1",
        "UPDATE steps SET xy = '[1e300,0,0,0]'",
        "UPDATE steps SET xx = '[[-1,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,0]]'",
        "UPDATE steps SET xx = '[[NaN,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,0]]'",
    ],
)
def test_sets_aside_what_it_cant_go_on_from(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ledger.sqlite"
    saved(path, state())
    damage(path, how)
    with caplog.at_level(logging.WARNING):
        store, found = held(path)
    store.save(state(3.0))
    store.close()
    assert found == State()
    assert len([each for each in asides(path) if each.name[-1].isdigit()]) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    again, found = held(path)
    again.close()
    assert found == state(3.0)


def test_another_models_ledger_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ledger.sqlite"
    saved(path, state())
    store, found = held(path, "another")
    store.close()
    assert found == State()
    assert "of model demo" in caplog.text


def test_a_second_router_learns_for_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ledger.sqlite"
    first, _ = held(path)
    first.save(state())
    assert opened(path, "demo") == (None, State())
    assert "another router" in caplog.text
    first.close()
    store, found = held(path)
    store.close()
    assert found == state()


def test_a_place_that_cant_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "ledger.sqlite", tmp_path):
        with pytest.raises(ConfigError, match=r"POLYDRAFT_LEDGER.*can't be written"):
            opened(path, "demo")


async def _kept(store: Store, seconds: float) -> None:
    task = asyncio.create_task(keep(store, lambda: state(4.0), lambda: 1, 0.01))
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_keeps_what_changes_now_and_then_and_at_the_end(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "ledger.sqlite"
    asyncio.run(_kept(held(path)[0], seconds + 0.001))
    store, found = held(path)
    store.close()
    assert found == state(4.0)


def test_a_write_that_fails_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The disk is full at first: SQLite is let have no more pages, then as many as it wants."""
    path = tmp_path / "ledger.sqlite"
    store, _ = held(path)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = {("mtp/mtp/3", Cell(str(number), "prose", "chat", False)): Moments(1.0, 2.0) for number in range(2000)}

    async def run() -> None:
        task = asyncio.create_task(keep(store, lambda: State(many), lambda: 1, 0.02))
        deadline = time.monotonic() + 10
        while "tried again" not in caplog.text and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        store._connection.execute("PRAGMA max_page_count = 1000000")
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    again, found = held(path)
    again.close()
    assert "tried again" in caplog.text
    assert len(found.acceptance) == 2000
