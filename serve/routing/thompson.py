"""Chooses among lanes whose rates aren't known for sure: mostly the best, and now and then one that may be better.

Thompson sampling takes each lane as often as it is likely to be the best (Thompson, 1933). Here such probabilities are
computed and then drawn from with one number, which is given, so that what is logged as the propensity is exact.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import erf, exp, sqrt

from serve.routing.estimate import Estimate

PROBE = 0.03
"""Share of requests that go to a lane that isn't the best, whatever is believed of it: only so is it noticed that a
lane has become better. The allowance bounds what it costs."""
_GUARD = 1.2816
"""Standard deviations: a lane is below break-even if it is so with a probability of 90 %."""
_CHEAPEST = 0.02
"""Share of a request's time that trying a lane costs at least."""
_FAIR = 0.15
"""Share of a request's time at which a lane is probed as often as `PROBE` says."""
_SELDOM, _OFTEN = 0.3, 3.0
"""Times that, for lanes that cost more, and for those that cost less."""
DEAREST = 2.0
"""Requests' time that it costs at most; what a cell may save up is as much, so that the dearest can be afforded."""


@dataclass(slots=True)  # made for each request, where a frozen one takes three times as long
class Pick:
    """The lane that was drawn, how likely that was, the best one by what is known, and what trying costs.

    `cost` is in requests' time, what the lane is expected to take beyond the best one; 0 for the best. `shares` are the
    probabilities of all options, in their order.
    """

    lane: str
    best: str
    propensity: float
    cost: float
    shares: tuple[float, ...]


def pick(options: Sequence[Estimate], allowance: float, draw: float, barred: Collection[int] = ()) -> Pick:
    """Draw a lane by one number in [0, 1); without an allowance it is the best one by what is known.

    `barred` are the places of those that mustn't be taken whatever they may bring. Raises ValueError if none is left.
    """
    best = -1
    for index in range(len(options)):
        if index not in barred and (best < 0 or options[index].mean > options[best].mean):
            best = index
    if best < 0:
        raise ValueError("no lane to choose from")
    top = options[best]
    if len(options) == 1 or allowance <= 0:
        return Pick(top.lane, top.lane, 1.0, 0.0, tuple([float(option is top) for option in options]))
    costs = [0.0 if option is top else _cost(option.mean, top.mean) for option in options]
    for index in barred:
        costs[index] = math.inf
    shares = _shares(options, best, costs, allowance)
    chosen, passed = best, 0.0
    for index, share in enumerate(shares):
        passed += share
        if draw < passed:
            chosen = index
            break
    return Pick(options[chosen].lane, top.lane, shares[chosen], costs[chosen], tuple(shares))


def _shares(options: Sequence[Estimate], best: int, costs: Sequence[float], allowance: float) -> list[float]:
    """Give the probability of every option; what can't be afforded goes to the best."""
    likely = likely_best(options, _may_pay(options))
    probe = PROBE / (len(options) - 1)
    shares, rest = [], 1.0
    for index, share in enumerate(likely):
        cost = costs[index]
        drawn = 0.0
        if index != best and cost <= allowance:
            # Where a lane costs little it is probed more often: what it shows there, pooling carries elsewhere.
            often = _FAIR / cost
            often = _OFTEN if often > _OFTEN else _SELDOM if often < _SELDOM else often
            drawn = probe * often + (1 - PROBE) * share
        shares.append(drawn)
        rest -= drawn
    shares[best] = max(0.0, rest)
    return shares if rest >= 0 else [share / (1 - rest) for share in shares]


def _may_pay(options: Sequence[Estimate]) -> list[bool]:
    """Break-even: say which drafters may be faster than none, at the upper end of what is believed of them."""
    floor = -math.inf
    for option in options:
        if not option.drafts and option.mean > floor:
            floor = option.mean
    return [
        not option.drafts or option.mean >= floor or option.mean + _GUARD * sqrt(option.variance) >= floor
        for option in options
    ]


def _cost(mean: float, best: float) -> float:
    """The share of a request's time that an option is expected to lose, by what is known."""
    if best - mean > _DEAR:
        return DEAREST
    cost = exp(best - mean) - 1
    return cost if cost > _CHEAPEST else _CHEAPEST


def likely_best(options: Sequence[Estimate], allowed: Sequence[bool]) -> list[float]:
    """Give about the probability of each option that is allowed to be the best; of two exactly that.

    Of more it is each one's probability to beat its hardest rival, made to add up to 1: the integral that Thompson
    sampling stands for costs ten times as much, and what is drawn from needn't be more than near it.
    """
    shares = [1.0 if each else 0.0 for each in allowed]
    for i, one in enumerate(options):
        if not allowed[i]:
            continue
        mean, variance = one.mean, one.variance + _SURE
        for j in range(i):
            if allowed[j]:
                other = options[j]
                wins = 0.5 + 0.5 * erf((mean - other.mean) / sqrt(2 * (variance + other.variance)))
                if wins < shares[i]:
                    shares[i] = wins
                if 1 - wins < shares[j]:
                    shares[j] = 1 - wins
    total = sum(shares)
    return [share / total for share in shares]


_DEAR = math.log(1 + DEAREST)
_SURE = 1e-12  # variance of a difference that is known, so that nothing is divided by 0
