"""The OpenAPI document: what can be asked here, and what is answered.

Payloads are open objects: the fields that the router itself reads are described, everything else goes to the engine as
it comes, and is vLLM's to describe. Decides nothing, and no request is checked against it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, get_args

from fastapi.routing import APIRoute

from serve import __version__
from serve.errors import in_anthropics_shape
from serve.routing.policy import Reason

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Served:
    """What a router serves: names of models and lanes, and the paths that need no key, None if none needs one."""

    models: Collection[str]
    lanes: Collection[str]
    keyless: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route takes and gives: schemas of its payload and of its answers by status, and its own refusals.

    A `relayed` one is answered by an engine, whose lane the request's header may name.
    """

    answers: dict[int, Json]
    payload: Json | None = None
    refuses: tuple[int, ...] = ()
    parameters: tuple[Json, ...] = ()
    kind: str = "application/json"
    relayed: bool = False
    streams: bool = False


def document(routes: Iterable[APIRoute], served: Served) -> Json:
    """Describe these routes; raises KeyError for one of which nothing is known."""
    known = _operations(served)
    paths: Json = {}
    for route in routes:
        path = route.path.replace(":path", "")
        for method in route.methods or ():
            paths.setdefault(path, {})[method.lower()] = _described(route, path, known[path], served)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Polydraft", "version": __version__, "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": _ERRORS, "securitySchemes": _KEYS},
    }


def _described(route: APIRoute, path: str, known: Operation, served: Served) -> Json:
    keyed = served.keyless is not None and path not in served.keyless
    forced = {"schema": {"enum": [*served.lanes]}, "description": "The lane to use; there is no stand-in for it."}
    headers = {**({"x-polydraft-lane": forced} if known.relayed or path == "/v1/route" else {}), **_CARRIED}
    if known.streams and known.payload:
        headers["x-polydraft-engine"] = _ENGINE
    described: Json = {
        "operationId": route.name,
        "summary": route.description.partition("\n")[0],
        "parameters": [*known.parameters, *({"in": "header", "name": name, **each} for name, each in headers.items())],
        "responses": _responses(path, known, keyed=keyed),
        "security": [{"bearer": []}, {"key": []}] if keyed else [],
    }
    if known.payload:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": known.payload}}}
    return described


def _responses(path: str, known: Operation, *, keyed: bool) -> Json:
    """Give the answers by status: the route's own, its refusals, the engine's, and the door's, which all have."""
    headers = _DECIDED if known.relayed else _NUMBERED
    answers: Json = {}
    for status, schema in known.answers.items():
        content = {known.kind: {"schema": schema}} | ({"text/event-stream": {}} if known.streams else {})
        answers[str(status)] = {"description": _MEANINGS[status], "headers": headers, "content": content}
    refusals = {400, 401 if keyed else 421, 408, 431, 500, 503, *known.refuses}
    refusals |= {413} if known.payload else set()
    refusals |= {429, 502, 504} if known.relayed else set()
    error = {"$ref": "#/components/schemas/" + ("AnthropicError" if in_anthropics_shape(path) else "Error")}
    for status in sorted(refusals - known.answers.keys()):
        answers[str(status)] = _refused(_MEANINGS[status], _RETRIED if status in (429, 503) else _NUMBERED, error)
    if known.relayed:
        answers["4XX"] = _refused("What the engine refuses, in its own words.", _DECIDED, _ANYTHING)
    return answers


def _refused(meaning: str, headers: Json, schema: Json) -> Json:
    return {"description": meaning, "headers": headers, "content": {"application/json": {"schema": schema}}}


