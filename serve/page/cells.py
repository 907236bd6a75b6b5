"""What the page is told of languages: each on each lane, and on a click all that is known of one of them."""

from collections import Counter
from typing import Any, NamedTuple

from serve.page import gains
from serve.page.dialect import expected, rounded, span
from serve.page.sources import Sources
from serve.page.view import Sums
from serve.routing.cell import Cell
from serve.routing.policy import Wish, choose

_CELLS = 12
"""Cells of a language that the page lists, those with most requests first."""


class Rows:
    """Every language on every lane. What was measured in one is described anew only after a request in it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._known: dict[str, _Row] = {}

    def now(self) -> list[dict[str, Any]]:
        """Describe every language, with the lane that a request in it would get now."""
        sources, ready = self._sources, self._sources.ready()
        requests: Counter[str] = Counter()
        for (language, _), sums in sources.view.sums.items():
            requests[language] += sums.requests
        listed = gains.languages(sources.view.sums, sources.table)
        return [self._row(language, requests[language], ready) for language in listed]

    def _row(self, language: str, requests: int, ready: dict[str, str]) -> dict[str, Any]:
        row = self._known.get(language)
        if row is None or row.requests != requests:
            row = self._known[language] = _row(self._sources, language, requests)
        # Load, the ledger and what is ready move without any request of this language.
        return {"language": language, "next": _next(self._sources, row.asked, ready), "cells": row.cells}


class _Row(NamedTuple):
    """A language as it was after so many requests: what is asked most in it, and its lanes as they are told."""

    requests: int
    asked: Cell
    cells: dict[str, dict[str, Any]]


def _row(sources: Sources, language: str, requests: int) -> _Row:
    counts = _counts(sources, language).most_common(1)
    asked = counts[0][0] if counts else Cell(language, "prose", "chat", False)
    return _Row(requests, asked, {lane.name: _cell(sources, language, lane.name) for lane in sources.view.lanes})


def cell(sources: Sources, language: str, lane: str) -> dict[str, Any] | None:
    """Describe one language on one lane: drafts by position, the last requests, what is expected of it now.

    None if there is no such lane, or neither requests nor table know the language.
    """
    names = [known.name for known in sources.view.lanes]
    if lane not in names or language not in gains.languages(sources.view.sums, sources.table):
        return None
    sums, row = sources.view.sums.get((language, lane), Sums()), gains.row_of(language, sources.table)
    return {
        "language": language,
        "lane": lane,
        **_cell(sources, language, lane),
        "tokens": sums.tokens,
        "drafted": sums.drafted,
        "accepted": sums.accepted,
        "steps": sums.steps,
        "per_position": sums.per_pos,
        "explored": sums.explored,
        "history": [[at, rounded(length), rounded(rate)] for at, length, rate in sums.history],
        "table": [expected(each) for each in row.candidates] if row else [],
        "source": row.source if row else "",
        "cells": _cells(sources, language, lane),
    }


def _cell(sources: Sources, language: str, lane: str) -> dict[str, Any]:
    seen, lanes = sources.view.sums, sources.view.lanes
    sums, listed = seen.get((language, lane), Sums()), gains.tabled(language, sources.table)
    body, bare = gains.body_of(language, lanes, seen), gains.bare_of(lanes, listed)
    scale = gains.scale_of(language, lanes, seen, listed)
    return {
        "requests": sums.requests,
        "refused": sums.refused,
        "aborted": sums.aborted,
        "failed": sums.failed,
        "measured": sums.timed,
        "length": span(gains.length(sums, listed.get(lane))),
        "rate": span(gains.rate(sums, listed.get(lane), scale)),
        "gain": span(gains.gain(sums, body, listed.get(lane), bare)),
    }


def _next(sources: Sources, asked: Cell, ready: dict[str, str]) -> str | None:
    """Name the lane that a request of a cell would get now; None where no lane is up."""
    if not ready:
        return None
    decision = choose(asked, sources.table, sources.view.lanes, ready, Wish())
    if sources.learner:
        decision = sources.learner.explain(asked, decision, ready, None)
    return decision.lane


def _counts(sources: Sources, language: str) -> Counter[Cell]:
    counts: Counter[Cell] = Counter()
    for lane in sources.view.lanes:
        if sums := sources.view.sums.get((language, lane.name)):
            counts.update(sums.cells)
    return counts


def _cells(sources: Sources, language: str, lane: str) -> list[dict[str, Any]]:
    """List what was asked in a language by task and endpoint, and what the ledger expects there of an idle engine."""
    here = sources.view.sums.get((language, lane), Sums())
    described = []
    for known, requests in _counts(sources, language).most_common(_CELLS):
        found = sources.learner and sources.learner.ledger.estimates(known, [(lane, 1)], sources.view.clock())
        described.append(
            {
                "task": known.task,
                "endpoint": known.endpoint,
                "thinking": known.thinking,
                "requests": requests,
                "here": here.cells[known],
                "estimate": expected(found[0]) if found else None,
            }
        )
    return described
