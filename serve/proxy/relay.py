"""Carries one request to an engine and the answer back, byte for byte but for the usage chunk that nobody asked for.

Before the first byte another lane may still stand in; after it nothing can be taken back, so a broken engine ends the
stream with an error event. However it ends, exactly one Outcome is observed.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from serve.errors import EngineFailed, EngineSilent, LaneNotReady, RequestError
from serve.proxy import sse, vllm
from serve.proxy.upstream import Answer, Upstream
from serve.routing.cell import Cell, Endpoint
from serve.routing.lane import Lane
from serve.routing.outcome import End, Outcome
from serve.routing.policy import Decision

Observe = Callable[[Outcome], None]
Track = Callable[[str], AbstractContextManager[None]]
Clock = Callable[[], float]

HEADERS = ("x-polydraft-lane", "x-polydraft-language", "x-polydraft-reason")


@dataclass(frozen=True, slots=True)
class Job:
    """One admitted request: where it may go, preferred lane first, and what the relay has to know of it."""

    request_id: str
    endpoint: Endpoint
    cell: Cell
    decision: Decision
    lanes: tuple[Lane, ...]
    payload: Mapping[str, Any]
    headers: Mapping[str, str]
    streamed: bool
    wants_usage: bool


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a relay works with: engines by base URL, the model's name there, observers, and the clock (seconds)."""

    model: str
    upstreams: Mapping[str, Upstream]
    shared: frozenset[str]
    observers: Sequence[Observe]
    track: Track
    clock: Clock


@dataclass(slots=True)
class Progress:
    """What is known of a request so far; becomes its Outcome."""

    started: float
    lane: Lane
    decision: Decision
    status: int = 0
    end: End = "failed"
    error: End | None = None
    done: bool = False
    first: float | None = None
    last: float | None = None
    report: vllm.Report = field(default_factory=vllm.Report)