def _operations(served: Served) -> dict[str, Operation]:
    chat, prompt, given = (_payload(served, field) for field in ("messages", "prompt", "input"))
    counted = Operation({200: _ANYTHING}, _open({"model": _model(served)}), (404,), relayed=True)
    stored = Operation({200: _ANYTHING}, None, (404,), (_RESPONSE_ID, *_QUERY), relayed=True, streams=True)
    return {
        "/v1/chat/completions": _generating(chat),
        "/v1/completions": _generating(prompt),
        "/v1/responses": _generating(given),
        "/v1/responses/{response_id}": stored,
        "/v1/responses/{response_id}/cancel": Operation(
            {200: _ANYTHING}, None, (404,), (_RESPONSE_ID, *_QUERY), relayed=True
        ),
        "/v1/messages": _generating(chat),
        "/v1/messages/count_tokens": counted,
        "/tokenize": counted,
        "/detokenize": counted,
        "/v1/route": Operation({200: _ROUTE}, _of_any_endpoint(served), (404,)),
        "/v1/models": Operation({200: _closed({"object": {"const": "list"}, "data": _array(_MODEL)})}),
        "/v1/models/{name}": Operation({200: _MODEL}, None, (404,), (_MODEL_NAME,)),
        "/healthz": Operation({200: _closed({"status": {"const": "ok"}})}),
        "/readyz": Operation({200: _READINESS, 503: {"anyOf": [_READINESS, {"$ref": "#/components/schemas/Error"}]}}),
        "/version": Operation({200: _VERSIONS}),
        "/metrics": Operation({200: _TEXT}, kind="text/plain"),
        "/openapi.json": Operation({200: _ANYTHING}),
    }


def _generating(payload: Json) -> Operation:
    return Operation({200: _ANYTHING}, payload, (404,), relayed=True, streams=True)


def _payload(served: Served, field: str) -> Json:
    """Describe a payload that has something generated from this field."""
    shared = {
        "model": _model(served),
        "stream": {**_maybe("boolean"), "description": "Whether the answer comes as server-sent events."},
        "stream_options": {**_maybe("object"), "description": "`include_usage`: whether the usage chunk is wanted."},
        "vllm_xargs": {
            **_maybe("object"),
            "description": "vLLM's own; its `lane` is the router's, and so is `draft_tokens` unless a lane is forced.",
        },
        "temperature": {"description": "Read only to tell whether `min_p` matters."},
        "min_p": {"description": "Honoured by lanes without a drafter alone, unless the temperature is 0."},
        "logit_bias": {"description": "Honoured by lanes without a drafter alone."},
    }
    if field == "input":
        shared["previous_response_id"] = {"description": "A stored response; the engine that holds it answers."}
    return _open({field: _MESSAGES if field == "messages" else _GIVEN, **shared}, field)


def _of_any_endpoint(served: Served) -> Json:
    """Describe a payload whose fields say which endpoint it is meant for: the first of these that is there."""
    fields, kinds = ("messages", "input", "prompt"), []
    for number, field in enumerate(fields):
        others = [{"not": {"required": [before]}} for before in fields[:number]]
        kinds.append({**_payload(served, field), **({"allOf": others} if others else {})})
    return {"oneOf": kinds}


def _model(served: Served) -> Json:
    return {"enum": [*served.models, None], "description": "The model, or the model on a lane."}


def _open(properties: Json, *required: str) -> Json:
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": True}


