"""An engine that isn't there: speaks vLLM's dialect over HTTP, with the speed of a box that others have measured.

It knows chat and raw completions, whole and streamed, health, version, models and metrics. What an answer's language
and task are it asks the router's own classification, so that the router's mistakes there don't show.
"""

import contextlib
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from serve.routing.cell import Cell, Endpoint
from serve.routing.lane import Lane
from serve.sim.box import Box
from serve.sim.counts import Counts
from serve.sim.filler import circling, filler
from serve.sim.work import Seats, Work, decode

VERSION = "0.0.simulated"
_BYTES_A_TOKEN = 4  # of a prompt; about right for English
_LONGEST = 4096  # tokens

Classify = Callable[[Mapping[str, Any], Endpoint], Cell]


@dataclass(frozen=True, slots=True)
class Nature:
    """What an engine is: its box, its model's name, how requests are told apart, and who hears of finished answers."""

    box: Box
    model: str
    classify: Classify
    done: Callable[[Work], None]
    rng: random.Random


class Engine:
    """One engine with its lanes; a request says which one by `vllm_xargs`, and without gets the first that drafts."""

    def __init__(self, nature: Nature, lanes: Sequence[Lane], seats: Seats) -> None:
        self._nature, self._lanes, self._seats = nature, {lane.name: lane for lane in lanes}, seats
        self._default = next((lane for lane in lanes if lane.drafts), lanes[0])
        self._counts = Counts(nature.model)

    def application(self) -> web.Application:
        """Give what answers on this engine's address."""
        application = web.Application(client_max_size=64 * 2**20)
        application.add_routes(
            [
                web.get("/health", self._health),
                web.get("/version", self._version),
                web.get("/v1/models", self._models),
                web.get("/metrics", self._metrics),
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/completions", self._completions),
            ]
        )
        return application

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def _models(self, request: web.Request) -> web.Response:
        model = {"id": self._nature.model, "object": "model", "created": 0, "owned_by": "polydraft-sim"}
        return web.json_response({"object": "list", "data": [model]})

    async def _metrics(self, request: web.Request) -> web.Response:
        text = self._counts.exposition(self._seats.running, self._seats.waiting)
        return web.Response(text=text, content_type="text/plain")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "chat")

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "completions")

    async def _answer(self, request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
        raw = await request.read()
        try:
            payload = json.loads(raw)
            work = self._work(payload, endpoint, len(raw))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return _refusal(400, f"the simulated engine can't read this ({type(error).__name__})")
        if payload.get("model") not in (None, self._nature.model):
            return _refusal(404, f"The model `{payload['model']}` does not exist.")
        shape = _Shape(endpoint, self._nature.model, f"sim-{self._nature.rng.getrandbits(64):016x}")
        try:
            if payload.get("stream"):
                return await self._stream(request, payload, work, shape)
            return await self._whole(work, shape)
        finally:
            self._counts.count(work)

    def _work(self, payload: Mapping[str, Any], endpoint: Endpoint, size: int) -> Work:
        nature = self._nature
        asked = payload.get("vllm_xargs") or {}
        lane = self._lanes.get(asked.get("lane", ""), self._default)
        drafts = asked.get("draft_tokens")
        if isinstance(drafts, int) and 0 < drafts < lane.draft_tokens:
            lane = replace(lane, draft_tokens=drafts)
        limit = int(payload.get("max_completion_tokens") or payload.get("max_tokens") or _LONGEST)
        tokens = limit if payload.get("ignore_eos") else min(limit, nature.box.tokens(nature.rng))
        cell = nature.classify(payload, endpoint)
        circling = nature.rng.random() < nature.box.circles(cell)
        return Work(lane, cell, size // _BYTES_A_TOKEN + 1, max(1, min(tokens, _LONGEST)), circling=circling)

    def _said(self, work: Work, tokens: int) -> str:
        """Write the text of the last so many tokens."""
        if work.circling:
            return circling(work.cell.language, work.done - tokens, tokens)
        return filler(work.cell.language, tokens, self._nature.rng)

    async def _whole(self, work: Work, shape: "_Shape") -> web.StreamResponse:
        text = ""
        async with contextlib.aclosing(decode(work, self._nature.box, self._seats, self._nature.rng)) as steps:
            async for tokens in steps:
                text += self._said(work, tokens)
        self._nature.done(work)
        return web.json_response(shape.whole(text, work))

    async def _stream(
        self, request: web.Request, payload: Mapping[str, Any], work: Work, shape: "_Shape"
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        if shape.endpoint == "chat":
            await response.write(_event(shape.opening()))
        async with contextlib.aclosing(decode(work, self._nature.box, self._seats, self._nature.rng)) as steps:
            async for tokens in steps:
                await response.write(_event(shape.chunk(self._said(work, tokens), work)))
        self._nature.done(work)
        if (payload.get("stream_options") or {}).get("include_usage"):
            await response.write(_event(shape.usage(work)))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


@dataclass(frozen=True, slots=True)
class _Shape:
    """How vLLM's answers of one endpoint look."""

    endpoint: Endpoint
    model: str
    id: str

    def opening(self) -> dict[str, Any]:
        """Write the first chunk of a chat's stream, which has the role alone."""
        return self._chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])

    def chunk(self, text: str, work: Work) -> dict[str, Any]:
        """Write what came at one step."""
        ended = "stop" if work.done >= work.tokens else None
        said = {"delta": {"content": text}} if self.endpoint == "chat" else {"text": text}
        return self._chunk([{"index": 0, **said, "logprobs": None, "finish_reason": ended}])

    def usage(self, work: Work) -> dict[str, Any]:
        """Write the chunk that carries counts and metrics."""
        return self._chunk([]) | {"usage": _usage(work), "metrics": work.metrics()}

    def whole(self, text: str, work: Work) -> dict[str, Any]:
        """Write an answer that isn't streamed."""
        said = {"message": {"role": "assistant", "content": text}} if self.endpoint == "chat" else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": "stop"}
        head = self._head("chat.completion" if self.endpoint == "chat" else "text_completion")
        return head | {"choices": [choice], "usage": _usage(work), "metrics": work.metrics()}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self._head("chat.completion.chunk" if self.endpoint == "chat" else "text_completion") | {
            "choices": choices
        }

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": int(time.time()), "model": self.model}


def _usage(work: Work) -> dict[str, int]:
    prompt, done = work.prompt_tokens, work.done
    return {"prompt_tokens": prompt, "completion_tokens": done, "total_tokens": prompt + done}


def _event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _refusal(status: int, message: str) -> web.Response:
    error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return web.json_response({"error": error}, status=status)
