"""What the page gets to show, as plain data: made from the view, the engines and the ledger when somebody looks."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from serve.ledger.learner import Learner
from serve.page import gains
from serve.page.cells import Rows
from serve.page.dialect import expected, rounded, span
from serve.page.sources import Sources
from serve.page.view import BUCKET, Noticed
from serve.proxy.holding import Holding
from serve.proxy.upstream import Upstream
from serve.routing.guard import PROMISED
from serve.routing.lane import Lane, engine_name

_ASKED = 200
"""Cells that the guard is asked for what it bars, those that lost most first: each takes 10 to 20 us of an event."""
_BARRED, _OTHERS = 12, 3
"""Cells that the guard's account lists: those where something is barred now, and others that lost most."""
SIMULATED = "simulated"
"""What the version of an engine that `polydraft sim` makes ends with."""
DEMO = "polydraft-demo"
"""The name that the demo's model is served by, which knows little but its own questions."""


def state(sources: Sources, rows: Rows) -> dict[str, Any]:
    """Describe now: engines, lanes, speed, languages. Rates are tokens a second, times seconds since 1970."""
    view, now = sources.view, sources.view.clock()
    speed, minute = view.speed(now), view.minute.tokens(now)
    memory = sources.memory()
    return {
        "model": sources.model,
        "version": sources.version,
        "demo": sources.model == DEMO,
        "policy": sources.policy,
        "exploration": sources.exploration,
        "at": now,
        "started": view.started,
        "requests": view.count,
        "refused": sum(each.refused for each in view.sums.values()),
        "speedup": _speedup(sources),
        "engines": [_engine(sources, url) for url in sources.upstreams],
        "lanes": [_lane(sources, lane, minute) for lane in view.lanes],
        "speed": [[at, *(round(tokens.get(lane.name, 0) / BUCKET, 2) for lane in view.lanes)] for at, tokens in speed],
        "languages": rows.now(),
        "drifts": [_drift(noticed) for noticed in view.drifts],
        "guard": _guard(sources.learner, sources) if sources.learner else None,
        "memory": memory and asdict(memory),
    }


def _speedup(sources: Sources) -> dict[str, Any]:
    """Describe what was gained by all answers whose lane nobody forced."""
    view = sources.view
    picked = view.yardstick.picked
    found = gains.speedup(view.yardstick, view.sums, view.lanes, sources.table)
    return {"gain": span(found), "bare": picked.bare, "alone": picked.alone}


def _engine(sources: Sources, url: str) -> dict[str, Any]:
    upstream = sources.upstreams[url]
    return {
        "name": engine_name(url),
        "lanes": [lane.name for lane in sources.view.lanes if url in lane.engines],
        "state": _condition(upstream),
        "vllm": upstream.version,
        "simulated": bool(upstream.version and upstream.version.endswith(SIMULATED)),
        "max_model_len": upstream.max_model_len,
        "running": upstream.slots.running,
        "waiting": upstream.slots.waiting,
        "planned": sources.planned.get(url),
        "holding": _holding(sources.holding.get(url)),
    }


def _condition(upstream: Upstream) -> str:
    """Say how an engine is; one that was never up since the router started is loading, as far as anybody knows."""
    if upstream.left_alone:
        return "left alone"
    return "up" if upstream.healthy else "down" if upstream.met else "loading"


def _holding(known: Holding | None) -> dict[str, Any] | None:
    """Write what an engine holds, in GiB by place; its KV cache's part in use, and the longest requests it can hold."""
    if known is None:
        return None
    places = [
        {"name": each.name, "engine": rounded(each.engine), "used": rounded(each.used), "total": rounded(each.total)}
        for each in known.places
    ]
    return {"places": places, "kv_used": rounded(known.kv_used, 4), "kv_room": rounded(known.kv_room, 1)}


def _lane(sources: Sources, lane: Lane, minute: Mapping[str, int]) -> dict[str, Any]:
    summed = [sums for (_, name), sums in sources.view.sums.items() if name == lane.name]
    engines = [sources.upstreams[url] for url in lane.engines]
    steps, accepted = sum(each.steps for each in summed), sum(each.accepted for each in summed)
    return {
        "name": lane.name,
        "method": lane.method,
        "draft_tokens": lane.draft_tokens,
        "ready": any(engine.ready for engine in engines),
        "loading": not any(engine.met for engine in engines),
        "in_flight": sources.in_flight(lane),
        "requests": sum(each.requests for each in summed),
        "refused": sum(each.refused for each in summed),
        "tokens": sum(each.tokens for each in summed),
        "length": rounded(1 + accepted / steps) if steps else None,
        "last_minute": minute[lane.name],
    }


def _guard(learner: Learner, sources: Sources) -> dict[str, Any]:
    """Say what share of their time requests may lose to drafters, what is barred now, and where most was lost.

    A drafter may be barred where none lost anything yet, so that every cell is asked for, as far as `asked` says.
    """
    ready = sources.ready()
    guarded = sorted(learner.lost().items(), key=lambda each: -each[1][1])
    asked = [(known, lost, *learner.barred(known, ready)) for known, lost in guarded[:_ASKED]]
    barring = [each for each in asked if each[3]]
    others = [each for each in asked if not each[3]]
    bodies = gains.bodies(sources.view.lanes)
    return {
        "allowed": PROMISED,
        "guarded": len(guarded),
        "asked": len(asked),
        "barring": len(barring),
        "cells": [
            {
                "language": known.language,
                "task": known.task,
                "requests": requests,
                "lost": rounded(lost, 4),
                "barred": [expected(each) for each in estimates if each.lane in barred],
                "bare": next((expected(each) for each in estimates if each.lane in bodies), None),
            }
            for known, (requests, lost), estimates, barred in barring[:_BARRED] + others[:_OTHERS]
        ],
    }


def _drift(noticed: Noticed) -> dict[str, Any]:
    return {"at": noticed.at, **asdict(noticed.drift)}
