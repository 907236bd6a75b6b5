"""Gets from a router all that a verdict needs: greedy answers alone and together, draws, longer sampled answers.

Alone means that an engine has one request at a time; together, that all prompts on all lanes are under way. The body's
answers alone are what everything is compared with; its own answers in the mixed batch are compared too, since where the
body differs from itself no lane can be blamed for it. A lane with several engines is asked on each of them. Decides
nothing.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from serve.gate.compare import Compared, Difference, first_difference, gap
from serve.gate.evidence import Draws, Evidence, engine_of, lane_of
from serve.gate.garbage import Text
from serve.gate.prompts import Prompt
from serve.gate.router import Answer, Router, reach

T = TypeVar("T")
Progress = Callable[[int, int], None]

SETTINGS: Mapping[str, Mapping[str, float]] = {
    "plain": {"temperature": 1.0},
    "cut": {"temperature": 0.8, "top_k": 40, "top_p": 0.95},  # other code of vLLM's samplers, and what people use
}
_SEEDED = {"plain"}
"""The other setting draws from the engine's own random numbers, as most traffic does; vLLM has other code for those."""
POSITIONS = (1, 2, 3)
"""Of the drawn tokens, from 0; the first comes from the prompt's own pass, those after it were drafted or corrected."""
_CHUNK = 100  # answers a request, so that no request outlasts its timeout
_AT_ONCE = 64  # requests; engines queue what they can't batch
_TEXTS = 2  # sampled answers a prompt for the detectors
_ENDED = -1  # stands for the tokens that an answer which has ended doesn't have
_LANE_SEEDS = 10_000_000  # apart, so that no two lanes draw with the same random numbers


@dataclass(frozen=True, slots=True)
class Plan:
    """Answers have at most `max_tokens`, long ones exactly `long_tokens`; `samples` are drawn a comparison."""

    prompts: Sequence[Prompt]
    max_tokens: int
    long_tokens: int
    samples: int


async def collect(url: str, plan: Plan, progress: Progress, credentials: Mapping[str, str] | None = None) -> Evidence:
    """Ask everything; raises ConfigError if the router can't be reached, isn't ready or refuses a request."""
    async with reach(url, credentials) as router:
        evidence = Evidence(await router.lanes())
        collector = _Collector(router, plan, evidence, progress)
        await collector.greedy()
        await collector.expectations()
        await collector.draws()
        await collector.texts()
        return evidence


