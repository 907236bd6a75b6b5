"""What the page gets to show, as plain data: made from the view, the engines and the ledger when somebody looks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from serve.ledger.learner import Learner
from serve.page import gains
from serve.page.gains import Span
from serve.page.view import BUCKET, Noticed, Seen, Sums, View
from serve.proxy.upstream import Upstream
from serve.routing.estimate import Estimate, Weighing
from serve.routing.guard import PROMISED
from serve.routing.lane import Lane, engine_name
from serve.routing.policy import Candidate, Decision, Mode, Table

_MINUTE = 60 // BUCKET
_GUARDED = 3
_CELLS = 12
"""Cells of a language that the page lists, those with most requests first."""


@dataclass(frozen=True, slots=True)
class Memory:
    """GiB: what the engines were planned to hold, None if nobody said; what the machine has, and uses now."""

    planned: float | None
    total: float
    used: float


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page's facts come from; `memory` is None where it can't be read, `learner` where nothing is learned."""

    model: str
    version: str
    policy: Mode
    exploration: float
    table: Table
    view: View
    upstreams: Mapping[str, Upstream]
    in_flight: Callable[[Lane], int]
    memory: Callable[[], Memory | None]
    learner: Learner | None = None


def state(sources: Sources) -> dict[str, Any]:
    """Describe now: engines, lanes, speed, languages. Rates are tokens a second, times seconds since 1970."""
    view, now = sources.view, sources.view.clock()
    speed = view.speed(now)
    memory = sources.memory()
    return {
        "model": sources.model,
        "version": sources.version,
        "policy": sources.policy,
        "exploration": sources.exploration,
        "at": now,
        "started": view.started,
        "requests": view.count,
        "speedup": _span(gains.speedup(view.sums, view.lanes, sources.table)),
        "engines": [_engine(sources, url) for url in sources.upstreams],
        "lanes": [_lane(sources, lane, speed[-_MINUTE:]) for lane in view.lanes],
        "speed": [[at, *(round(tokens.get(lane.name, 0) / BUCKET, 2) for lane in view.lanes)] for at, tokens in speed],
        "languages": [_language(sources, language) for language in gains.languages(view.sums, sources.table)],
        "drifts": [_drift(noticed) for noticed in view.drifts],
        "guard": _guard(sources.learner) if sources.learner else None,
        "memory": memory and asdict(memory),
    }


def line(seen: Seen) -> dict[str, Any]:
    """Describe one request in a line: never what was asked or answered."""
    outcome = seen.outcome
    assert outcome.cell
    assert outcome.decision
    return {
        "number": seen.number,
        "at": seen.at,
        "language": outcome.cell.language,
        "task": outcome.cell.task,
        "endpoint": outcome.cell.endpoint,
        "thinking": outcome.cell.thinking,
        "lane": outcome.decision.lane,
        "reason": outcome.decision.reason,
        "end": outcome.end,
        "tokens": outcome.completion_tokens,
        "rate": _rounded(outcome.decode_rate),
        "length": _rounded(outcome.acceptance.acceptance_length if outcome.acceptance else None),
    }


def explained(seen: Seen) -> dict[str, Any]:
    """Describe one request with the numbers that its lane was chosen from."""
    outcome = seen.outcome
    assert outcome.decision
    acceptance = outcome.acceptance
    return line(seen) | {
        "request_id": outcome.request_id,
        "engine": outcome.engine and engine_name(outcome.engine),
        "prompt_tokens": outcome.prompt_tokens,
        "time_to_first_token": _rounded(outcome.time_to_first_token, 4),
        "duration": _rounded(outcome.duration),
        "steps": acceptance and acceptance.num_spec_steps,
        "drafted": acceptance and acceptance.num_draft_tokens,
        "accepted": acceptance and acceptance.num_accepted_draft_tokens,
        "candidates": [_candidate(each) for each in outcome.decision.candidates],
        "learned": _weighed(outcome.decision),
    }


def cell(sources: Sources, language: str, lane: str) -> dict[str, Any] | None:
    """Describe one language on one lane: drafts by position, the last requests, what is expected of it now.

    None if there is no such lane, or neither requests nor table know the language.
    """
    names = [known.name for known in sources.view.lanes]
    if lane not in names or language not in gains.languages(sources.view.sums, sources.table):
        return None
    sums = sources.view.sums.get((language, lane), Sums())
    return {
        "language": language,
        "lane": lane,
        **_cell(sources, language, lane),
        "drafted": sums.drafted,
        "accepted": sums.accepted,
        "steps": sums.steps,
        "per_position": sums.per_pos,
        "explored": sums.explored,
        "history": [[at, _rounded(length), _rounded(rate)] for at, length, rate in sums.history],
        "cells": _cells(sources, language, lane),
    }


