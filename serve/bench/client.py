"""Asks a router for what a measurement needs of it, one request at a time. Judges nothing but whether it answered."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from serve.bench.plan import Endpoint, Way
from serve.errors import ConfigError
from serve.proxy import sse, vllm
from serve.proxy.dialect import DIALECTS
from serve.routing.outcome import Acceptance


class Refused(ConfigError):
    """The router answered a request with an error: its words, and the parameter that it names, if any."""

    def __init__(self, asked: str, words: str, param: str | None = None) -> None:
        super().__init__(f"{asked}: {words}")
        self.words, self.param = words, param


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: text, tokens, seconds to the first and from the first to the last, the engine's report.

    `thought` is what the model wrote before it answered. Times are the engine's own where it tells them, since a busy
    client stretches ours.
    """

    text: str
    thought: str
    tokens: int
    seconds: float
    first: float | None
    acceptance: Acceptance | None


@dataclass(frozen=True, slots=True)
class Router:
    """A router that runs, and the session to reach it by."""

    session: aiohttp.ClientSession
    url: str

    async def lanes(self) -> list[str]:
        """Name its lanes; raises ConfigError unless it is a router with all of them ready."""
        answer = await self._get("/readyz")
        lanes = answer.get("lanes") if isinstance(answer, dict) else None
        if not isinstance(lanes, dict):
            raise ConfigError(f"{self.url}: isn't a Polydraft router's base URL; write http://127.0.0.1:8000")
        missing = [lane for lane, ready in lanes.items() if not ready]
        if missing:
            raise ConfigError(f"{self.url}: lane {', '.join(missing)} isn't ready; wait until every lane is")
        return list(lanes)

    async def versions(self) -> dict[str, object]:
        """Give the router's version, and that of each lane's vLLM."""
        answer = await self._get("/version")
        return answer if isinstance(answer, dict) else {}

    async def cell(self, text: str) -> tuple[str, str]:
        """Give the language and the task that the router takes a prompt for."""
        payload = {"messages": [{"role": "user", "content": text}]}
        async with self.session.post(f"{self.url}/v1/route", json=payload) as response:
            answer = await self._read_whole(response)
        if not isinstance(answer, dict) or not all(isinstance(answer.get(key), str) for key in ("language", "task")):
            raise ConfigError(f"{self.url}: doesn't say what it takes a prompt for (/v1/route)")
        return answer["language"], answer["task"]

    async def ask(self, text: str, way: Way, endpoint: Endpoint, max_tokens: int) -> Answer:
        """Have a prompt answered, greedily; raises Refused if it isn't."""
        said = {"messages": [{"role": "user", "content": text}]} if endpoint == "chat" else {"prompt": text}
        drafts = {} if way.draft_tokens is None else {"vllm_xargs": {"draft_tokens": way.draft_tokens}}
        options = {
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        path, headers = DIALECTS[endpoint].path, {"x-polydraft-lane": way.lane}
        began = time.perf_counter()
        async with self.session.post(
            f"{self.url}{path}", json={**said, **options, **drafts}, headers=headers
        ) as response:
            if response.status != 200:
                raise _refused(self.url, f"lane {way.name}", response.status, await response.read())
            return await self._read(response, way, endpoint, began)

    async def _read(self, response: aiohttp.ClientResponse, way: Way, endpoint: Endpoint, began: float) -> Answer:
        dialect, report, texts = DIALECTS[endpoint], vllm.Report(), [("", "")]
        first = last = 0.0
        async for event in _events(response):
            if dialect.is_count(event):
                report = vllm.report(vllm.decode(sse.data(event)))
            elif dialect.is_error(event):
                raise Refused(f"{self.url}: lane {way.name} failed", _shown(sse.data(event)))
            elif not dialect.is_end(event):
                texts.append(_texts(vllm.decode(sse.data(event)), endpoint))
                last = time.perf_counter()
                first = first or last
        seconds = report.generation_time if report.generation_time is not None else last - first
        waited = report.time_to_first_token if report.time_to_first_token is not None else first - began
        text, thought = map("".join, zip(*texts, strict=True))
        return Answer(text, thought, report.completion_tokens or 0, seconds, waited, report.acceptance)

    async def _get(self, path: str) -> object:
        async with self.session.get(f"{self.url}{path}") as response:
            return await self._read_whole(response)

    async def _read_whole(self, response: aiohttp.ClientResponse) -> object:
        """Read an answer about the router itself; one that isn't ready says so with a 503, and which lanes are."""
        raw = await response.read()
        if response.status not in (200, 503):
            raise _refused(self.url, response.url.path, response.status, raw)
        return vllm.decode(raw)


def _texts(chunk: object, endpoint: Endpoint) -> tuple[str, str]:
    """Take what a chunk adds to the answer, and to the thought before it."""
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    said = choice.get("delta") if endpoint == "chat" and isinstance(choice, dict) else choice
    if not isinstance(said, dict):
        return "", ""
    thought = said.get("reasoning") or said.get("reasoning_content")
    answered = said.get("content" if endpoint == "chat" else "text")
    return tuple(part if isinstance(part, str) else "" for part in (answered, thought))  # type: ignore[return-value]


def _refused(url: str, asked: str, status: int, raw: bytes) -> Refused:
    answer = vllm.decode(raw)
    error = answer.get("error") if isinstance(answer, dict) else None
    told = error if isinstance(error, dict) else {}
    words, param = told.get("message"), told.get("param")
    return Refused(
        f"{url}: {asked} answered {status}",
        words if isinstance(words, str) else _shown(raw),
        param if isinstance(param, str) else None,
    )


def _shown(raw: bytes) -> str:
    return raw[:200].decode(errors="replace")


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    splitter = sse.Splitter()
    async for chunk in response.content.iter_any():
        for event in splitter.feed(chunk):
            yield event
