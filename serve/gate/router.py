"""Asks a running router, over HTTP: its lanes, what it expects of them, and answers of one lane as token ids.

Every request names its lane, and its engine where the lane has several. An answer of another lane is an error: a gate
that tested a stand-in proved nothing.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from serve.errors import ConfigError
from serve.gate.evidence import BODY, COPY, engine_of, lane_of
from serve.gate.garbage import Text
from serve.proxy import vllm
from serve.routing.outcome import Acceptance

LANE_HEADER = "x-polydraft-lane"
ENGINE_HEADER = "x-polydraft-engine"
_LISTED = 5
"""Tokens whose log probability the body is asked for; vLLM's default limit is 20."""
_TOKEN = "token_id:"  # noqa: S105  how vLLM names a token by its number


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: the prompt's tokens as the engine saw them, its own tokens, its text, and what was accepted."""

    prompt_tokens: tuple[int, ...]
    tokens: tuple[int, ...]
    text: str
    acceptance: Acceptance | None = None

    def as_text(self) -> Text:
        """Give the answer as the detectors take it."""
        return Text(self.tokens, self.text)


class Router:
    """One router; raises ConfigError wherever it doesn't answer as asked."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self._url = url

    async def lanes(self) -> list[str]:
        """Name the lanes, the body first, by each of its engines that is ready where a lane has several.

        Raises ConfigError unless all lanes are ready and the body is among them.
        """
        async with self._client.get(f"{self._url}/readyz") as response:
            answer = vllm.decode(await response.read())
        lanes = answer.get("lanes") if isinstance(answer, dict) else None
        if not isinstance(lanes, dict):
            raise ConfigError(f"{self._url}: isn't a Polydraft router's base URL; write http://127.0.0.1:8000")
        counts = _counts(answer)
        if BODY not in lanes or (len(lanes) < 2 and counts.get(BODY, 1) < 2):
            raise ConfigError(
                f"{self._url}: lanes are {', '.join(lanes)}; the gate compares drafting lanes with lane `{BODY}`"
            )
        missing = [lane for lane, ready in lanes.items() if not ready]
        if missing:
            raise ConfigError(f"{self._url}: lane {', '.join(missing)} isn't ready; wait until every lane is")
        ordered = [BODY, *(lane for lane in lanes if lane != BODY)]
        return [name for lane in ordered for name in (await self._copies(lane) if counts.get(lane, 1) > 1 else [lane])]

    async def _copies(self, lane: str) -> list[str]:
        """Name the engines of a lane that are ready."""
        explained = await self._post("route", {"messages": _chat("Hello")}, lane, told=False)
        return [f"{lane}{COPY}{engine}" for engine, ready in explained["engines"].items() if ready]

    async def promised(self, text: str) -> dict[str, float]:
        """Give the acceptance length that the router's table has for each lane on such a prompt, where it has one."""
        explained = await self._post("route", {"messages": _chat(text)})
        found = {each["lane"]: each["acceptance_length"] for each in explained["candidates"]}
        return {lane: figure for lane, figure in found.items() if figure is not None}

    async def ask(self, lane: str, text: str, **parameters: Any) -> list[Answer]:
        """Chat with a lane; `parameters` go to vLLM as they are, `n` answers come back."""
        payload = {"messages": _chat(text), "return_token_ids": True, **parameters}
        whole = await self._post("chat/completions", payload, lane)
        acceptance = vllm.report(whole).acceptance
        try:
            prompt = tuple(whole["prompt_token_ids"])
            return [
                Answer(prompt, tuple(choice["token_ids"]), _text(choice["message"]), acceptance)
                for choice in whole["choices"]
            ]
        except (KeyError, TypeError) as error:
            raise ConfigError(f"{self._url}: lane {lane} gives no token ids; is its engine vLLM 0.32?") from error

    async def next_logprobs(self, body: str, tokens: tuple[int, ...]) -> dict[int, float]:
        """Ask the body, by its name, for the log probabilities (nats) of its best few tokens after `tokens`."""
        payload = {
            "prompt": tokens,
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": _LISTED,
            "return_tokens_as_token_ids": True,
        }
        whole = await self._post("completions", payload, body)
        try:
            listed = whole["choices"][0]["logprobs"]["top_logprobs"][0]
            return {int(name.removeprefix(_TOKEN)): logprob for name, logprob in listed.items()}
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{self._url}: lane {BODY} gives no log probabilities; does its engine allow 5?"
            ) from error

    async def _post(
        self, path: str, payload: Mapping[str, Any], lane: str | None = None, *, told: bool = True
    ) -> dict[str, Any]:
        """Ask something, of a lane or one of its engines where one is named; `told`: the answer names the lane."""
        headers = {LANE_HEADER: lane_of(lane)} if lane is not None else {}
        if lane is not None and engine_of(lane):
            headers[ENGINE_HEADER] = engine_of(lane)
        async with self._client.post(f"{self._url}/v1/{path}", json=payload, headers=headers) as response:
            raw = await response.read()
        if response.status != 200:
            raise ConfigError(
                f"{self._url}: lane {lane} answered {response.status}: {raw[:200].decode(errors='replace')}"
            )
        if lane is not None and told and response.headers.get(LANE_HEADER) != lane_of(lane):
            raise ConfigError(f"{self._url}: lane {response.headers.get(LANE_HEADER)} answered in place of {lane}")
        answer = vllm.decode(raw)
        if not isinstance(answer, dict):
            raise ConfigError(f"{self._url}: /v1/{path} answered something that isn't JSON")
        return answer


def _counts(readiness: Any) -> dict[str, int]:
    """Say how many engines each lane has."""
    return {lane: each["all"] for lane, each in readiness.get("engines", {}).items()}


@asynccontextmanager
async def reach(url: str, credentials: Mapping[str, str] | None = None) -> AsyncIterator[Router]:
    """Open a router; inside, what goes wrong on the way to it is a ConfigError."""
    # A connection a request: the router closes idle ones, and a request on one that it is just closing would be lost.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    limit = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=limit, connector=connector, headers=credentials) as client:
        try:
            yield Router(client, url)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise ConfigError(f"{url}: isn't a base URL; write http://127.0.0.1:8000") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ConfigError(
                f"{url}: no router answers ({type(error).__name__}); start one (polydraft up cpu) or mend the address"
            ) from error


def _chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _text(message: Mapping[str, Any]) -> str:
    """Join thoughts and answer; vLLM's reasoning parsers take the former out of the content."""
    return (message.get("reasoning") or "") + (message.get("content") or "")
