"""Sends every prompt to every lane in turn and keeps what came back: tokens, times, acceptance.

Lanes are interleaved prompt by prompt and their order is rotated, so that whatever else slows the machine slows all
of them. One request at a time, greedy, over the chat endpoint, since raw completions skip the chat template and so
flatter drafters.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from serve.bench.prompts import Prompt
from serve.errors import ConfigError
from serve.proxy import sse, vllm
from serve.proxy.dialect import CHAT
from serve.routing import sample
from serve.routing.outcome import Acceptance

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: `rounds` times every prompt to every lane, answers of at most `max_tokens` tokens."""

    prompts: Sequence[Prompt]
    rounds: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: output tokens, seconds from its first to its last event, and what the drafter achieved.

    One that `repeats` went round in circles, which every drafter predicts: it counts for nothing.
    """

    prompt: Prompt
    lane: str
    tokens: int
    seconds: float
    acceptance: Acceptance | None
    repeats: bool = False


async def measure(
    url: str, plan: Plan, progress: Progress, credentials: Mapping[str, str] | None = None
) -> list[Sample]:
    """Measure every lane of the router at `url`; `progress` is told how many of how many requests are done.

    Raises ConfigError if the router can't be reached, isn't ready or refuses a prompt.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600), headers=credentials) as client:
        try:
            lanes = await _lanes(client, url)
            for lane in lanes:  # the first request of an engine warms caches and counts for nothing
                await _ask(client, url, lane, Plan(plan.prompts[:1], 1, 16), plan.prompts[0])
            samples = []
            jobs = list(_jobs(plan, lanes))
            for prompt, lane in jobs:
                samples.append(await _ask(client, url, lane, plan, prompt))
                progress(len(samples), len(jobs))
            return samples
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise ConfigError(f"{url}: isn't a base URL; write http://127.0.0.1:8000") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ConfigError(
                f"{url}: no router answers ({type(error).__name__}); start one (polydraft up cpu) or mend the address"
            ) from error


def _jobs(plan: Plan, lanes: Sequence[str]) -> list[tuple[Prompt, str]]:
    jobs = []
    for number in range(plan.rounds):
        for index, prompt in enumerate(plan.prompts):
            turn = (number + index) % len(lanes)
            jobs += [(prompt, lane) for lane in (*lanes[turn:], *lanes[:turn])]
    return jobs


async def _lanes(client: aiohttp.ClientSession, url: str) -> list[str]:
    async with client.get(f"{url}/readyz") as response:
        answer = vllm.decode(await response.read())
    lanes = answer.get("lanes") if isinstance(answer, dict) else None
    if not isinstance(lanes, dict):
        raise ConfigError(f"{url}: isn't a Polydraft router's base URL; write http://127.0.0.1:8000")
    missing = [lane for lane, ready in lanes.items() if not ready]
    if missing:
        raise ConfigError(f"{url}: lane {', '.join(missing)} isn't ready; wait until every lane is")
    return list(lanes)


async def _ask(client: aiohttp.ClientSession, url: str, lane: str, plan: Plan, prompt: Prompt) -> Sample:
    payload = {
        "messages": [{"role": "user", "content": prompt.text}],
        "max_tokens": plan.max_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    first = last = 0.0
    report, look = vllm.Report(), sample.Sample()
    headers = {"x-polydraft-lane": lane}
    async with client.post(f"{url}/v1/chat/completions", json=payload, headers=headers) as response:
        if response.status != 200:
            raise ConfigError(f"{url}: lane {lane} answered {response.status}: {(await response.text())[:200]}")
        async for event in _events(response):
            if CHAT.is_count(event):
                report = vllm.report(vllm.decode(sse.data(event)))
            elif CHAT.is_error(event):
                raise ConfigError(f"{url}: lane {lane} failed: {sse.data(event)[:200].decode(errors='replace')}")
            elif not CHAT.is_end(event):
                look.add(event)
                last = time.perf_counter()
                first = first or last
    return Sample(prompt, lane, report.completion_tokens or 0, last - first, report.acceptance, look.repeats())


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    splitter = sse.Splitter()
    async for chunk in response.content.iter_any():
        for event in splitter.feed(chunk):
            yield event
