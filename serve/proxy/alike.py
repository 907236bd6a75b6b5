"""Knows a stream's plain events by their likeness to those before, which costs less than to look for marks in each.

Events of one stream differ in a few letters between a head and a tail that all have. What is alike is learned from
events that were looked through, and says nothing of any other stream. Changes no byte.
"""

from serve.proxy.sse import BOUNDARY, Marks

_KEY = b'":'
"""What a mark inside an event has in it, being a key of JSON and the beginning of its value."""
_ATTEMPTS = 8
"""Events that a stream is given to show its likeness: where logprobs stand in each, there is none."""


class Alike:
    """What the plain events of one stream have in common, so far."""

    __slots__ = ("_attempts", "_head", "_least", "_marks", "_tail")

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._attempts = _ATTEMPTS
        self._head = self._tail = b"\n"  # which nothing begins with
        self._least = 0

    def plain(self, chunk: bytes) -> int:
        """Count a chunk's events if all of them are plain, as `Marks.plain` does; 0 if it can't tell."""
        head, tail, length = self._head, self._tail, len(chunk)
        if (
            length >= self._least
            and chunk.startswith(head)
            and chunk.endswith(tail)
            and chunk.find(b"\n") == length - len(BOUNDARY)
            and chunk.find(_KEY, len(head) - 1, length - len(tail) + 1) < 0
            and b"\r" not in chunk
        ):
            return 1
        events = self._marks.plain(chunk)
        if self._attempts and events == 1:
            self._learn(chunk)
        return events

    def _learn(self, event: bytes) -> None:
        """Cut head and tail down to what this event has of them; begin anew with it where too little is left."""
        self._attempts = self._attempts - 1 if event.find(b"\n") == len(event) - len(BOUNDARY) else 0
        head, tail = _shared(self._head, event), _shared(self._tail[::-1], event[::-1])[::-1]
        head = head[: max(0, len(event) - len(tail))]
        between = event[max(0, len(head) - 1) : len(event) - len(tail) + 1]
        if _KEY in between or not tail.endswith(BOUNDARY) or self._marks.may_span(head, tail):
            head = tail = event
        self._head, self._tail, self._least = head, tail, len(head) + len(tail)


def _shared(one: bytes, other: bytes) -> bytes:
    """Give what both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return one[:low]
