"""What a lane is expected to do for one request, and how sure that is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a lane is expected to do for one request: tokens and seconds a step, tokens a second and its 90 % interval.

    `requests` is how much was seen in this very cell. `mean` and `variance` are of the logarithm of the rate.
    """

    lane: str
    acceptance_length: float
    step_time: float
    decode_rate: float
    low: float
    high: float
    requests: float
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Weighing:
    """How the policy that learns came to its lane: every lane that could be had, and how likely this one was drawn.

    `best` is the lane with the highest estimate; `applied` is False where the policy only watches.
    """

    lane: str
    best: str
    propensity: float
    applied: bool
    estimates: tuple[Estimate, ...]
