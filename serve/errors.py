"""What Polydraft refuses or fails at, each with the status and the words that a client gets.

`shaped` gives them in the shape of the API that a path belongs to, since clients of Anthropic's parse no other.

- PolydraftError
  - ConfigError             a profile or setting that stops the start
  - RequestError            becomes one HTTP answer in OpenAI's error shape
    - InvalidPayload        400
    - UnknownLane           400
    - LaneConflict          400
    - LaneRefuses           400
    - MalformedRequest      400
    - Unauthorized          401
    - UnknownModel          404
    - UnknownEngine         404
    - UnknownPath           404
    - MethodNotAllowed      405
    - RequestTimeout        408
    - PayloadTooLarge       413
    - UnknownHost           421
    - HeadTooLarge          431
    - EngineBusy            429
    - InternalError         500
    - EngineFailed          502
      - EngineErred         502
      - EngineUnreachable   502
    - EngineSilent          504
    - LaneNotReady          503
    - TooManyConnections    503
"""

from typing import Any, ClassVar


class PolydraftError(Exception):
    """Whatever Polydraft raises on purpose."""


class ConfigError(PolydraftError):
    """A profile or setting that can't be used; its text is one line that names the field and the fix."""


class RequestError(PolydraftError):
    """A request that gets no answer from an engine; `str()` of it is the message that the client reads."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"
    code: ClassVar[str | None] = None
    retry_after: int | None = None

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param

    def payload(self) -> dict[str, dict[str, str | None]]:
        """Give the answer's JSON, shaped as OpenAI's error object."""
        return {"error": {"message": str(self), "type": self.type, "param": self.param, "code": self.code}}


class InvalidPayload(RequestError):
    """The payload isn't a request that an engine could answer."""


class UnknownLane(RequestError):
    """The lane that was asked for isn't one of this router's."""

    code = "lane_not_found"


class UnknownEngine(RequestError):
    """The engine that was asked for isn't one of the forced lane's."""

    status = 404
    code = "engine_not_found"


class LaneConflict(RequestError):
    """The header and the model's name ask for different lanes."""

    code = "lane_conflict"


class LaneRefuses(RequestError):
    """The lane that was asked for can't honour a sampling parameter of the payload."""

    code = "lane_refuses"


class MalformedRequest(RequestError):
    """The bytes aren't HTTP as this server reads it, or could be read in two ways."""

    code = "malformed_request"


class Unauthorized(RequestError):
    """The request brings no API key, or one that isn't known here."""

    status = 401
    code = "invalid_api_key"


class UnknownModel(RequestError):
    """The model that was asked for isn't the one served here."""

    status = 404
    code = "model_not_found"


class UnknownPath(RequestError):
    """No such path."""

    status = 404
    code = "path_not_found"


class MethodNotAllowed(RequestError):
    """The path exists, but not with this method."""

    status = 405
    code = "method_not_allowed"


class RequestTimeout(RequestError):
    """The request took longer to arrive than `POLYDRAFT_HEAD_TIMEOUT` or `POLYDRAFT_PAYLOAD_TIMEOUT` allows."""

    status = 408
    code = "request_timeout"


class PayloadTooLarge(RequestError):
    """The payload has more bytes than `POLYDRAFT_MAX_PAYLOAD_BYTES`."""

    status = 413
    code = "payload_too_large"


class UnknownHost(RequestError):
    """The request names a host, or comes from a page, that a router without API keys doesn't serve."""

    status = 421
    code = "unknown_host"


class HeadTooLarge(RequestError):
    """The request's head has more bytes or headers than `POLYDRAFT_MAX_HEAD_BYTES` or `POLYDRAFT_MAX_HEADERS`."""

    status = 431
    code = "head_too_large"


class EngineBusy(RequestError):
    """Every engine that may serve the request has as many as it may, and its line is full."""

    status = 429
    type = "rate_limit_error"
    code = "engine_busy"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InternalError(RequestError):
    """A fault of the router's own; the log has its trace, the client learns only that it happened."""

    status = 500
    type = "server_error"
    code = "internal_error"


class EngineFailed(RequestError):
    """The engine broke the connection or answered with nothing usable before the first byte."""

    status = 502
    type = "server_error"
    code = "engine_failed"


class EngineErred(EngineFailed):
    """The engine answered with an error of its own, or with what no engine answers; the request may be its cause."""


class EngineUnreachable(EngineFailed):
    """No connection to the engine could be made: it never saw the request."""


class EngineSilent(RequestError):
    """The engine took the request and said nothing for as long as it may; another would take as long."""

    status = 504
    type = "server_error"
    code = "engine_silent"


WHEN_READY = "Loading a model takes a minute or more. Try again; /readyz says which lanes serve."
"""What to do where an engine isn't ready."""


class LaneNotReady(RequestError):
    """No engine of a lane that may serve the request is up."""

    status = 503
    type = "server_error"
    code = "lane_not_ready"
    retry_after = 5


class TooManyConnections(RequestError):
    """As many connections as `POLYDRAFT_MAX_CONNECTIONS` are open."""

    status = 503
    type = "server_error"
    code = "too_many_connections"
    retry_after = 1


_ANTHROPIC = "/v1/messages"
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""Anthropic's names by status (docs.anthropic.com, "Errors"); their own 529 is what HTTP calls 503."""


def in_anthropics_shape(path: str) -> bool:
    """Tell whether clients of this path parse errors in Anthropic's shape."""
    return path == _ANTHROPIC or path.startswith(_ANTHROPIC + "/")


def shaped(error: RequestError, path: str) -> dict[str, Any]:
    """Give an error's JSON as clients of this path parse it: Anthropic's at and below /v1/messages, else OpenAI's."""
    if not in_anthropics_shape(path):
        return error.payload()
    kind = _ANTHROPIC_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": str(error)}}
