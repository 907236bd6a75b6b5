"""Cuts a stream of server-sent events into whole events without changing a byte. Never looks at their content."""

import re
from collections.abc import Iterator

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LONGEST = 4  # bytes of the longest blank line: a terminator may lie across two chunks

PING = b": ping\n\n"
"""A comment: clients of event streams skip it, and what stands between sees that the connection lives."""


BOUNDARY = b"\n\n"
"""The blank line between events as vLLM writes it."""


class Marks:
    """Tells chunks of events that all are plain output from those that have to be looked at, event by event."""

    __slots__ = ("_all", "_inside", "_starts")

    def __init__(self, starts: tuple[bytes, ...], inside: tuple[bytes, ...]) -> None:
        self._starts, self._inside = starts, inside
        self._all = (*starts, *inside)

    def plain(self, chunk: bytes) -> int:
        """Count the events of a chunk of whole events none of which has what marks the others; 0 if it isn't one.

        It may say 0 where another number would be right; the events then are looked at, and pass all the same.
        """
        if not chunk.endswith(BOUNDARY) or b"\r" in chunk:
            return 0
        events, marks = chunk.count(BOUNDARY), self._all
        if events == 1:  # which is nearly always what comes
            if chunk.startswith(self._starts):
                return 0
            marks = self._inside
        for mark in marks:  # a generator for `any` would cost more than what it looks for
            if mark in chunk:
                return 0
        return events

    def may_span(self, head: bytes, tail: bytes) -> bool:
        """Tell whether a plain event's head and tail, with no key between, could be those of one that isn't plain.

        A mark that begins in the head, or ends in the tail, has its key there; those that begin an event are shorter.
        """
        if len(head) < max(map(len, self._starts)):
            return True
        for mark in self._inside:
            key = mark.index(b'":')
            begun = any(head.endswith(mark[:end]) for end in range(key + 2, len(mark)))
            if begun or any(tail.startswith(mark[start:]) for start in range(1, key + 1)):
                return True
        return False

    def before(self, chunk: bytes) -> int:
        """Tell how many bytes at a chunk's beginning are plain, if it isn't wholly; it may say too few."""
        end = chunk.rfind(BOUNDARY) + len(BOUNDARY)
        for mark in (b"\r", *self._all):
            if (at := chunk.find(mark, 0, end)) >= 0:
                end = chunk.rfind(BOUNDARY, 0, at) + len(BOUNDARY)
        return end if end >= len(BOUNDARY) else 0


class Splitter:
    """Collects chunks and gives back events, each with the blank line that ends it.

    The events and the rest, joined, are the chunks, joined: nothing is lost, added or reordered.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def empty(self) -> bool:
        """Whether nothing has come of the next event."""
        return not self._rest

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
