"""Chooses among lanes whose rates aren't known for sure: mostly the best, and now and then one that may be better.

Thompson sampling takes each lane as often as it is likely to be the best (Thompson, 1933). Here such probabilities are
computed and then drawn from with one number, which is given, so that what is logged as the propensity is exact.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import erf, exp, sqrt

from serve.routing.estimate import Estimate

PROBED = 0.0005
"""Requests' time a request that goes into trying each lane whatever is believed of it, mostly where that costs little:
only so is it noticed that a lane has become better."""
_OFTEN = 0.02  # share of requests that are such tries at most
_DOUBTED = 0.25
"""Share of requests that try a lane of which nobody knows whether it is still what it was."""
_CHEAPEST = 0.02
"""Share of a request's time that trying a lane costs at least."""
_NOISE = 0.03
"""Variance between requests of the logarithm of their rate, assumed: 10 % of step time, 14 % of acceptance length."""
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


@dataclass(frozen=True, slots=True)
class Apart:
    """The places of options that aren't chosen as others are.

    `barred` ones mustn't be taken whatever they may bring; of `doubted` ones nobody knows whether they are still what
    they were.
    """

    barred: Collection[int] = ()
    doubted: Collection[int] = ()


NONE_APART = Apart()


def pick(options: Sequence[Estimate], allowance: float, alike: float, draw: float, apart: Apart = NONE_APART) -> Pick:
    """Draw a lane by one number in [0, 1); without an allowance it is the best one by what is known.

    `alike` is how many requests there were that a try would have taught something for. Raises ValueError if every
    option is barred.
    """
    barred = apart.barred
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
    affordable = [cost if cost <= allowance else math.inf for cost in costs]
    shares = _shares(options, best, affordable, alike, apart.doubted)
    chosen, passed = best, 0.0
    for index, share in enumerate(shares):
        passed += share
        if draw < passed:
            chosen = index
            break
    return Pick(options[chosen].lane, top.lane, shares[chosen], costs[chosen], tuple(shares))


def _shares(
    options: Sequence[Estimate], best: int, costs: Sequence[float], alike: float, doubted: Collection[int]
) -> list[float]:
    """Give the probability of every option; what can't be afforded (its cost is infinite) goes to the best."""
    top, likely = options[best], likely_best(options)
    shares, rest = [], 1.0
    for index, option in enumerate(options):
        cost, drawn = costs[index], 0.0
        if index != best and cost < math.inf:
            # As many requests are expected to come as there were, so a try has to pay for itself over these.
            worth = alike * _improvement(option, top) / cost
            probed = _DOUBTED if index in doubted else PROBED / cost if PROBED / cost < _OFTEN else _OFTEN
            drawn = likely[index] * (worth if worth < 1 else 1.0) + probed
        shares.append(drawn)
        rest -= drawn
    shares[best] = max(0.0, rest)
    return shares if rest >= 0 else [share / (1 - rest) for share in shares]


def _improvement(option: Estimate, top: Estimate) -> float:
    """Give what the best is expected to gain a request, as a share of its time, from one more sight of another.

    This is the knowledge gradient of a normal belief (Frazier, Powell and Dayanik, 2008).
    """
    variance = option.above + top.variance
    deviation = variance / sqrt(variance + _NOISE)  # of the mean, as it will be after that sight
    if deviation <= _SURE:
        return 0.0
    off = (option.mean - top.mean) / deviation
    return deviation * (exp(-0.5 * off * off) / _ROOT_TAU + off * 0.5 * (1 + erf(off / _ROOT_2)))


def _cost(mean: float, best: float) -> float:
    """The share of a request's time that an option is expected to lose, by what is known."""
    if best - mean > _DEAR:
        return DEAREST
    cost = exp(best - mean) - 1
    return cost if cost > _CHEAPEST else _CHEAPEST


def likely_best(options: Sequence[Estimate]) -> list[float]:
    """Give about the probability of each option to be the best; of two exactly that.

    Of more it is each one's probability to beat its hardest rival, made to add up to 1: the integral that Thompson
    sampling stands for costs ten times as much, and what is drawn from needn't be more than near it.
    """
    shares = [1.0] * len(options)
    for i, one in enumerate(options):
        for j in range(i):
            other = options[j]
            ahead = one.mean - other.mean
            variance = _SURE + (one.variance + other.above if ahead > 0 else one.above + other.variance)
            wins = 0.5 + 0.5 * erf(ahead / sqrt(2 * variance))
            if wins < shares[i]:
                shares[i] = wins
            if 1 - wins < shares[j]:
                shares[j] = 1 - wins
    total = sum(shares)
    return [share / total for share in shares]


_DEAR = math.log(1 + DEAREST)
_SURE = 1e-12  # variance of a difference that is known, so that nothing is divided by 0
_ROOT_2, _ROOT_TAU = sqrt(2), sqrt(math.tau)
