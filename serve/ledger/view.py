"""What the policy that learns knows and does at a moment, as plain data for whoever shows it."""

from dataclasses import dataclass
from typing import Any

from serve.routing.cell import Cell
from serve.routing.drift import Watch
from serve.routing.estimate import Estimate


@dataclass(frozen=True, slots=True)
class View:
    """Estimates by cell, of an engine with nothing else to do; the rest by what the learner holds."""

    estimates: dict[Cell, tuple[Estimate, ...]]
    positions: dict[tuple[str, Cell], tuple[float, ...]]
    lost: dict[Cell, tuple[int, float]]
    watches: dict[tuple[str, str, str], Watch]
    allowance: float
    applied: bool


def as_json(view: View) -> dict[str, Any]:
    """Give a view as JSON: rates in tokens a second with a 90 % interval, times in seconds.

    `requests` is how much was seen in that very cell, old requests counting less; `guard` says what drafters lost
    against no drafter over the cell's last requests, as a share (below 0 they gained); `watches` how far each lane's
    surprises have run, in standard deviations, of the eight at which an alarm goes off; `allowance` what trying may
    still cost at once, in requests' time.
    """
    return {
        "applied": view.applied,
        "allowance": view.allowance,
        "cells": [_cell(cell, estimates, view) for cell, estimates in sorted(view.estimates.items())],
        "watches": [
            {"lane": lane, "what": what, "language": language, "above": run.above.excess, "below": run.below.excess}
            for (lane, what, language), run in sorted(view.watches.items())
        ],
    }


def _cell(cell: Cell, estimates: tuple[Estimate, ...], view: View) -> dict[str, Any]:
    requests, lost = view.lost.get(cell, (0, 0.0))
    lanes = [_lane(each, view.positions.get((each.lane, cell), ())) for each in estimates]
    return {**cell._asdict(), "lanes": lanes, "guard": {"requests": requests, "lost": lost}}


def _lane(estimate: Estimate, positions: tuple[float, ...]) -> dict[str, Any]:
    return {
        "lane": estimate.lane,
        "drafts": estimate.drafts,
        "acceptance_length": estimate.acceptance_length,
        "accepted_per_position": list(positions),
        "step_time": estimate.step_time,
        "decode_rate": estimate.decode_rate,
        "low": estimate.low,
        "high": estimate.high,
        "requests": estimate.requests,
    }
