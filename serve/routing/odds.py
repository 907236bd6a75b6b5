"""Acceptance length on a scale without ends: the log-odds of a draft's being accepted.

A drafter keeps between none and all of its drafts, so what a language or a task does to it can't add up in tokens;
in log-odds it may (logistic regression: McCullagh and Nelder, Generalized Linear Models, 1989, chapter 4). Knows
nothing of cells or lanes.
"""

import math
from dataclasses import dataclass

from serve.routing.belief import Belief
from serve.routing.moments import Moments

BETWEEN_REQUESTS = 0.16
"""Variance between requests of one cell, in squared log-odds, where few were seen: a standard deviation of 0.4."""
_WORTH = 4.0  # requests that this assumption counts for
_LEAST = 0.01  # share of drafts that is told from none, and from all


def share(length: float, drafts: int) -> float:
    """Give the share of drafts that were accepted, within what is told from none and from all."""
    return min(1 - _LEAST, max(_LEAST, (length - 1) / drafts))


def log_odds(length: float, drafts: int) -> float:
    """Give the log-odds of a draft's being accepted, at so many tokens a step."""
    accepted = share(length, drafts)
    return math.log(accepted / (1 - accepted))


def length(odds: float, drafts: int) -> float:
    """Give tokens a step."""
    return 1 + drafts / (1 + math.exp(-odds))


def slope(length: float, drafts: int) -> float:
    """Give tokens a step that one unit of log-odds is worth."""
    accepted = share(length, drafts)
    return drafts * accepted * (1 - accepted)


@dataclass(slots=True)  # made while a request waits, where a frozen one takes three times as long
class Expected:
    """An acceptance length: tokens a step, their variance, and the logarithm with the variances to both its sides."""

    tokens: float
    variance: float
    log: float
    below: float
    above: float


def in_tokens(belief: Belief, drafts: int) -> Expected:
    """Say in tokens what is believed, by Gauss and Hermite's quadrature of three points.

    A drafter of which hardly anything is known may be far better than its mean more easily than far worse.
    """
    far = math.sqrt(3 * belief.variance)
    low, middle, high = (length(belief.mean + off, drafts) for off in (-far, 0.0, far))
    tokens = (low + 4 * middle + high) / 6
    variance = ((low - tokens) ** 2 + 4 * (middle - tokens) ** 2 + (high - tokens) ** 2) / 6
    least, most = math.log(low), math.log(high)
    log = (least + 4 * math.log(middle) + most) / 6
    return Expected(tokens, variance, log, (log - least) ** 2 / 3, (most - log) ** 2 / 3)


def in_odds(belief: Belief, drafts: int) -> Belief:
    """Say it in log-odds."""
    return Belief(log_odds(belief.mean, drafts), belief.variance / slope(belief.mean, drafts) ** 2)


def spread(seen: Moments, drafts: int) -> float:
    """Estimate the variance between requests, in squared tokens a step; `seen` are acceptance lengths."""
    return seen.variance(BETWEEN_REQUESTS * slope(seen.mean, drafts) ** 2, _WORTH)


def sight(seen: Moments, drafts: int) -> Belief:
    """Say what was seen, in log-odds."""
    return in_odds(Belief(seen.mean, spread(seen, drafts) / seen.weight), drafts)
