"""Puts `system_fingerprint` back where an engine would have written it, had the router not asked for the usage chunk.

vLLM writes it on a stream's last event: on each choice's last one, or on the usage chunk where there is one. It names
the engine's build and settings, so it is the same in every answer of an engine, and is learned from the first.
"""

import re

_WRITTEN = re.compile(rb'"system_fingerprint":("(?:[^"\\]|\\.)*")')
_LAST = b'"finish_reason":"'
_CLOSE = re.compile(rb"\}\s*\Z")


class Fingerprint:
    """What one engine calls itself, as JSON; empty until an answer has said it."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written = b""

    def learn(self, raw: bytes) -> None:
        """Take it from an answer or a usage chunk, if it has one; the last word counts, since engines restart."""
        if found := _WRITTEN.search(raw):
            self.written = found[1]

    def stamped(self, event: bytes) -> bytes:
        """Give a choice's last event with the fingerprint at its end."""
        close = _CLOSE.search(event)
        if not self.written or not close or b'"system_fingerprint"' in event:
            return event
        return b'%s,"system_fingerprint":%s%s' % (event[: close.start()], self.written, event[close.start() :])


class Stamp:
    """Stamps one stream's events. While the fingerprint isn't known, a choice's last event waits for the next one."""

    __slots__ = ("_fingerprint", "held")

    MARK = _LAST
    """What occurs in every event that is to be stamped."""

    def __init__(self, fingerprint: Fingerprint) -> None:
        self._fingerprint = fingerprint
        self.held = b""

    def read(self, event: bytes, *, usage: bool) -> bytes:
        """Give what the client gets for one event, which may be nothing yet; `usage` marks the usage chunk."""
        held, self.held = self.held, b""
        if usage:
            self._fingerprint.learn(event)
            return self._fingerprint.stamped(held) if held else b""
        if _LAST not in event:
            return held + event
        if self._fingerprint.written:
            return held + self._fingerprint.stamped(event)
        self.held = event
        return held

    def release(self) -> bytes:
        """Give what waits for an event that won't come."""
        held, self.held = self.held, b""
        return held
