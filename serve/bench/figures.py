"""The numbers of a lane in a language and task: rate, acceptance, gain over the body, each with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median
from typing import NamedTuple

import numpy as np

from serve.bench.plan import Setting, Way
from serve.bench.pools import Pool, interval
from serve.bench.sample import Sample
from serve.routing.outcome import Acceptance

_BODY = "body"  # what the lane without a drafter is called everywhere
_FEWEST = 5  # prompts, below which a bootstrap is surer than it should be


class Interval(NamedTuple):
    """A number and the ends of its 95 % interval, the bootstrap's over prompts."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figure:
    """What one way of decoding achieved in one language and task, over `answers` answers to `prompts` prompts.

    `draft_tokens` is how many were drafted a step, 0 without a drafter; `rate` is output tokens a second after the
    first; `gain` is that over the body's, None for the body; `acceptance_length` is 1 + accepted / steps, None without
    a drafter; `per_position` is the share of steps that accepted the draft at each position; `first_token` is the
    median of the seconds until the first token, None where nobody told.
    """

    setting: Setting
    language: str
    task: str
    way: Way
    draft_tokens: int
    answers: int
    prompts: int
    rate: Interval
    gain: Interval | None
    acceptance_length: float | None
    per_position: tuple[float, ...]
    first_token: float | None


@dataclass(frozen=True, slots=True)
class Rivalry:
    """The fastest of several ways in a language and task, the next one, and by how many times it is faster."""

    setting: Setting
    language: str
    task: str
    first: Way
    second: Way
    gain: Interval
    prompts: int

    @property
    def decided(self) -> bool:
        """Whether the first has won: there are enough prompts, and another draw would hardly turn it round."""
        return self.prompts >= _FEWEST and self.gain.low > 1

    @property
    def why(self) -> str:
        """Why there is no winner; empty if there is."""
        if self.decided:
            return ""
        return f"too few prompts ({self.prompts} of {_FEWEST})" if self.prompts < _FEWEST else "too close to tell"


def figures(pool: Pool, seed: int) -> list[Figure]:
    """Give the numbers of every way of a pool."""
    rates, drawn = pool.rates(), pool.drawn(seed)
    body = _body(pool)
    found = []
    for index, (way, samples) in enumerate(zip(pool.ways, pool.samples, strict=True)):
        gain = None
        if body is not None and index != body:
            gain = Interval(
                float(rates[index] / rates[body]), *interval(drawn[:, index] / drawn[:, body], pool.prompts)
            )
        accepted = _acceptances(samples)
        waits = [sample.first for sample in samples if sample.first is not None]
        found.append(
            Figure(
                setting=pool.setting,
                language=pool.language,
                task=pool.task,
                way=way,
                draft_tokens=drafts(accepted),
                answers=len(samples),
                prompts=pool.prompts,
                rate=Interval(float(rates[index]), *interval(drawn[:, index], pool.prompts)),
                gain=gain,
                acceptance_length=_length(accepted),
                per_position=_per_position(accepted),
                first_token=median(waits) if waits else None,
            )
        )
    return found


def rivalry(pool: Pool, seed: int) -> Rivalry | None:
    """Hold the two fastest lanes of a pool against each other, each with its own draft length; None with one alone."""
    return _rivalry(pool.only(lambda way: way.draft_tokens is None), seed)


def lengths(pool: Pool, seed: int) -> list[Rivalry]:
    """Hold the two fastest draft lengths of every lane against each other, where it was measured with several."""
    lanes = dict.fromkeys(way.lane for way in pool.ways)
    rivals = (_rivalry(pool.only(lambda way, lane=lane: way.lane == lane), seed) for lane in lanes)  # type: ignore[misc]
    return [each for each in rivals if each]


def _rivalry(pool: Pool, seed: int) -> Rivalry | None:
    if len(pool.ways) < 2:
        return None
    rates, drawn = pool.rates(), pool.drawn(seed)
    first, second = (int(index) for index in np.argsort(-rates, kind="stable")[:2])
    gain = Interval(float(rates[first] / rates[second]), *interval(drawn[:, first] / drawn[:, second], pool.prompts))
    return Rivalry(pool.setting, pool.language, pool.task, pool.ways[first], pool.ways[second], gain, pool.prompts)


def _body(pool: Pool) -> int | None:
    """Find the way that drafts nothing; engines that don't report acceptance make drafters look like it."""
    silent = [index for index, samples in enumerate(pool.samples) if not _acceptances(samples)]
    named = [index for index in silent if pool.ways[index].lane == _BODY]
    found = named or silent
    return found[0] if len(found) == 1 else None


def drafts(acceptances: Sequence[Acceptance]) -> int:
    """Give how many tokens were drafted a step, 0 without a drafter; an answer's last step may have had fewer."""
    steps = sum(each.num_spec_steps for each in acceptances)
    return round(sum(each.num_draft_tokens for each in acceptances) / steps) if steps else 0


def _acceptances(samples: Sequence[Sample]) -> list[Acceptance]:
    return [sample.acceptance for sample in samples if sample.acceptance and sample.acceptance.num_draft_tokens]


def _length(acceptances: Sequence[Acceptance]) -> float | None:
    steps = sum(each.num_spec_steps for each in acceptances)
    accepted = sum(each.num_accepted_draft_tokens for each in acceptances)
    return 1 + accepted / steps if steps else None  # vLLM counts the bonus token


def _per_position(acceptances: Sequence[Acceptance]) -> tuple[float, ...]:
    steps = sum(each.num_spec_steps for each in acceptances)
    columns = zip_longest(*(each.accepted_per_pos for each in acceptances), fillvalue=0)
    return tuple(sum(column) / steps for column in columns)[: drafts(acceptances)] if steps else ()
