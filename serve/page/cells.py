"""What the page is told of languages: each on each lane, and on a click all that is known of one of them."""

from collections import Counter
from typing import Any

from serve.page import gains
from serve.page.dialect import expected, rounded, span
from serve.page.sources import Sources
from serve.page.view import Sums
from serve.routing.cell import Cell
from serve.routing.policy import Wish, choose

_CELLS = 12
"""Cells of a language that the page lists, those with most requests first."""


def languages(sources: Sources) -> list[dict[str, Any]]:
    """Describe every language on every lane, and which lane a request in it would get now."""
    return [_language(sources, language) for language in gains.languages(sources.view.sums, sources.table)]


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


def _language(sources: Sources, language: str) -> dict[str, Any]:
    cells = {lane.name: _cell(sources, language, lane.name) for lane in sources.view.lanes}
    return {"language": language, "next": _next(sources, language), "cells": cells}


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


def _next(sources: Sources, language: str) -> str | None:
    """Name the lane that a chat in a language would get now, of the task that is asked most; None where none is up."""
    ready = sources.ready()
    if not ready:
        return None
    known = _counts(sources, language).most_common(1)
    asked = known[0][0] if known else Cell(language, "prose", "chat", False)
    decision = choose(asked, sources.table, sources.view.lanes, ready, Wish())
    if sources.learner:
        decision = sources.learner.explain(asked, decision, ready, None)
    return decision.lane


def _counts(sources: Sources, language: str) -> Counter[Cell]:
    counts: Counter[Cell] = Counter()
    for (tag, _), sums in sources.view.sums.items():
        if tag == language:
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
