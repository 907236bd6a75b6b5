"""What an event of a stream means, by endpoint: its end, an error, the counts. Told by bytes, parsed only for counts.

Events of OpenAI's older endpoints have no name and end with `[DONE]`; those of responses and of Anthropic's messages
are named, and the name of the last one says how it ended. Inside JSON strings quotes are escaped, so none of these
bytes can come from what a model wrote.
"""

import json
from dataclasses import dataclass

from serve.errors import RequestError, shaped


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the events of one endpoint's streams are told apart, by what they start with."""

    path: str
    ends: tuple[bytes, ...]
    errors: tuple[bytes, ...]
    counts: tuple[bytes, ...] = ()
    name: bytes = b""

    @property
    def starts(self) -> tuple[bytes, ...]:
        """What an event that isn't plain output may start with."""
        return (*self.ends, *self.errors, *self.counts)

    @property
    def inside(self) -> tuple[bytes, ...]:
        """What any other event that isn't plain output has in it."""
        return () if self.counts else (_USAGE,)

    def is_end(self, event: bytes) -> bool:
        """Tell whether an event is the last one of a stream that came to its end."""
        return event.startswith(self.ends)

    def is_error(self, event: bytes) -> bool:
        """Tell whether an event is an error, which vLLM sends with status 200 once it has agreed to stream."""
        return event.startswith(self.errors)

    def is_count(self, event: bytes) -> bool:
        """Tell whether an event carries the counts of the whole request."""
        return event.startswith(self.counts) if self.counts else is_usage_chunk(event)

    def is_extra(self, event: bytes) -> bool:
        """Tell whether an event is only there because the router asked for it, where the client itself didn't."""
        return not self.counts and is_usage_chunk(event)

    def failure(self, error: RequestError, sequence: int) -> bytes:
        """Write the event that ends a broken stream and makes the official clients raise.

        Args:
            error: what broke.
            sequence: how many events came before it; events of responses are numbered from 0.
        """
        payload = shaped(error, self.path)
        if self.path == PATHS["responses"]:  # its error event has these fields, and the client raises on `error`
            event = {"type": "error", "sequence_number": sequence, "code": error.code, "message": str(error)}
            payload = {**event, "param": error.param, **payload}
        return b"%sdata: %s\n\n" % (self.name, json.dumps(payload).encode())


def is_usage_chunk(event: bytes) -> bool:
    """Tell whether an event of a chat or completion is the usage chunk, the only one of a stream without choices."""
    return _USAGE in event


_USAGE = b'"choices":[]'

PATHS = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}

_CHUNKS = ((b"data: [DONE]",), (b'data: {"error"',))
_ENDS = tuple(b"event: response.%s\n" % end for end in (b"completed", b"incomplete", b"failed", b"cancelled"))
_ERROR = b"event: error\n"

CHAT = Dialect(PATHS["chat"], *_CHUNKS)
RESPONSES = Dialect(PATHS["responses"], _ENDS, (_ERROR,), _ENDS, _ERROR)

DIALECTS = {
    "chat": CHAT,
    "completions": Dialect(PATHS["completions"], *_CHUNKS),
    "responses": RESPONSES,
    "messages": Dialect(
        PATHS["messages"], (b"event: message_stop\n",), (_ERROR,), (b"event: message_delta\n",), _ERROR
    ),
}
