"""Reads the access log of a router whose policy was applied; what can't be judged by is left out, and counted."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from serve.routing.cell import Cell


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer: its cell, the lane that gave it, with which probability each lane would have.

    `tokens` are those after the first, `seconds` the engine's own for them.
    """

    cell: Cell
    lane: str
    propensities: Mapping[str, float]
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Log:
    """What a log tells: answers to judge by, and the number of lines that aren't.

    Of those, `undrawn` are whole answers that a policy didn't draw: nobody knows how likely their lanes were.
    """

    entries: tuple[Entry, ...]
    left_out: int
    undrawn: int = 0


def read(lines: Iterable[str]) -> Log:
    """Read a log's lines. Never raises whatever they hold."""
    entries, left_out, undrawn = [], 0, 0
    for line in lines:
        told: object = None
        try:
            told = json.loads(line)
            entry = _entry(told)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            entry = None
        if entry:
            entries.append(entry)
        else:
            left_out += 1
            undrawn += _undrawn(told)
    return Log(tuple(entries), left_out, undrawn)


def _undrawn(told: object) -> bool:
    """Say whether a line is of a whole answer that tells no propensities, or those of a policy that only watched."""
    whole = isinstance(told, dict) and told.get("end") == "complete" and bool(told.get("completion_tokens"))
    return whole and not (isinstance(told, dict) and told.get("propensities") and told.get("applied"))


def _entry(line: Any) -> Entry | None:
    """Take one answer that was drawn; none if it was forced, failed, stood in for another, or wasn't measured."""
    if line["end"] != "complete" or not line["applied"] or line["lane"] != line["learned_lane"]:
        return None
    propensities = {str(lane): float(share) for lane, share in line["propensities"].items()}
    tokens, seconds, lane = int(line["completion_tokens"]) - 1, float(line["generation_time_s"]), str(line["lane"])
    if tokens < 1 or not seconds > 0 or not propensities[lane] > 0:
        return None
    cell = Cell(str(line["language"]), str(line["task"]), str(line["endpoint"]), bool(line["thinking"]))
    return Entry(cell, lane, propensities, tokens, seconds)
