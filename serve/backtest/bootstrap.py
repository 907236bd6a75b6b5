"""Redraws requests as often as an interval takes. Knows nothing of what is added up."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Sums = npt.NDArray[np.float64]

_DRAWS = 400
_AT_ONCE = 4_000_000  # counts held at a time
_ENDS = (2.5, 97.5)  # percentiles: the ends of a 95 % interval


def redrawn(rows: Sequence[Sequence[float]], seed: int) -> Sums:
    """Add up the columns of as many rows, drawn with replacement: a row of sums for each of the draws."""
    columns = np.asarray(rows, dtype=np.float64)
    rng, number = np.random.default_rng(seed), len(columns)
    even = np.full(number, 1 / number)
    step = max(1, _AT_ONCE // number)
    parts = [
        rng.multinomial(number, even, size=min(step, _DRAWS - begin)) @ columns for begin in range(0, _DRAWS, step)
    ]
    drawn: Sums = np.concatenate(parts)
    return drawn


def interval(values: Sums) -> tuple[float, float]:
    """Give the ends of the middle 95 % of what was drawn, of the draws that have a value."""
    low, high = np.nanpercentile(values, _ENDS)
    return float(low), float(high)
