"""Cuts a stream of server-sent events into whole events without changing a byte. Never looks at their content."""

import re
from collections.abc import Iterator

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LONGEST = 4  # bytes of the longest blank line: a terminator may lie across two chunks

ERROR = b"data: %s\n\n"


class Splitter:
    """Collects chunks and gives back events, each with the blank line that ends it.

    The events and the rest, joined, are the chunks, joined: nothing is lost, added or reordered.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Give the events that `chunk` completes."""
        searched = max(0, len(self._rest) - _LONGEST + 1)
        self._rest += chunk
        start = 0
        while match := _BLANK_LINE.search(self._rest, max(searched, start)):
            yield bytes(self._rest[start : match.end()])
            start = match.end()
        del self._rest[:start]

    def rest(self) -> bytes:
        """Give what has come of an event that isn't complete."""
        return bytes(self._rest)


def data(event: bytes) -> bytes:
    """Join the `data` lines of one event, as the event-stream format has it; empty if it has none."""
    lines = (line for line in event.splitlines() if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)
