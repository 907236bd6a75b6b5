"""Takes a request in: reads its payload, finds the lanes that may answer, and hands it to the relay.

Whatever happens to a request, exactly one outcome is observed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar
from urllib.parse import urlencode

from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from serve import request_id
from serve.admission import Admission, Asking
from serve.errors import InvalidPayload, PayloadTooLarge, RequestError, UnknownPath, shaped
from serve.exposition import Exposition
from serve.proxy import payload as payloads
from serve.proxy import stored, vllm
from serve.proxy.dialect import PATHS
from serve.proxy.fleet import ENGINE_HEADER, Ready
from serve.proxy.job import Job, Wiring
from serve.proxy.relay import Relay, headers
from serve.routing.cell import Cell, Endpoint
from serve.routing.outcome import Asked, End, Outcome
from serve.routing.policy import Decision
from serve.routing.replicas import UNBOUND, Bond
from serve.tracing import Begin, Trace, passed_on

P = ParamSpec("P")
T = TypeVar("T")

LANE_HEADER = "x-polydraft-lane"
DIRECT: tuple[Endpoint, ...] = ("chat", "completions", "messages")
"""Endpoints whose requests are decided without asking anybody first, so that they can be served below ASGI."""

_LONG = 2**20
"""Bytes beyond which a payload is read and decided in a thread, so that it holds up no stream that runs."""

NOBODY = frozenset[str]()
"""The engines that hold a stored response which there isn't."""

_QUERY = frozenset({"stream", "starting_after"})
"""What vLLM 0.32 and 0.33 read of the query of a stored response; the rest it ignores, so it stays here."""


@dataclass(frozen=True, slots=True)
class Service:
    """All that the endpoints work with."""

    admission: Admission
    wiring: Wiring
    registry: CollectorRegistry
    exposition: Exposition
    max_payload_bytes: int
    begin_trace: Begin = passed_on
    created: int = field(default_factory=lambda: int(time.time()))

    async def holding(self, response_id: object) -> frozenset[str]:
        """Give the base URLs of the engines that hold a stored response; none if it makes no difference."""
        return await stored.holders(self.wiring.fleet.upstreams, response_id)


@dataclass(slots=True)
class Arrival:
    """What is known of a request before it is admitted."""

    service: Service
    method: str
    headers: Mapping[str, str]
    endpoint: Asked
    path: str
    started: float
    request_id: str
    trace: Trace
    raw: bytes = b""
    streamed: bool = False
    cell: Cell | None = None
    decision: Decision | None = None

    def lane(self) -> str | None:
        """The lane that the request's header asks for."""
        return self.headers.get(LANE_HEADER)

    def parsed(self, raw: bytes) -> payloads.Payload:
        """Take the payload; raises InvalidPayload if it can't be read."""
        self.raw = raw
        return parsed(raw)

    def admit(self, payload: payloads.Payload, endpoint: Endpoint, held: frozenset[str] = NOBODY) -> Job:
        """Check and decide a request that has something generated; `held` are the engines that alone can answer it.

        Raises RequestError if it can't be served.
        """
        self.streamed = payload.get("stream") is True
        payloads.check(payload, endpoint)
        admission, fleet = self.service.admission, self.service.wiring.fleet
        bond = fleet.bond(payload, self.request_id, held)
        if engine := self.headers.get(ENGINE_HEADER):
            bond = replace(bond, held=frozenset({fleet.named(self.lane(), engine)}), only=True)
        ready = fleet.ready(bond)
        asked = Asking(self.lane(), fleet.holding(held))
        self.cell, by_table = admission.decide(payload, endpoint, asked, ready)
        self.decision = admission.weigh(payload, self.cell, by_table, ready)
        return self.job(self.decision, ready, payload, bond)

    def admit_any(self, payload: payloads.Payload | None, held: frozenset[str] = NOBODY) -> Job:
        """Decide a request that has nothing generated; raises RequestError if it can't be served."""
        admission, fleet = self.service.admission, self.service.wiring.fleet
        ready = fleet.ready(fleet.bond(None, self.request_id, held))
        model = payload.get("model") if payload else None
        self.decision = admission.decide_any(model, Asking(self.lane(), fleet.holding(held)), ready)
        return self.job(self.decision, ready, payload)

    def job(self, decision: Decision, ready: Ready, payload: payloads.Payload | None, bond: Bond = UNBOUND) -> Job:
        """Say what the relay has to know, now that lane and engine are; raises LaneNotReady if none is ready."""
        named = None if payload is None else payload.get("model")
        lanes = self.service.admission.route(decision, ready, payload)
        return Job(
            request_id=self.request_id,
            endpoint=self.endpoint,
            cell=self.cell,
            decision=decision,
            lanes=lanes,
            engines=ready,
            payload=payload,
            raw=self.raw,
            headers={**self.trace.headers, "x-request-id": self.request_id},
            streamed=self.streamed,
            wants_usage=payload is not None and vllm.wants_usage(payload),
            path=self.path,
            method=self.method,
            model=named if named != self.service.wiring.model else None,
            finished=self.trace.finish,
            bond=bond,
            shortened=lanes[0] not in self.service.admission.lanes,
        )

    def ended(self, end: End, status: int) -> None:
        """Tell every observer of a request that no engine saw."""
        outcome = Outcome(
            request_id=self.request_id,
            endpoint=self.endpoint,
            cell=self.cell,
            decision=self.decision,
            drafted=False,
            streamed=self.streamed,
            status=status,
            end=end,
            duration=self.service.wiring.clock() - self.started,
        )
        for observe in (*self.service.wiring.observers, self.trace.finish):
            observe(outcome)

    def refused(self, error: RequestError) -> Response:
        """Answer with an error, and tell every observer."""
        self.ended("rejected", error.status)
        return refusal(error, self.path, headers(self.request_id, self.cell, self.decision))


