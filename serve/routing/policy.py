"""Chooses the lane of a request from the table of what was measured on this kind of box.

Pure: no clock, no I/O, no state. Output never depends on the choice, since speculation is lossless; only speed does, so
any lane may stand in for any other as long as nothing was answered yet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from serve.routing.cell import Cell
from serve.routing.estimate import Estimate, Weighing
from serve.routing.lane import Lane

ANY = "*"

Reason = Literal[
    "measured", "default", "sampling", "forced", "fallback", "held", "any", "learned", "explored", "kept", "guarded"
]
"""measured: fastest by the table; default: nobody measured this cell, the table's own order; sampling: a parameter that
only the body honours; forced: the client named the lane; fallback: the preferred lane's engine wasn't ready; held: only
this engine holds the response that is asked about; any: nothing is generated, so any engine answers the same;
learned: fastest by the ledger; explored: not the fastest by the ledger, but it may be; kept: the engine that has the
conversation's prefix, which a faster lane elsewhere wouldn't make up for; guarded: a drafter is expected to be faster,
but drafters have cost this cell so much of late that one must be sure."""

Mode = Literal["static", "observe", "apply"]
"""static: the table decides; observe: it decides still, and what the ledger would have done is logged; apply: the
ledger decides."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lane and what was measured of it in one cell: tokens a step, and output tokens per second after the first."""

    lane: str
    acceptance_length: float | None = None
    decode_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The lanes of one cell, fastest first; `language` is a tag, its first part (`zh`) or `*`, `task` a task or `*`.

    `source` says for people where the figures are from; nothing is decided by it.
    """

    language: str
    task: str
    candidates: tuple[Candidate, ...]
    source: str = ""


Table = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client or its sampling parameters leave open: `lane` names the only one allowed, `undrafted` the body.

    `held` are the lanes of the engine that holds a stored response; where none of them may serve, it is as if not
    given, and the engine says that it doesn't know the response.
    """

    lane: str | None = None
    undrafted: bool = False
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """The lane that was chosen, why, and every lane that the request could have taken, the preferred one first.

    Candidates are the table's, or what was learned of them.
    `batch` is how many requests the lane's engine then worked on, this one included; `weighing` is there where the
    policy that learns was asked, and then `conversation` names what the request goes on with.
    """

    lane: str
    reason: Reason
    candidates: tuple[Candidate | Estimate, ...]
    batch: int = 1
    weighing: Weighing | None = None
    conversation: int | None = None


def choose(cell: Cell, table: Table, lanes: Sequence[Lane], ready: Collection[str], wish: Wish) -> Decision:
    """Choose the first candidate that is ready; with none ready, the one that the table prefers.

    Raises ValueError if the wish leaves no lane at all; whoever admits the request has to refuse it before.
    """
    candidates = _permitted(_candidates(cell, table, lanes), lanes, wish)
    if not candidates:
        raise ValueError(f"no lane satisfies {wish}")
    best = candidates[0]
    chosen = next((candidate for candidate in candidates if candidate.lane in ready), best)
    return Decision(chosen.lane, _reason(chosen, best, wish), candidates)


def choose_any(lanes: Sequence[Lane], ready: Collection[str], wish: Wish) -> Decision:
    """Choose a lane where nothing is generated: the first that is ready. Raises ValueError as `choose` does."""
    candidates = _permitted(tuple(Candidate(lane.name) for lane in lanes), lanes, wish)
    if not candidates:
        raise ValueError(f"no lane satisfies {wish}")
    chosen = next((candidate for candidate in candidates if candidate.lane in ready), candidates[0])
    reason: Reason = "forced" if wish.lane is not None else "held" if wish.held else "any"
    return Decision(chosen.lane, reason, candidates)


def _candidates(cell: Cell, table: Table, lanes: Sequence[Lane]) -> tuple[Candidate, ...]:
    """Give every lane in the order of the cell's row; lanes that the row leaves out come last, in configured order."""
    index = indexed(table)
    row = closest(cell, index)
    listed = index[row] if row else ()
    names = {candidate.lane for candidate in listed}
    return (*listed, *(Candidate(lane.name) for lane in lanes if lane.name not in names))


Index = Mapping[tuple[str, str], tuple[Candidate, ...]]
"""A table's candidates by language and task."""


def indexed(table: Table) -> Index:
    """Sort a table for those who look into it often."""
    return {(row.language, row.task): row.candidates for row in table}


def closest(cell: Cell, index: Index) -> tuple[str, str] | None:
    """Name the row that describes the cell most closely: the language first, the task second."""
    for language in (cell.language, cell.language.partition("-")[0], ANY):
        for task in (cell.task, ANY):
            if index.get((language, task)):
                return language, task
    return None


def _permitted(candidates: tuple[Candidate, ...], lanes: Sequence[Lane], wish: Wish) -> tuple[Candidate, ...]:
    allowed = {
        lane.name
        for lane in lanes
        if (wish.lane is None or lane.name == wish.lane) and not (wish.undrafted and lane.drafts)
    }
    allowed = (allowed & wish.held) or allowed
    return tuple(candidate for candidate in candidates if candidate.lane in allowed)


def _reason(chosen: Candidate, best: Candidate, wish: Wish) -> Reason:
    if wish.lane is not None:
        return "forced"
    if wish.undrafted:
        return "sampling"
    if chosen.lane in wish.held:
        return "held"
    if chosen != best:
        return "fallback"
    return "default" if chosen.decode_rate is None else "measured"