class _Collector:
    """One gate under way; fills its Evidence."""

    def __init__(self, router: Router, plan: Plan, evidence: Evidence, progress: Progress) -> None:
        self._router, self._plan, self._evidence, self._progress = router, plan, evidence, progress
        self._names = [f"{prompt.kind} {number}" for number, prompt in enumerate(plan.prompts, 1)]
        self._slots = asyncio.Semaphore(_AT_ONCE)
        drawn = len(SETTINGS) * sum(prompt.sampled for prompt in plan.prompts) * len(self._chunks())
        self._done, self._total = 0, len(evidence.lanes) * (3 * len(plan.prompts) + drawn)

    async def greedy(self) -> None:
        """Ask every prompt on every lane, one by one and then at once, and find where answers leave the body's."""
        lanes, prompts, body = self._evidence.lanes, self._plan.prompts, self._evidence.body
        alone = await self._alone()
        for index, lane in itertools.product(range(len(prompts)), lanes):
            accepted = alone[index, lane].acceptance
            if accepted is not None and prompts[index].shows_acceptance:
                self._evidence.accepted.setdefault(lane, []).append((prompts[index].kind, accepted))
        jobs = list(itertools.product(range(len(prompts)), lanes))
        mixed = dict(zip(jobs, await _together(self._greedy(*job) for job in jobs), strict=True))
        for how, answers in (("alone", alone), ("mixed", mixed)):
            for (index, lane), answer in answers.items():
                self._evidence.texts.setdefault(lane, []).append(answer.as_text())
                if (lane, how) != (body, "alone"):
                    compared = await self._compare(self._names[index], answer, alone[index, body])
                    self._evidence.compared.setdefault((lane, how), []).append(compared)

    async def expectations(self) -> None:
        """Ask the router's table what each lane should achieve on the prompts that show acceptance."""
        for prompt in self._plan.prompts:
            if prompt.shows_acceptance:
                promised = await self._router.promised(prompt.text)
                for name in self._evidence.lanes:
                    if lane_of(name) in promised:
                        self._evidence.promised.setdefault(name, {})[prompt.kind] = promised[lane_of(name)]

    async def draws(self) -> None:
        """Draw the first tokens after each sampled prompt many times, on all lanes at once."""
        lanes = self._evidence.lanes
        sampled = [number for number, prompt in enumerate(self._plan.prompts) if prompt.sampled]
        for turn, (number, setting) in enumerate(itertools.product(sampled, SETTINGS)):
            body, *others = await _together(self._draw(number, setting, lane, turn) for lane in lanes)
            for lane, drawn in zip(lanes[1:], others, strict=True):
                self._evidence.draws.setdefault(lane, []).extend(
                    Draws(self._names[number], setting, at, _column(body, at), _column(drawn, at)) for at in POSITIONS
                )

    async def texts(self) -> None:
        """Get sampled answers at length, on all lanes at once, for the detectors."""
        jobs = list(itertools.product(self._plan.prompts, self._evidence.lanes))
        answers = await _together(self._sampled(*job) for job in jobs)
        for (_, lane), texts in zip(jobs, answers, strict=True):
            self._evidence.texts.setdefault(lane, []).extend(texts)

    async def _alone(self) -> dict[tuple[int, str], Answer]:
        """Ask every prompt on every lane, each engine one by one: copies are engines of their own."""
        of_engine: dict[str, list[str]] = {}
        for lane in self._evidence.lanes:
            of_engine.setdefault(engine_of(lane), []).append(lane)
        answers: dict[tuple[int, str], Answer] = {}

        async def one_by_one(lanes: list[str]) -> None:
            for index, lane in itertools.product(range(len(self._plan.prompts)), lanes):
                answers[index, lane] = await self._greedy(index, lane)

        await _together(one_by_one(lanes) for lanes in of_engine.values())
        return answers

    async def _greedy(self, index: int, lane: str) -> Answer:
        prompt = self._plan.prompts[index]
        length = (
            {"max_tokens": self._plan.long_tokens, "ignore_eos": True}
            if prompt.long
            else {"max_tokens": self._plan.max_tokens}
        )
        [answer] = await self._ask(lane, prompt, temperature=0, **length)
        return answer

    async def _compare(self, name: str, answer: Answer, body: Answer) -> Compared:
        found = first_difference(answer.tokens, body.tokens)
        if found is None:
            return Compared(name, len(answer.tokens))
        prefix = body.prompt_tokens + body.tokens[: found.position]
        distance = gap(found, await self._router.next_logprobs(self._evidence.body, prefix))
        return Compared(name, found.position, Difference(found.position, found.lane_token, found.body_token, distance))

    async def _draw(self, number: int, setting: str, lane: str, turn: int) -> list[Answer]:
        """Draw; by seeds, if any, that nothing else here uses: shared ones would make comparisons agree."""
        start = self._evidence.lanes.index(lane) * _LANE_SEEDS + turn * self._plan.samples
        prompt, wanted = self._plan.prompts[number], {**SETTINGS[setting], "max_tokens": POSITIONS[-1] + 1}
        answers = await _together(
            self._ask(lane, prompt, n=count, seed=start + first if setting in _SEEDED else None, **wanted)
            for first, count in self._chunks()
        )
        return [answer for chunk in answers for answer in chunk]

    async def _sampled(self, prompt: Prompt, lane: str) -> list[Text]:
        seed = self._evidence.lanes.index(lane) * _LANE_SEEDS
        limit, sampling = self._plan.max_tokens, SETTINGS["cut"]
        answers = await self._ask(lane, prompt, n=_TEXTS, seed=seed, max_tokens=limit, **sampling)
        return [answer.as_text() for answer in answers]

    async def _ask(self, lane: str, prompt: Prompt, **parameters: Any) -> list[Answer]:
        async with self._slots:
            answers = await self._router.ask(lane, prompt.text, **parameters)
        self._done += 1
        self._progress(self._done, self._total)
        return answers

    def _chunks(self) -> list[tuple[int, int]]:
        """Give the first seed and the number of answers of each request for draws; vLLM counts seeds up over `n`."""
        samples = self._plan.samples
        return [(first, min(_CHUNK, samples - first)) for first in range(0, samples, _CHUNK)]


def _column(answers: Sequence[Answer], position: int) -> list[int]:
    return [answer.tokens[position] if position < len(answer.tokens) else _ENDED for answer in answers]


async def _together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all at once; once one has failed, none goes on."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