def arrive(service: Service, method: str, headers: Mapping[str, str], endpoint: Asked, path: str) -> Arrival:
    """Note that a request has come."""
    started = service.wiring.clock()
    trace = service.begin_trace(endpoint, headers)
    return Arrival(service, method, headers, endpoint, path, started, _request_id(headers), trace)


class Generation:
    """A request that has something generated, and waits for nothing but its payload; served below ASGI."""

    __slots__ = ("_arrival", "_endpoint")

    def __init__(self, service: Service, endpoint: Endpoint, headers: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._arrival = arrive(service, "POST", headers, endpoint, PATHS[endpoint])

    def answer(self, raw: bytes) -> Relay | Response:
        """Answer, since the payload has come."""
        arrival = self._arrival
        try:
            if len(raw) > arrival.service.max_payload_bytes:
                raise _too_large(arrival.service.max_payload_bytes)
            return Relay(arrival.admit(arrival.parsed(raw), self._endpoint), arrival.service.wiring, arrival.started)
        except RequestError as error:
            return arrival.refused(error)

    def left(self) -> None:
        """Note that the client is gone, with some of the payload still to come."""
        self._arrival.ended("aborted", 0)


async def generate(request: Request, endpoint: Endpoint) -> Response:
    """Answer a request that has something generated."""

    async def admit(arrival: Arrival) -> Job:
        raw = await read(request, arrival.service.max_payload_bytes)
        payload = await _aside(raw, arrival.parsed, raw)
        held = NOBODY
        if endpoint == "responses":
            held = await arrival.service.holding(payload.get("previous_response_id"))
        return await _aside(raw, arrival.admit, payload, endpoint, held)

    return await _answer(request, endpoint, PATHS[endpoint], admit)


async def count(request: Request, endpoint: Asked) -> Response:
    """Answer a request about tokens, which any engine answers the same."""

    async def admit(arrival: Arrival) -> Job:
        service = arrival.service
        raw = await read(request, service.max_payload_bytes)
        payload = await _aside(raw, arrival.parsed, raw)
        payloads.check_model(payload)
        return arrival.admit_any(payload)

    return await _answer(request, endpoint, vllm.PLAIN_PATHS[endpoint], admit)


async def reach(request: Request, response_id: str, action: str = "") -> Response:
    """Answer a request about a stored response by the engine that holds it; raises UnknownPath if it can't be one."""
    query = urlencode([(name, value) for name, value in request.query_params.multi_items() if name in _QUERY])
    if not stored.is_id(response_id):
        raise UnknownPath(f"There is no response {response_id[:128]!r} here.")

    async def admit(arrival: Arrival) -> Job:
        arrival.streamed = request.query_params.get("stream", "").lower() in ("1", "true")
        return arrival.admit_any(None, await arrival.service.holding(response_id))

    path = f"{vllm.STORED}{response_id}{action}" + (f"?{query}" if query else "")
    return await _answer(request, "stored", path, admit)


async def _aside(raw: bytes, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Work on a payload, in a thread if it is long."""
    if len(raw) <= _LONG:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


async def _answer(request: Request, endpoint: Asked, path: str, admit: Callable[[Arrival], Awaitable[Job]]) -> Response:
    service: Service = request.app.state.service
    arrival = arrive(service, request.method, request.headers, endpoint, path)
    try:
        return Relay(await admit(arrival), service.wiring, arrival.started)
    except RequestError as error:
        return arrival.refused(error)
    except ClientDisconnect:
        arrival.ended("aborted", 0)
        return Response(status_code=400)  # nobody reads it


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The payload is larger than {limit} bytes.")


async def read(request: Request, limit: int) -> bytes:
    """Read the request's payload; raises PayloadTooLarge as soon as it is more than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise _too_large(limit)
    return bytes(raw)


def parsed(raw: bytes) -> payloads.Payload:
    """Read a payload's JSON; raises InvalidPayload if it can't be, or isn't there."""
    if not raw:
        raise InvalidPayload("The request has no payload; send a JSON object.")
    return payloads.parse(raw)


def refusal(error: RequestError, path: str, more: Mapping[str, str] | None = None) -> Response:
    """Answer with an error, in the shape of the path's API."""
    retry = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return JSONResponse(shaped(error, path), status_code=error.status, headers={**retry, **(more or {})})


def _request_id(headers: Mapping[str, str]) -> str:
    return request_id.chosen(headers.get(request_id.HEADER, ""))
