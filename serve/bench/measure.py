"""Carries a plan out on a router that runs, and keeps what it has whatever ends it. Writes nothing, judges nothing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import aiohttp

from serve.bench.client import Refused, Router
from serve.bench.figures import drafts
from serve.bench.plan import Plan, Setting, Stretch, Way, stretches
from serve.bench.prompts import Prompt
from serve.bench.sample import Sample, fault
from serve.errors import ConfigError
from serve.routing.language import Identify

Progress = Callable[[int, int], None]

End = Literal["complete", "interrupted", "failed"]
"""complete: all was sent; interrupted: told to stop; failed: router or engine broke."""

_TIMEOUT = aiohttp.ClientTimeout(total=3600, sock_connect=10)
_WARMING = 16  # tokens of an answer that counts for nothing
_CHECK = 8  # tokens of one that tells whether a lane can be had


@dataclass(slots=True)
class Run:
    """What came of a measurement: samples, how many answers were discarded as warm-up, how it ended and why.

    `refused` are the ways that the router couldn't be measured in, with its words; `cells` is the language and task
    that the router takes each prompt for; `versions` what it says of itself and its engines.
    """

    samples: list[Sample] = field(default_factory=list)
    warm_up: int = 0
    end: End = "complete"
    why: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    cells: dict[str, tuple[str, str]] = field(default_factory=dict)
    versions: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class _Work:
    """A run that goes on: how many requests are done of all, and how often each prompt was asked in each way."""

    run: Run
    plan: Plan
    identify: Identify
    progress: Progress
    total: int = 0
    done: int = 0
    turns: Counter[tuple[Setting, Way, str]] = field(default_factory=Counter)


async def measure(
    url: str, plan: Plan, identify: Identify, progress: Progress, credentials: Mapping[str, str] | None = None
) -> Run:
    """Measure every lane of the router at `url`; `progress` is told how many of how many requests are done.

    Cancelled, or with the router gone, it gives what it has, if that is anything. Raises ConfigError if the router
    can't be reached, isn't ready or refuses a prompt, before there is.
    """
    run = Run()
    work = _Work(run, plan, identify, progress)
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=credentials) as session:
            await _run(Router(session, url), work)
    except asyncio.CancelledError:
        if not run.samples:
            raise
        run.end, run.why = "interrupted", "it was told to stop"
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise ConfigError(f"{url}: isn't a base URL; write http://127.0.0.1:8000") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        told = f"{url}: no router answers ({type(error).__name__}); start one (polydraft up cpu) or mend the address"
        if not run.samples:
            raise ConfigError(told) from error
        run.end, run.why = "failed", told
    except ConfigError as error:
        if not run.samples:
            raise
        run.end, run.why = "failed", str(error)
    return run


async def _run(router: Router, work: _Work) -> None:
    lanes = await router.lanes()
    work.run.versions = await router.versions()
    for prompt in work.plan.prompts:
        work.run.cells[prompt.text] = await router.cell(prompt.text)
    ways = await _ways(router, work, lanes)
    sent = list(stretches(work.plan, ways))
    work.total = sum(len(stretch.prompts) for stretch in sent)
    for stretch in sent:
        await _stretch(router, work, stretch)


async def _ways(router: Router, work: _Work, lanes: Sequence[str]) -> list[Way]:
    """List the lanes, and with them each draft length that the router lets a lane with a drafter be measured with."""
    found, text = [], work.plan.prompts[0].text
    for lane in lanes:
        found.append(Way(lane))
        if not work.plan.draft_tokens:
            continue
        acceptance = (await router.ask(text, Way(lane), "chat", _CHECK)).acceptance
        work.run.warm_up += 1
        own = drafts([acceptance]) if acceptance else 0
        for number in sorted(set(work.plan.draft_tokens) - {own}) if own else ():
            if await _can(router, work, Way(lane, number), text):
                found.append(Way(lane, number))
    return found


async def _can(router: Router, work: _Work, way: Way, text: str) -> bool:
    """Ask whether a lane can be had with a draft length; notes the router's words if not."""
    try:
        await router.ask(text, way, "chat", _CHECK)
    except Refused as error:
        if error.param != "vllm_xargs":
            raise
        work.run.refused[way.name] = error.words
        return False
    work.run.warm_up += 1
    return True


async def _stretch(router: Router, work: _Work, stretch: Stretch) -> None:
    """Send a stretch's prompts, as many at once as its setting says, and wait for all."""
    left = list(reversed(stretch.prompts))

    async def send() -> None:
        while left:
            await _one(router, work, stretch, left.pop())

    workers = [asyncio.create_task(send()) for _ in range(stretch.setting.concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _one(router: Router, work: _Work, stretch: Stretch, prompt: Prompt) -> None:
    way, setting, limit = stretch.way, stretch.setting, work.plan.max_tokens
    answer = await router.ask(prompt.text, way, setting.endpoint, min(limit, _WARMING) if stretch.warm_up else limit)
    work.done += 1
    if stretch.warm_up:
        work.run.warm_up += 1
    else:
        asked = setting, way, prompt.text
        work.run.samples.append(
            Sample(
                prompt=prompt,
                way=way,
                setting=setting,
                turn=work.turns[asked],
                tokens=answer.tokens,
                seconds=answer.seconds,
                first=answer.first,
                acceptance=answer.acceptance,
                fault=fault(answer, prompt, work.identify),
            )
        )
        work.turns[asked] += 1
    work.progress(work.done, work.total)