def _engine(sources: Sources, url: str) -> dict[str, Any]:
    upstream = sources.upstreams[url]
    return {
        "name": engine_name(url),
        "lanes": [lane.name for lane in sources.view.lanes if url in lane.engines],
        "state": "left alone" if upstream.left_alone else "up" if upstream.healthy else "down",
        "vllm": upstream.version,
        "running": upstream.slots.running,
        "waiting": upstream.slots.waiting,
    }


def _lane(sources: Sources, lane: Lane, minute: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, Any]:
    summed = [sums for (_, name), sums in sources.view.sums.items() if name == lane.name]
    steps, accepted = sum(each.steps for each in summed), sum(each.accepted for each in summed)
    return {
        "name": lane.name,
        "method": lane.method,
        "draft_tokens": lane.draft_tokens,
        "ready": any(sources.upstreams[url].ready for url in lane.engines),
        "in_flight": sources.in_flight(lane),
        "requests": sum(each.requests for each in summed),
        "tokens": sum(each.tokens for each in summed),
        "length": _rounded(1 + accepted / steps) if steps else None,
        "speed": round(sum(tokens.get(lane.name, 0) for _, tokens in minute) / (BUCKET * _MINUTE), 2),
    }


def _language(sources: Sources, language: str) -> dict[str, Any]:
    cells = {lane.name: _cell(sources, language, lane.name) for lane in sources.view.lanes}
    return {"language": language, "requests": sum(each["requests"] for each in cells.values()), "cells": cells}


def _cell(sources: Sources, language: str, lane: str) -> dict[str, Any]:
    seen = sources.view.sums
    sums, listed = seen.get((language, lane), Sums()), gains.tabled(language, sources.table)
    bodies = [known.name for known in sources.view.lanes if not known.drafts]
    body = next((seen[language, name] for name in bodies if (language, name) in seen), None)
    bare = next((listed[name].decode_rate for name in bodies if name in listed), None)
    return {
        "requests": sums.requests,
        "timed": sums.timed,
        "tokens": sums.tokens,
        "chosen_tokens": sums.chosen_tokens,
        "length": _rounded(sums.length),
        "rate": _span(gains.rate(sums)),
        "gain": _span(gains.gain(sums, body, bare)),
        "table": _candidate(listed[lane]) if lane in listed else None,
    }


def _cells(sources: Sources, language: str, lane: str) -> list[dict[str, Any]]:
    """List what was asked in a language by task and endpoint, and what the ledger expects there of an idle engine."""
    sums = [each for (tag, _), each in sources.view.sums.items() if tag == language]
    here = sources.view.sums.get((language, lane), Sums())
    counts = sum((each.cells for each in sums), start=type(here.cells)())
    described = []
    for known, requests in counts.most_common(_CELLS):
        found = sources.learner and sources.learner.ledger.estimates(known, [(lane, 1)], sources.view.clock())
        described.append(
            {
                "task": known.task,
                "endpoint": known.endpoint,
                "thinking": known.thinking,
                "requests": requests,
                "here": here.cells[known],
                "estimate": _estimate(found[0]) if found else None,
            }
        )
    return described


def _weighed(decision: Decision) -> dict[str, Any] | None:
    weighing: Weighing | None = decision.weighing
    if weighing is None:
        return None
    estimates = [
        _estimate(each) | {"share": round(share, 4)}
        for each, share in zip(weighing.estimates, weighing.shares, strict=True)
    ]
    return {"lane": weighing.lane, "best": weighing.best, "applied": weighing.applied, "estimates": estimates}


def _estimate(each: Estimate) -> dict[str, Any]:
    return {
        "lane": each.lane,
        "length": _rounded(each.acceptance_length),
        "rate": _rounded(each.decode_rate),
        "low": _rounded(each.low),
        "high": _rounded(each.high),
        "requests": _rounded(each.requests),
    }


def _candidate(each: Candidate | Estimate) -> dict[str, Any]:
    return {"lane": each.lane, "length": _rounded(each.acceptance_length), "rate": _rounded(each.decode_rate)}


def _guard(learner: Learner) -> dict[str, Any]:
    """Say what share of their time requests may lose to drafters, and the cells that are closest to it."""
    worst = sorted(learner.lost().items(), key=lambda each: -each[1][1])[:_GUARDED]
    cells = [
        {"language": known.language, "task": known.task, "requests": requests, "lost": _rounded(lost, 4)}
        for known, (requests, lost) in worst
    ]
    return {"allowed": PROMISED, "cells": cells}


def _drift(noticed: Noticed) -> dict[str, Any]:
    return {"at": noticed.at, **asdict(noticed.drift)}


def _span(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {
        "value": _rounded(span.value),
        "low": _rounded(span.low),
        "high": _rounded(span.high),
        "source": span.source,
    }


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