def _closed(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _maybe(kind: str) -> Json:
    return {"type": [kind, "null"]}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _by_lane(value: Json) -> Json:
    return {"type": "object", "additionalProperties": value}


def _header(description: str, kind: str = "string", **more: Any) -> Json:
    return {"description": description, "schema": {"type": kind, **more}}


_ABOUT = """Each request goes to the speculative-decoding lane that is fastest for its language and task.
Fields that aren't described go to the engine untouched, and answers are the engine's (vLLM's) own bytes.
HEAD is answered wherever GET is. A stream whose engine breaks ends with an error event."""

_ANYTHING: Json = {"type": "object", "additionalProperties": True}
_TEXT: Json = {"type": "string"}
_GIVEN: Json = {"type": ["string", "array"], "minLength": 1, "minItems": 1}
_MESSAGES: Json = {**_array(_open({"role": _TEXT}, "role")), "minItems": 1}
_MODEL = _closed({"id": _TEXT, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": _TEXT})
_COUNT = {"type": "integer", "minimum": 0}
_READINESS = _closed(
    {
        "ready": {"type": "boolean"},
        "lanes": _by_lane({"type": "boolean"}),
        "engines": _by_lane(_closed({"ready": _COUNT, "all": _COUNT})),
    }
)
_BY_NAME = _by_lane(_maybe("string"))
_VERSIONS = _closed({"version": _TEXT, "vllm": _BY_NAME, "engines": _BY_NAME})
_NUMBER, _MAYBE_NUMBER = {"type": "number"}, _maybe("number")

_CANDIDATE = _closed(
    {
        "lane": _TEXT,
        "ready": {"type": "boolean"},
        "engine": _maybe("string"),
        "acceptance_length": _MAYBE_NUMBER,
        "decode_rate": _MAYBE_NUMBER,
    }
)
_ESTIMATE = _closed(
    {"lane": _TEXT}
    | dict.fromkeys(("acceptance_length", "step_time", "decode_rate", "low", "high", "requests"), _MAYBE_NUMBER)
)
_LEARNED = _closed({"lane": _TEXT, "applied": {"type": "boolean"}, "estimates": _array(_ESTIMATE)})
_ROUTE = _closed(
    {
        **dict.fromkeys(("lane", "language", "task", "endpoint"), _TEXT),
        "engine": _maybe("string"),
        "engines": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "thinking": {"type": "boolean"},
        "reason": {"enum": [*get_args(Reason)]},
        "candidates": _array(_CANDIDATE),
        "learned": {"anyOf": [_LEARNED, {"type": "null"}]},
    }
)

_RESPONSE_ID: Json = {"in": "path", "name": "response_id", "required": True, "schema": _TEXT}
_MODEL_NAME: Json = {"in": "path", "name": "name", "required": True, "schema": _TEXT}
_QUERY: tuple[Json, ...] = (
    {"in": "query", "name": "stream", "schema": {}, "description": "Whether the response comes as its events."},
    {"in": "query", "name": "starting_after", "schema": {}, "description": "The number of the last event not wanted."},
)
_ENGINE = _header("One of the forced lane's engines, by host and port; no other stands in for it.")
_CARRIED: Json = {
    "x-request-id": _header("Kept if it is 1 to 64 of `A-Z a-z 0-9 . _ -`, else made."),
    "traceparent": _header("W3C trace context, handed to the engine."),
    "tracestate": _header("Likewise."),
}

_NUMBERED: Json = {"x-request-id": _header("The request's id.")}
_RETRIED: Json = {**_NUMBERED, "retry-after": _header("Seconds to wait, where waiting helps.", "string")}
_DECIDED: Json = {
    **_NUMBERED,
    "x-polydraft-lane": _header("The lane that answered."),
    "x-polydraft-language": _header("The language that the answer was expected in, a BCP-47 tag; `und` if unknown."),
    "x-polydraft-reason": _header("Why this lane.", enum=[*get_args(Reason)]),
}

_MEANINGS = {
    200: "The answer.",
    400: "The payload or the head can't be read, or asks for what can't be had together.",
    401: "No API key that is known here.",
    404: "No such model, lane by name, or response.",
    408: "The request came too slowly.",
    413: "The payload is too large.",
    421: "A router without keys doesn't answer to this host.",
    429: "Every engine has as many requests as it may.",
    431: "The head is too large.",
    500: "A fault of the router.",
    502: "The engine broke before the first byte.",
    503: "No engine is ready, the router stops, or too many connections are open.",
    504: "An engine that took the request fell silent.",
}

_KEYS: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_OPENAIS: Json = {
    "message": _TEXT,
    "type": _TEXT,
    "param": _maybe("string"),
    "code": {"type": ["string", "integer", "null"]},
}
_ERRORS: Json = {
    "Error": _open({"error": _open(_OPENAIS, *_OPENAIS)}, "error"),
    "AnthropicError": _open(
        {"type": {"const": "error"}, "error": _open({"type": _TEXT, "message": _TEXT}, "type", "message")},
        *("type", "error"),
    ),
}
"""As `errors.shaped` writes them; the engine's own come in the same shapes, with a number for a code."""