class Relay(Response):
    """The response of one job: an ASGI application that writes its own head, once an engine has sent one."""

    def __init__(self, job: Job, wiring: Wiring, started: float) -> None:
        super().__init__()
        self._job = job
        self._wiring = wiring
        self._progress = Progress(started, job.lanes[0], job.decision)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or stop at once when the client leaves; cancelling closes the engine's connection."""
        work = asyncio.create_task(self._work(send))
        left = asyncio.create_task(_until_disconnect(receive))
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._progress.end = "aborted"
        finally:
            for task in (work, left):
                task.cancel()
            await asyncio.gather(work, left, return_exceptions=True)
            self._observe()
        if not work.cancelled():
            work.result()

    async def _work(self, send: Send) -> None:
        failure: RequestError = LaneNotReady("No engine is ready; try again in a few seconds.")
        for lane in self._job.lanes:
            self._turn_to(lane)
            try:
                await self._serve(lane, send)
                return
            except (EngineFailed, LaneNotReady) as error:
                failure = error
            except EngineSilent as error:
                failure = error
                break
        self._progress.status = failure.status
        await send_error(send, failure, self._response_headers())

    def _turn_to(self, lane: Lane) -> None:
        """Note that this lane serves now; any lane but the decided one is a fallback."""
        progress = self._progress
        progress.lane = lane
        if lane.name != self._job.decision.lane:
            progress.decision = replace(self._job.decision, lane=lane.name, reason="fallback")

    async def _serve(self, lane: Lane, send: Send) -> None:
        job, wiring = self._job, self._wiring
        payload = vllm.prepare(job.payload, wiring.model, lane, shared=lane.upstream in wiring.shared)
        upstream = wiring.upstreams[lane.upstream]
        with wiring.track(lane.name):
            async with upstream.open(vllm.PATHS[job.endpoint], payload, job.headers, streamed=job.streamed) as answer:
                _refuse_unusable(answer)
                await (self._stream(answer, send) if answer.streams else self._whole(answer, send))

    async def _whole(self, answer: Answer, send: Send) -> None:
        raw = await answer.read()
        retry = [] if answer.retry_after is None else [(b"retry-after", answer.retry_after.encode("latin-1"))]
        await self._start(answer, send, [(b"content-length", str(len(raw)).encode()), *retry])
        await send({"type": "http.response.body", "body": raw})
        progress = self._progress
        progress.report = vllm.report(vllm.decode(raw))
        progress.end = "complete" if answer.status < 400 else "refused"

    async def _stream(self, answer: Answer, send: Send) -> None:
        await self._start(answer, send, [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")])
        progress = self._progress
        try:
            async for block in self._events(answer):
                await send({"type": "http.response.body", "body": block, "more_body": True})
            if not progress.done:
                raise EngineFailed("The engine ended its stream before it was complete.")
            progress.end = progress.error or "complete"
        except (EngineFailed, EngineSilent) as error:
            event = sse.ERROR % json.dumps(error.payload()).encode()
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self, answer: Answer) -> AsyncIterator[bytes]:
        """Give what may go to the client, a block for each chunk that completes an event."""
        splitter = sse.Splitter()
        async for chunk in answer.chunks():
            events = [event for event in splitter.feed(chunk) if self._passes(event)]
            if events:
                yield b"".join(events)
        # Half an event is of no use to anybody, and would swallow the error event that follows it.
        if vllm.is_end(rest := splitter.rest()) and self._passes(rest):
            yield rest

    def _passes(self, event: bytes) -> bool:
        """Read the clock for an event with output, the report off the usage chunk; tell whether the client gets it."""
        progress = self._progress
        if vllm.is_usage_chunk(event):
            progress.report = vllm.report(vllm.decode(sse.data(event)))
            return self._job.wants_usage
        if vllm.is_end(event):
            progress.done = True
        elif vllm.is_error(event):
            progress.error = "failed" if progress.first else "refused"
        else:
            progress.last = self._wiring.clock()
            progress.first = progress.first or progress.last
        return True

    async def _start(self, answer: Answer, send: Send, extra: Sequence[tuple[bytes, bytes]]) -> None:
        self._progress.status = answer.status
        head = [(b"content-type", answer.content_type.encode("latin-1")), *extra, *self._response_headers()]
        await send({"type": "http.response.start", "status": answer.status, "headers": head})

    def _response_headers(self) -> list[tuple[bytes, bytes]]:
        named = headers(self._job.request_id, self._job.cell, self._progress.decision)
        return [(name.encode(), value.encode()) for name, value in named.items()]

    def _observe(self) -> None:
        outcome = _outcome(self._job, self._progress, self._wiring.clock())
        for observe in self._wiring.observers:
            observe(outcome)


def _refuse_unusable(answer: Answer) -> None:
    """Raise what makes another lane stand in: nothing of such an answer has reached the client yet."""
    if answer.status == 503:
        raise LaneNotReady("The engine isn't ready; try again in a few seconds.")
    if answer.status >= 500 or 300 <= answer.status < 400:
        raise EngineFailed(f"The engine answered with status {answer.status}.")


def _outcome(job: Job, progress: Progress, now: float) -> Outcome:
    report = progress.report
    return Outcome(
        request_id=job.request_id,
        endpoint=job.endpoint,
        cell=job.cell,
        decision=progress.decision,
        drafted=progress.lane.drafts,
        streamed=job.streamed,
        status=progress.status or (500 if progress.end == "failed" else 0),
        end=progress.end,
        duration=now - progress.started,
        time_to_first_token=report.time_to_first_token if progress.first is None else progress.first - progress.started,
        decode_rate=_decode_rate(progress),
        generation_time=report.generation_time,
        prompt_tokens=report.prompt_tokens,
        completion_tokens=report.completion_tokens,
        acceptance=report.acceptance if progress.lane.drafts else None,
    )


def _decode_rate(progress: Progress) -> float | None:
    """Output tokens per second after the first: by our own clock on streams, by the engine's on whole answers."""
    tokens = progress.report.completion_tokens
    if progress.first is not None and progress.last is not None:
        spent: float | None = progress.last - progress.first
    else:
        spent = progress.report.generation_time
    return (tokens - 1) / spent if tokens and tokens > 1 and spent else None


def headers(request_id: str, cell: Cell | None, decision: Decision | None) -> dict[str, str]:
    """Give the headers that say who answered a request and why, as far as that is known."""
    named = {"x-request-id": request_id}
    if cell and decision:
        named |= dict(zip(HEADERS, (decision.lane, cell.language, decision.reason), strict=True))
    return named


async def send_error(send: Send, error: RequestError, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Answer with an error in OpenAI's shape."""
    raw = json.dumps(error.payload()).encode()
    retry = [] if error.retry_after is None else [(b"retry-after", str(error.retry_after).encode())]
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode()), *retry]
    start: Message = {"type": "http.response.start", "status": error.status, "headers": [*fixed, *more]}
    await send(start)
    await send({"type": "http.response.body", "body": raw})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
