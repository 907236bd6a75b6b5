"""The HTTP surface: OpenAI's endpoints, the explanation of a choice, health, metrics. Decides and relays nothing."""

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serve import __version__
from serve.admission import Admission
from serve.errors import (
    InternalError,
    InvalidPayload,
    MethodNotAllowed,
    PayloadTooLarge,
    RequestError,
    UnknownModel,
    UnknownPath,
)
from serve.proxy import payload as payloads
from serve.proxy import vllm
from serve.proxy.relay import Job, Relay, Wiring, headers
from serve.routing.cell import Cell, Endpoint
from serve.routing.estimate import Weighing
from serve.routing.outcome import End, Outcome
from serve.routing.policy import Decision

LANE_HEADER = "x-polydraft-lane"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FORWARDED = ("traceparent", "tracestate")

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Service:
    """All that the endpoints work with."""

    admission: Admission
    wiring: Wiring
    registry: CollectorRegistry
    max_payload_bytes: int
    created: int = field(default_factory=lambda: int(time.time()))

    def observe(self, outcome: Outcome) -> None:
        """Tell every observer of one finished request."""
        for observe in self.wiring.observers:
            observe(outcome)

    def ready(self) -> set[str]:
        """Name the lanes whose engine is up."""
        return {lane.name for lane in self.admission.lanes if self.wiring.upstreams[lane.upstream].ready}


def build(service: Service) -> FastAPI:
    """Make the ASGI application; every error leaves it in OpenAI's shape."""
    app = FastAPI(title="Polydraft", version=__version__, openapi_url=None)
    app.state.service = service
    app.include_router(router)
    app.add_exception_handler(RequestError, _on_request_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_fault)
    return app


@router.post("/v1/chat/completions")
async def chat_completions(request: Request) -> Response:
    """Answer a chat."""
    return await _generate(request, "chat")


@router.post("/v1/completions")
async def completions(request: Request) -> Response:
    """Continue a text."""
    return await _generate(request, "completions")


@router.post("/v1/route")
async def route(request: Request) -> Response:
    """Explain where a payload would go, and generate nothing."""
    service = _service(request)
    payload = await _payload(request, service.max_payload_bytes)
    endpoint = payloads.endpoint_of(payload)
    payloads.check(payload, endpoint)
    ready = service.ready()
    cell, by_table = service.admission.decide(payload, endpoint, request.headers.get(LANE_HEADER), ready)
    decision = service.admission.weigh(payload, cell, by_table, ready, explained=True)
    return JSONResponse(_explanation(cell, decision, ready))


@router.get("/v1/models")
async def models(request: Request) -> Response:
    """List the model, and the model on each lane."""
    service = _service(request)
    return JSONResponse({"object": "list", "data": [_model(service, name) for name in service.admission.names()]})


@router.get("/v1/models/{name:path}")
async def model(request: Request, name: str) -> Response:
    """Describe one model name."""
    service = _service(request)
    if name not in service.admission.names():
        raise UnknownModel(f"There is no model {name[:128]!r} here; models are {', '.join(service.admission.names())}.")
    return JSONResponse(_model(service, name))


@router.get("/healthz")
async def healthz() -> Response:
    """Say that the router itself runs."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Say whether at least one lane serves, and which."""
    service = _service(request)
    ready = service.ready()
    lanes = {lane.name: lane.name in ready for lane in service.admission.lanes}
    return JSONResponse({"ready": bool(ready), "lanes": lanes}, status_code=200 if ready else 503)


@router.get("/version")
async def version(request: Request) -> Response:
    """Give the router's version and the vLLM version of each lane's engine, null until it is known."""
    service = _service(request)
    engines = {lane.name: service.wiring.upstreams[lane.upstream].version for lane in service.admission.lanes}
    return JSONResponse({"version": __version__, "vllm": engines})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Give the metrics in Prometheus' text format."""
    return Response(generate_latest(_service(request).registry), media_type=CONTENT_TYPE_LATEST)


async def _generate(request: Request, endpoint: Endpoint) -> Response:
    """Admit a request and hand it to the relay; whatever happens to it, exactly one outcome is observed."""
    service = _service(request)
    arrival = _Arrival(endpoint, service.wiring.clock(), _request_id(request))
    try:
        return Relay(await _admit(request, service, arrival), service.wiring, arrival.started)
    except RequestError as error:
        service.observe(arrival.outcome(service.wiring.clock(), "rejected", error.status))
        return _error(error, headers(arrival.request_id, arrival.cell, arrival.decision))
    except ClientDisconnect:
        service.observe(arrival.outcome(service.wiring.clock(), "aborted", 0))
        return Response(status_code=400)  # nobody reads it


