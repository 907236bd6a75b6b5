"""Carries one request to an engine and the answer back, byte for byte but for the usage chunk that nobody asked for.

Before the first byte another lane may still stand in; after it nothing can be taken back, so a broken engine ends the
stream with an error event. However it ends, exactly one Outcome is observed. A relay doesn't know which server the
client's connection belongs to: `run` takes any Client, and calling it as an ASGI application is one way to get one.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serve.errors import (
    WHEN_READY,
    EngineBusy,
    EngineErred,
    EngineFailed,
    EngineSilent,
    EngineUnreachable,
    LaneNotReady,
    RequestError,
    shaped,
)
from serve.proxy import answer, vllm
from serve.proxy.answer import Answer
from serve.proxy.client import AsgiClient, Client
from serve.proxy.fingerprint import Stamp
from serve.proxy.job import Job, Wiring
from serve.proxy.progress import Progress
from serve.proxy.upstream import Upstream
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.language import UNDETERMINED
from serve.routing.outcome import Outcome
from serve.routing.policy import Decision
from serve.routing.sample import Sample

_FAREWELL = 1.0
"""Seconds in which a client that reads slowly may take the error that ends its answer when the router stops."""

HEADERS = ("x-polydraft-lane", "x-polydraft-language", "x-polydraft-reason")


class Relay(Response):
    """The response of one job: writes its own head, once an engine has sent some content."""

    def __init__(self, job: Job, wiring: Wiring, started: float) -> None:
        self.background = None  # all that FastAPI asks of a Response, whose constructor makes headers that nobody sends
        self._job, self._wiring = job, wiring
        self._dialect = job.dialect
        self._progress = Progress(started, job.lanes[0], job.decision)
        self._answer: Answer | None = None
        self._pinger: asyncio.TimerHandle | None = None
        self._observed = False
        self._sample: Sample | None = None
        self._expected: Upstream | None = wiring.fleet.upstreams[job.engines[job.lanes[0].name]]
        self._expected.slots.promise(1)  # requests that come in the same moment are to see each other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer through an ASGI server, or stop at once when the client leaves."""
        client = AsgiClient(send, self)
        work = asyncio.create_task(self.run(client))
        work.add_done_callback(lambda _: client.close())
        tasks = (work, asyncio.create_task(client.pump()), asyncio.create_task(_until_disconnect(receive)))
        try:
            await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
            client.gone = tasks[2].done()
        except asyncio.CancelledError:  # the router stops, now: what the client is still to hear goes out at once
            work.cancel()
            if not self._observed:
                self.cancelled(client)
            await asyncio.wait([tasks[1]], timeout=_FAREWELL)
            return
        finally:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not work.cancelled():
            work.result()

    async def run(self, client: Client) -> None:
        """Answer a client. Cancelling it, because the client left, closes the engine's connection."""
        self._arm(client, self._progress.started)
        try:
            await self._work(client)
        except asyncio.CancelledError:
            self._progress.end = "aborted" if client.gone else "failed"
            self._release()
            raise
        finally:
            if self._pinger:
                self._pinger.cancel()
            self._answer = self._pinger = None  # both know the client, which knows us: a circle is freed late
            if not self._observed:
                self._observe()

    def cancelled(self, client: Client) -> None:
        """Finish what a cancelled `run` couldn't: a client that is still there learns that the router stops."""
        if not self._observed:  # cancelled before it began, or not yet aware of it
            self._progress.end = "aborted" if client.gone else "failed"
            self._observe()
        if not client.gone:
            self._release()
            self._fail(client, LaneNotReady("The router stopped before the answer was complete; try again."))

    def pause(self) -> None:
        """Hold the engine back: the client reads more slowly than it writes."""
        if self._answer and self._answer.source:
            self._answer.source.pause()

    def resume(self) -> None:
        """Let the engine go on."""
        if self._answer and self._answer.source:
            self._answer.source.resume()

    async def _work(self, client: Client) -> None:
        """Try engines until one answers: a lane's own, then the next lane's. One that broke is followed by one at most.

        For the request itself may be what breaks them.
        """
        failure: RequestError = LaneNotReady(f"No engine is ready. {WHEN_READY}")
        blamed: list[Upstream] = []
        for lane, upstream in self._tries():
            self._turn_to(lane, upstream)
            try:
                await self._serve(lane, upstream, client)
                for broken in blamed:  # another engine answers what it answered with an error
                    broken.erred()
                return
            except EngineErred as error:
                failure = error
                blamed.append(upstream)
            except LaneNotReady as error:  # where another lane only is full, that is what the client should hear
                failure = failure if isinstance(failure, EngineBusy) else error
            except (EngineBusy, EngineFailed, EngineSilent) as error:
                failure = error
            if self._progress.sent or not self._may_go_on(failure):
                break
        self._release()
        self._fail(client, failure)

    def _tries(self) -> Iterator[tuple[Lane, Upstream]]:
        """Give every engine of every lane that may answer, in the order in which to try them."""
        engines = self._job.engines
        for lane in self._job.lanes:
            for upstream in self._wiring.fleet.tries(lane.name, engines[lane.name], only=self._job.bond.only):
                yield lane, upstream

    def _may_go_on(self, failure: RequestError) -> bool:
        if isinstance(failure, EngineFailed) and not isinstance(failure, EngineUnreachable):
            self._progress.broken += 1
        return not isinstance(failure, EngineSilent) and self._progress.broken < 2

    def _release(self) -> None:
        if self._answer:
            self._answer.release()

    def _fail(self, client: Client, failure: RequestError) -> None:
        progress = self._progress
        if client.started:
            if progress.done or progress.error:  # whatever broke then, the client has all that there is
                progress.end = progress.error or "complete"
            else:
                client.write(self._dialect.failure(failure, progress.events))
            return client.end()
        progress.status = failure.status
        raw = json.dumps(shaped(failure, self._job.path)).encode()
        retry = [] if failure.retry_after is None else [(b"retry-after", b"%d" % failure.retry_after)]
        head = [(b"content-type", b"application/json"), *retry, *self._named()]
        client.start(failure.status, head, len(raw))
        client.write(raw)
        return client.end()

    def _turn_to(self, lane: Lane, upstream: Upstream) -> None:
        """Note that this lane serves now; any lane but the decided one is a fallback."""
        progress = self._progress
        progress.lane, progress.engine = lane, upstream.url
        self._wiring.fleet.follow(self._job.bond, upstream.url)
        if lane.name != self._job.decision.lane:
            progress.decision = replace(self._job.decision, lane=lane.name, reason="fallback")

    async def _serve(self, lane: Lane, upstream: Upstream, client: Client) -> None:
        """Have an engine answer; raises what makes the next one try, or what ends a stream that has begun."""
        job, wiring = self._job, self._wiring
        payload = None
        if job.payload is not None:
            shared = upstream.url in wiring.fleet.shared
            payload = vllm.prepare(job.payload, job.raw, job.endpoint, wiring.model, lane, shared=shared)
        self._arrived()
        taken = await upstream.slots.take(partial(wiring.waits, lane.name, upstream.url))
        try:
            if not upstream.ready:  # it may have failed while the request stood in line
                raise LaneNotReady(f"The engine isn't ready any more. {WHEN_READY}")
            with wiring.track(lane.name, upstream.url):
                self._answer = self._receiver(client, upstream)
                await upstream.send(job.method, job.path, payload, job.headers, self._answer, streamed=job.streamed)
                self._answer.finish()
        finally:
            upstream.slots.give_back(taken)

    def _arrived(self) -> None:
        """Note that the engine that was to get the request has it now, or never will."""
        if self._expected:
            self._expected.slots.promise(-1)
            self._expected = None

    def _receiver(self, client: Client, upstream: Upstream) -> Answer:
        job = self._job
        as_asked = job.wants_usage or self._dialect.counts
        self._sample = Sample() if self._wiring.sampled and job.cell is not None else None
        return Answer(
            client,
            self._progress,
            self._dialect,
            self._wiring.clock,
            self._named,
            model=job.model,
            stamp=None if as_asked else Stamp(upstream.fingerprint),
            sample=self._sample,
        )

    def _arm(self, client: Client, last: float) -> None:
        """Set the timer that looks whether the client has to be shown that its stream is alive."""
        if self._job.streamed and self._wiring.ping:
            wait = last + self._wiring.ping - self._wiring.clock()
            self._pinger = asyncio.get_running_loop().call_later(max(0, wait), self._ping, client, last)

    def _ping(self, client: Client, last: float) -> None:
        now = self._wiring.clock()
        written = max(last, self._progress.last or 0)
        if written + self._wiring.ping <= now:
            written = now
            if not client.paused:
                self._progress.status = self._progress.status or 200
                answer.ping(client, self._named())
        self._arm(client, written)

    def _named(self) -> list[tuple[bytes, bytes]]:
        named = headers(self._job.request_id, self._job.cell, self._progress.decision)
        return [(name.encode(), value.encode()) for name, value in named.items()]

    def _observe(self) -> None:
        self._observed = True
        self._arrived()
        outcome = _outcome(self._job, self._progress, self._wiring.clock(), self._sample)
        for observe in (*self._wiring.observers, *filter(None, [self._job.finished])):
            observe(outcome)


def _outcome(job: Job, progress: Progress, now: float, sample: Sample | None) -> Outcome:
    report = progress.report
    return Outcome(
        request_id=job.request_id,
        endpoint=job.endpoint,
        cell=job.cell,
        decision=progress.decision,
        drafted=progress.lane.drafts and job.cell is not None,
        streamed=job.streamed,
        status=progress.status or (500 if progress.end == "failed" else 0),
        end=progress.end,
        duration=now - progress.started,
        time_to_first_token=report.time_to_first_token if progress.first is None else progress.first - progress.started,
        decode_rate=progress.decode_rate(),
        generation_time=report.generation_time,
        prompt_tokens=report.prompt_tokens,
        completion_tokens=report.completion_tokens,
        acceptance=report.acceptance if progress.lane.drafts else None,
        sample=sample,
        engine=progress.engine,
        shortened=job.shortened,
    )


def headers(request_id: str, cell: Cell | None, decision: Decision | None) -> dict[str, str]:
    """Give the headers that say who answered a request and why, as far as that is known."""
    named = {"x-request-id": request_id}
    if decision:
        language = cell.language if cell else UNDETERMINED
        named |= dict(zip(HEADERS, (decision.lane, language, decision.reason), strict=True))
    return named


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
