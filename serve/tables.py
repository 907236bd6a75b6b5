"""Reads a table of lanes from a file, such as `polydraft bench` writes, and says what is wrong with one, and where."""

import json
import math
from collections.abc import Collection
from itertools import accumulate
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from serve.errors import ConfigError
from serve.routing.language import LANGUAGES
from serve.routing.policy import ANY, Candidate, Row
from serve.routing.task import TASKS

_ROW = TypeAdapter(Row)
_LANGUAGES = {ANY, *LANGUAGES, *(tag.partition("-")[0] for tag in LANGUAGES)}
_BETWEEN = " \t\r\n,"


def problem(row: Row, lanes: Collection[str]) -> str | None:
    """Say what is wrong with a row of a table for these lanes, and what to do; None if nothing is."""
    if row.language not in _LANGUAGES or row.task not in (ANY, *TASKS):
        return f"has a row for {row.language}, {row.task}, which no request ever is; correct it"
    names = [candidate.lane for candidate in row.candidates]
    if len(set(names)) < len(names):
        return f"names a lane twice for {row.language}, {row.task}; remove one"
    for candidate in row.candidates:
        if wrong := _wrong(candidate):
            return wrong
    if unknown := sorted(set(names) - set(lanes)):
        return f"names a lane that there isn't, {', '.join(unknown)}; there are {', '.join(sorted(lanes))}"
    return None


def load(path: Path, lanes: Collection[str]) -> tuple[Row, ...]:
    """Read a file with a JSON list of rows for these lanes.

    Raises ConfigError, naming the line, for a file that can't be read and for a row that can't be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read ({error})") from None
    rows = []
    for line, value in _listed(path, text):
        try:
            row = _ROW.validate_python(value)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"])
            raise ConfigError(f"{path}, line {line}: {place.lstrip('.')}: {found['msg']}") from None
        if wrong := problem(row, lanes):
            raise ConfigError(f"{path}, line {line}: {wrong}")
        rows.append(row)
    return tuple(rows)


def _listed(path: Path, text: str) -> list[tuple[int, object]]:
    """Give the elements of a JSON list, each with the line that it begins in."""
    try:
        if not isinstance(json.loads(text), list):
            raise ConfigError(f"{path}: must be a JSON list of rows")
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}, line {error.lineno}: isn't JSON ({error.msg})") from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deep for a table") from None
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    found: list[tuple[int, object]] = []
    lines = list(accumulate((character == "\n" for character in text), initial=1))
    while True:
        while text[at] in _BETWEEN:
            at += 1
        if text[at] == "]":
            return found
        value, end = decoder.raw_decode(text, at)
        found.append((lines[at], value))
        at = end


def _wrong(candidate: Candidate) -> str | None:
    rate, length = candidate.decode_rate, candidate.acceptance_length
    if not (rate is None or 0 < rate < math.inf):
        return f"has a rate of {rate} for lane {candidate.lane}; correct it"
    if not (length is None or 1 <= length < math.inf):
        return f"has an acceptance length of {length} for lane {candidate.lane}, which is 1 at least; correct it"
    return None