async def _admit(request: Request, service: Service, arrival: "_Arrival") -> Job:
    payload = await _payload(request, service.max_payload_bytes)
    arrival.streamed = payload.get("stream") is True
    payloads.check(payload, arrival.endpoint)
    ready = service.ready()
    header = request.headers.get(LANE_HEADER)
    arrival.cell, by_table = service.admission.decide(payload, arrival.endpoint, header, ready)
    arrival.decision = service.admission.weigh(payload, arrival.cell, by_table, ready)
    return Job(
        request_id=arrival.request_id,
        endpoint=arrival.endpoint,
        cell=arrival.cell,
        decision=arrival.decision,
        lanes=service.admission.route(arrival.decision, ready),
        payload=payload,
        headers=_forwarded(request, arrival.request_id),
        streamed=arrival.streamed,
        wants_usage=vllm.wants_usage(payload),
    )


@dataclass(slots=True)
class _Arrival:
    """What is known of a request before it is admitted."""

    endpoint: Endpoint
    started: float
    request_id: str
    streamed: bool = False
    cell: Cell | None = None
    decision: Decision | None = None

    def outcome(self, now: float, end: End, status: int) -> Outcome:
        return Outcome(
            request_id=self.request_id,
            endpoint=self.endpoint,
            cell=self.cell,
            decision=self.decision,
            drafted=False,
            streamed=self.streamed,
            status=status,
            end=end,
            duration=now - self.started,
        )


async def _payload(request: Request, limit: int) -> payloads.Payload:
    """Read the request's JSON, and stop reading as soon as it is too large.

    Raises PayloadTooLarge or InvalidPayload.
    """
    refusal = PayloadTooLarge(f"The payload is larger than {limit} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise refusal
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise refusal
    if not raw:
        raise InvalidPayload("The request has no payload; send a JSON object.")
    return payloads.parse(bytes(raw))


def _explanation(cell: Cell, decision: Decision, ready: set[str]) -> dict[str, Any]:
    return {
        "lane": decision.lane,
        "language": cell.language,
        "task": cell.task,
        "endpoint": cell.endpoint,
        "thinking": cell.thinking,
        "reason": decision.reason,
        "candidates": [
            {
                "lane": candidate.lane,
                "ready": candidate.lane in ready,
                "acceptance_length": candidate.acceptance_length,
                "decode_rate": candidate.decode_rate,
            }
            for candidate in decision.candidates
        ],
        "learned": decision.weighing and _weighing(decision.weighing),
    }


def _weighing(weighing: Weighing) -> dict[str, Any]:
    """Show the table that the policy that learns decided from; step times are seconds, rates tokens a second."""
    return {
        "lane": weighing.lane,
        "applied": weighing.applied,
        "estimates": [
            {
                "lane": each.lane,
                "acceptance_length": each.acceptance_length,
                "step_time": each.step_time,
                "decode_rate": each.decode_rate,
                "low": each.low,
                "high": each.high,
                "requests": each.requests,
            }
            for each in weighing.estimates
        ],
    }


def _model(service: Service, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": service.created, "owned_by": "polydraft"}


def _request_id(request: Request) -> str:
    """Keep the client's id if it is harmless in a log and a header; make one otherwise."""
    asked = request.headers.get("x-request-id", "")
    return asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex


def _forwarded(request: Request, request_id: str) -> Mapping[str, str]:
    headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
    return {**headers, "x-request-id": request_id}


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _error(error: RequestError, more: Mapping[str, str] | None = None) -> Response:
    retry = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return JSONResponse(error.payload(), status_code=error.status, headers={**retry, **(more or {})})


async def _on_request_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return _error(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return _error(MethodNotAllowed(f"{request.url.path[:128]} doesn't take {request.method}."))
    paths = sorted({path.replace(":path", "") for known in router.routes if (path := getattr(known, "path", ""))})
    return _error(UnknownPath(f"There is no {request.url.path[:128]} here; paths are {', '.join(paths)}."))


async def _on_fault(_: Request, __: Exception) -> Response:
    return _error(InternalError("The router failed; its log says why."))
