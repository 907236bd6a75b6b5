"""The policies that are judged: what was drawn, one lane for everything, a table, or the policy that learns."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from serve import tables
from serve.backtest.judge import Choice
from serve.errors import ConfigError
from serve.routing.lane import Lane
from serve.routing.policy import Table, Wish, choose

LOGGED = "logged"
LEARNER = "learner"


@dataclass(frozen=True, slots=True)
class Learning:
    """The policy that learns; without a table it begins with nothing."""

    table: Table | None = None


def policy(name: str, lanes: Collection[str]) -> Choice | Learning:
    """Take a policy by its name: `logged`, a lane, a table's file, `learner`, or `learner=FILE` to begin by a table.

    Raises ConfigError, naming the line, for a table that can't be used.
    """
    learner, begins, table = name.partition("=")
    if learner == LEARNER:
        return Learning(_table(table, lanes) if begins else None)
    if name == LOGGED:
        return lambda cell: None
    if name in lanes:
        return lambda cell: name
    rows, ways = _table(name, lanes), [Lane(lane, "") for lane in sorted(lanes)]
    return lambda cell: choose(cell, rows, ways, lanes, Wish()).lane


def _table(name: str, lanes: Collection[str]) -> Table:
    if not Path(name).is_file():
        there = f"{LOGGED}, a lane ({', '.join(sorted(lanes))}), a table's file, {LEARNER} or {LEARNER}=FILE"
        raise ConfigError(f"there is no policy {name}: give {there}")
    return tables.load(Path(name), lanes)
