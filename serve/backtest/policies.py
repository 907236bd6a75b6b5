"""The policies that a log is judged by: what was drawn, one lane for everything, or a table."""

from collections.abc import Collection
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from serve.backtest.judge import Choice
from serve.errors import ConfigError
from serve.routing.lane import Lane
from serve.routing.policy import Row, Wish, choose

LOGGED = "logged"

_TABLE = TypeAdapter(tuple[Row, ...])


def policy(name: str, lanes: Collection[str]) -> Choice:
    """Take a policy by its name: `logged`, a lane, or a JSON file with a table such as `POLYDRAFT_TABLE` holds.

    Raises ConfigError, naming the row, for a table that can't be used.
    """
    if name == LOGGED:
        return lambda cell: None
    if name in lanes:
        return lambda cell: name
    if not Path(name).is_file():
        raise ConfigError(
            f"there is no policy {name}: give {LOGGED}, a lane ({', '.join(sorted(lanes))}) or a table's file"
        )
    table, ways = _table(Path(name), lanes), [Lane(lane, "") for lane in sorted(lanes)]
    return lambda cell: choose(cell, table, ways, lanes, Wish()).lane


def _table(path: Path, lanes: Collection[str]) -> tuple[Row, ...]:
    try:
        table = _TABLE.validate_json(path.read_bytes())
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
        raise ConfigError(f"{path}{place}: {problem['msg']}") from None
    for number, row in enumerate(table):
        for candidate in row.candidates:
            where = f"{path}[{number}] ({row.language}, {row.task})"
            if candidate.lane not in lanes:
                raise ConfigError(f"{where}: the log has no lane {candidate.lane}")
            if candidate.decode_rate is not None and not candidate.decode_rate > 0:
                raise ConfigError(f"{where}: a rate of {candidate.decode_rate} for lane {candidate.lane}")
    return table
