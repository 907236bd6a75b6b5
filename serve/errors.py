"""What Polydraft refuses or fails at, each with the status and the words that a client gets.

- PolydraftError
  - ConfigError             a profile or setting that stops the start
  - RequestError            becomes one HTTP answer in OpenAI's error shape
    - InvalidPayload        400
    - UnknownLane           400
    - LaneConflict          400
    - LaneRefuses           400
    - UnknownModel          404
    - UnknownPath           404
    - MethodNotAllowed      405
    - PayloadTooLarge       413
    - InternalError         500
    - EngineFailed          502
    - EngineSilent          504
    - LaneNotReady          503
"""

from typing import ClassVar


class PolydraftError(Exception):
    """Whatever Polydraft raises on purpose."""


class ConfigError(PolydraftError):
    """A profile or setting that can't be used; its text is one line that names the field and the fix."""


class RequestError(PolydraftError):
    """A request that gets no answer from an engine; `str()` of it is the message that the client reads."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"
    code: ClassVar[str | None] = None
    retry_after: ClassVar[int | None] = None

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


class LaneConflict(RequestError):
    """The header and the model's name ask for different lanes."""

    code = "lane_conflict"


class LaneRefuses(RequestError):
    """The lane that was asked for can't honour a sampling parameter of the payload."""

    code = "lane_refuses"


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


class PayloadTooLarge(RequestError):
    """The payload has more bytes than `POLYDRAFT_MAX_PAYLOAD_BYTES`."""

    status = 413
    code = "payload_too_large"


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


class EngineSilent(RequestError):
    """The engine took the request and said nothing for `POLYDRAFT_SILENCE_TIMEOUT`; another would take as long."""

    status = 504
    type = "server_error"
    code = "engine_silent"


class LaneNotReady(RequestError):
    """No engine of a lane that may serve the request is up."""

    status = 503
    type = "server_error"
    code = "lane_not_ready"
    retry_after = 5
