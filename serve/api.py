"""The HTTP surface: OpenAI's and Anthropic's endpoints, the explanation of a choice, health, metrics.

Decides and relays nothing.
"""

from collections.abc import Collection, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from serve import __version__, intake, openapi
from serve.admission import Asking
from serve.errors import InternalError, MethodNotAllowed, RequestError, UnknownModel, UnknownPath
from serve.intake import LANE_HEADER, Service
from serve.proxy import payload as payloads
from serve.routing.cell import Cell
from serve.routing.estimate import Weighing
from serve.routing.lane import engine_name
from serve.routing.policy import Decision

router = APIRouter()
HEADLESS = "polydraft.head"
"""Key of a request's scope: only the answer's head is wanted."""


def build(service: Service, keyless: Collection[str] | None = None) -> FastAPI:
    """Make the ASGI application; every error leaves it in the shape of the path's API.

    `keyless` are the paths that need no key, None if none needs one: its documentation says so, the door sees to it.
    """
    # FastAPI's own document would know nothing of payloads and answers, which pass as they are.
    app = FastAPI(title="Polydraft", version=__version__, openapi_url=None, redirect_slashes=False)
    app.state.service = service
    names, lanes = service.admission.names(), [lane.name for lane in service.admission.lanes]
    app.state.document = openapi.document(routes(), openapi.Served(names, lanes, keyless))
    app.state.draining = False
    app.include_router(router)
    app.add_middleware(_HeadLikeGet)
    app.add_exception_handler(RequestError, _on_request_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_left)
    app.add_exception_handler(Exception, _on_fault)
    return app


class _HeadLikeGet:
    """ASGI middleware: answers HEAD as GET, whose content the server leaves out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        head = scope.get("method") == "HEAD"
        await self._app({**scope, "method": "GET", HEADLESS: True} if head else scope, receive, send)


@router.post("/v1/chat/completions")
async def chat_completions(request: Request) -> Response:
    """Answer a chat."""
    return await intake.generate(request, "chat")


@router.post("/v1/completions")
async def completions(request: Request) -> Response:
    """Continue a text."""
    return await intake.generate(request, "completions")


@router.post("/v1/responses")
async def responses(request: Request) -> Response:
    """Answer in the shape of OpenAI's Responses."""
    return await intake.generate(request, "responses")


@router.get("/v1/responses/{response_id}")
async def stored_response(request: Request, response_id: str) -> Response:
    """Give a response that an engine holds."""
    return await intake.reach(request, response_id)


@router.post("/v1/responses/{response_id}/cancel")
async def cancel_response(request: Request, response_id: str) -> Response:
    """Cancel a response that an engine makes in the background."""
    return await intake.reach(request, response_id, "/cancel")


@router.post("/v1/messages")
async def messages(request: Request) -> Response:
    """Answer in the shape of Anthropic's Messages."""
    return await intake.generate(request, "messages")


@router.post("/v1/messages/count_tokens")
async def count_tokens(request: Request) -> Response:
    """Count the tokens of a message, in Anthropic's shape."""
    return await intake.count(request, "count_tokens")


@router.post("/tokenize")
async def tokenize(request: Request) -> Response:
    """Turn a text or a chat into tokens."""
    return await intake.count(request, "tokenize")


@router.post("/detokenize")
async def detokenize(request: Request) -> Response:
    """Turn tokens into text."""
    return await intake.count(request, "detokenize")


@router.post("/v1/route")
async def route(request: Request) -> Response:
    """Explain where a payload would go, and generate nothing."""
    service = _service(request)
    payload = intake.parsed(await intake.read(request, service.max_payload_bytes))
    endpoint = payloads.endpoint_of(payload)
    payloads.check(payload, endpoint)
    fleet = service.wiring.fleet
    held = await service.holding(payload.get("previous_response_id"))
    ready = fleet.ready(fleet.bond(payload, "", held))
    asked = Asking(request.headers.get(LANE_HEADER), fleet.holding(held))
    cell, by_table = service.admission.decide(payload, endpoint, asked, ready)
    decision = service.admission.weigh(payload, cell, by_table, ready, explained=True)
    engines = {engine_name(each.url): each.ready for each in fleet.engines[decision.lane]}
    return JSONResponse({**_explanation(cell, decision, ready), "engines": engines})


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
    """Say whether at least one lane serves, which, and how many of its engines; one about to stop isn't ready."""
    fleet = _service(request).wiring.fleet
    up = {lane: sum(engine.ready for engine in engines) for lane, engines in fleet.engines.items()}
    ready = any(up.values()) and not request.app.state.draining
    lanes = {lane: engines > 0 for lane, engines in up.items()}
    counts = {lane: {"ready": up[lane], "all": len(engines)} for lane, engines in fleet.engines.items()}
    return JSONResponse({"ready": ready, "lanes": lanes, "engines": counts}, status_code=200 if ready else 503)


@router.get("/version")
async def version(request: Request) -> Response:
    """Give the router's version and the vLLM version of each engine, null until it is known.

    A lane's is null too while its engines have different ones.
    """
    fleet = _service(request).wiring.fleet
    lanes = {lane: _agreed({engine.version for engine in engines}) for lane, engines in fleet.engines.items()}
    engines = {engine_name(url): engine.version for url, engine in fleet.upstreams.items()}
    return JSONResponse({"version": __version__, "vllm": lanes, "engines": engines})


def _agreed(versions: set[str | None]) -> str | None:
    return versions.pop() if len(versions) == 1 else None


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Give the metrics in Prometheus' text format."""
    service = _service(request)
    text = await service.exposition.text()
    return Response(generate_latest(service.registry) + text.encode(), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    """Describe all of this as an OpenAPI document."""
    return JSONResponse(request.app.state.document)


def routes() -> list[APIRoute]:
    """List the routes that the document describes: all there are."""
    return [route for route in router.routes if isinstance(route, APIRoute)]


def _explanation(cell: Cell, decision: Decision, ready: Mapping[str, str]) -> dict[str, Any]:
    return {
        "lane": decision.lane,
        "engine": _named(ready.get(decision.lane)),
        "language": cell.language,
        "task": cell.task,
        "endpoint": cell.endpoint,
        "thinking": cell.thinking,
        "reason": decision.reason,
        "candidates": [
            {
                "lane": candidate.lane,
                "ready": candidate.lane in ready,
                "engine": _named(ready.get(candidate.lane)),
                "acceptance_length": candidate.acceptance_length,
                "decode_rate": candidate.decode_rate,
            }
            for candidate in decision.candidates
        ],
        "learned": decision.weighing and _weighing(decision.weighing),
    }


def _named(engine: str | None) -> str | None:
    return engine and engine_name(engine)


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


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _on_request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return intake.refusal(error, request.url.path)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "").replace("GET", "GET, HEAD")
        return intake.refusal(
            MethodNotAllowed(f"{path[:128]} doesn't take {request.method}."), path, {"allow": allowed}
        )
    paths = sorted(request.app.state.document["paths"])
    return intake.refusal(UnknownPath(f"There is no {path[:128]} here; paths are {', '.join(paths)}."), path)


async def _on_left(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _on_fault(request: Request, _: Exception) -> Response:
    return intake.refusal(InternalError("The router failed; its log says why."), request.url.path)
