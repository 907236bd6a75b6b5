"""Has the policy that learns go through a trace, request by request, and says which lanes it took.

It is the router's own policy with the router's own defaults. It never sees the trace's truth: of each request it is
told what an engine would have reported, luck included. Its requests come one after the other, each in the company that
it had, on one engine; conversations have no prefixes.
"""

import contextlib
import math
import random
from collections.abc import Sequence
from itertools import count

from serve.backtest.trace import Known
from serve.errors import ConfigError
from serve.ledger.learner import Learner, Terms, Told
from serve.routing.lane import Lane
from serve.routing.ledger import Ledger
from serve.routing.outcome import Acceptance, Outcome
from serve.routing.policy import ANY, Decision, Row, Table, Wish, choose
from serve.settings import Settings

_UPSTREAM = "http://trace"
_LUCK = 0.3
"""Standard deviation between requests of a draft's log-odds of being accepted; assumed, as in serve/sim/figures."""
_PACE = 0.03
"""Standard deviation between requests of the logarithm of a step's time; assumed, likewise."""
_HALVINGS = 40
_NOTHING_KNOWN = (Row(ANY, ANY, ()),)


def learned(requests: Sequence[Known], seed: int, table: Table = _NOTHING_KNOWN) -> list[str]:
    """Give the lane that the policy that learns takes for each request, beginning from a table.

    Raises ConfigError for a trace that doesn't say enough.
    """
    lanes = _lanes(requests)
    rng, clock = random.Random(seed), count()  # noqa: S311  # no secret
    told = Told(lambda lane, lesson: None, lambda drift: None)
    exploration, half_life = (Settings.model_fields[name].default for name in ("exploration", "half_life"))
    terms = Terms(applied=True, exploration=exploration, rng=random.Random(seed), clock=lambda: float(next(clock)))  # noqa: S311
    learner = Learner(lanes, Ledger(lanes, table, half_life), terms, told)
    ready, by_name = {lane.name: _UPSTREAM for lane in lanes}, {lane.name: lane for lane in lanes}
    taken = []
    for request in requests:
        with contextlib.ExitStack() as company:
            for _ in range(request.batch - 1):
                company.enter_context(learner.track(lanes[0].name, _UPSTREAM, lambda *_: contextlib.nullcontext()))
            by_table = choose(request.cell, table, lanes, ready, Wish())
            decision = learner.decide(request.cell, by_table, ready, None)
            learner.observe(_outcome(request, by_name[decision.lane], decision, rng))
        taken.append(decision.lane)
    return taken


def _lanes(requests: Sequence[Known]) -> list[Lane]:
    """Take the lanes of a trace; the drafter's method is its lane's name, which the policy doesn't care for."""
    first = requests[0]
    names = list(first.seconds)
    for request in requests:
        known = request.acceptance_lengths.keys() & request.draft_tokens.keys() & request.seconds.keys()
        if known != set(names) or any(length < 1 for length in request.acceptance_lengths.values()):
            raise ConfigError(
                "the trace doesn't say what lanes get accepted, which a policy learns from; write a new one"
            )
    return [Lane(name, _UPSTREAM, name if first.draft_tokens[name] else "", first.draft_tokens[name]) for name in names]


def _outcome(request: Known, lane: Lane, decision: Decision, rng: random.Random) -> Outcome:
    """Draw what an engine would have reported."""
    length = request.acceptance_lengths[lane.name]
    step = request.seconds[lane.name] * length / request.tokens * math.exp(rng.gauss(0, _PACE))
    acceptance = _accepted(request.tokens - 1, length, lane.draft_tokens, rng) if lane.drafts else None
    steps = acceptance.num_spec_steps if acceptance else request.tokens - 1
    return Outcome(
        request_id="",
        endpoint=request.cell.endpoint,  # type: ignore[arg-type]  # a cell's is any that a log may have had
        cell=request.cell,
        decision=decision,
        drafted=lane.drafts,
        streamed=True,
        status=200,
        end="complete",
        duration=steps * step,
        generation_time=steps * step,
        prompt_tokens=request.prompt_tokens,
        completion_tokens=request.tokens,
        acceptance=acceptance,
        engine=_UPSTREAM,
    )


def _accepted(tokens: int, length: float, drafts: int, rng: random.Random) -> Acceptance:
    """Draw the steps of so many tokens, of a drafter of that acceptance length; each draft is as likely as the next."""
    odds = _odds(_share(length, drafts)) + rng.gauss(0, _LUCK)
    share, per_position, steps = 1 / (1 + math.exp(-odds)), [0] * drafts, 0
    while tokens > 0:
        steps, got = steps + 1, 0
        while got < drafts and rng.random() < share:
            per_position[got] += 1
            got += 1
        tokens -= got + 1
    return Acceptance(steps, steps * drafts, sum(per_position), tuple(per_position))


def _share(length: float, drafts: int) -> float:
    """Find the share of drafts accepted at each position that adds up to an acceptance length."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if 1 + sum(middle**position for position in range(1, drafts + 1)) < length:
            low = middle
        else:
            high = middle
    return high


def _odds(share: float) -> float:
    bounded = min(0.999, max(0.001, share))
    return math.log(bounded / (1 - bounded))
