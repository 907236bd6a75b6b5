"""One engine's answer on its way to the client: a stream as it comes, anything else once it is whole.

Nothing reaches the client before the engine's first byte of content, so until then another engine may still answer.
"""

import functools
from collections.abc import Callable, Sequence

from serve.errors import WHEN_READY, EngineErred, EngineFailed, LaneNotReady
from serve.proxy import sse, vllm
from serve.proxy.alike import Alike
from serve.proxy.client import Client
from serve.proxy.connection import Head, Source
from serve.proxy.dialect import Dialect
from serve.proxy.fingerprint import Stamp
from serve.proxy.naming import renamed
from serve.proxy.progress import Progress
from serve.routing.sample import Sample

_NONE = Head(0, {})
"""What stands for a head that hasn't come."""

EVENT_STREAM = b"text/event-stream; charset=utf-8"
_STREAM_HEADERS = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


@functools.cache
def _marks(dialect: Dialect, stamped: bool) -> sse.Marks:
    return sse.Marks(dialect.starts, (*dialect.inside, Stamp.MARK) if stamped else dialect.inside)


class Answer:
    """Receives one engine's answer. `named` gives the router's own headers, `model` is the name to put into it.

    A `sample` gets to see what came. With a `stamp`, the usage chunk is there only because the router asked for it: the
    client doesn't get it.
    """

    def __init__(
        self,
        client: Client,
        progress: Progress,
        dialect: Dialect,
        clock: Callable[[], float],
        named: Callable[[], Sequence[tuple[bytes, bytes]]],
        *,
        model: str | None,
        stamp: Stamp | None,
        sample: Sample | None = None,
    ) -> None:
        self.source: Source | None = None
        self._client, self._progress, self._dialect, self._clock = client, progress, dialect, clock
        self._named_headers, self._model, self._stamp = named, model, stamp
        self._sample = sample
        self._head = _NONE
        self._streams = False
        self._parts: list[bytes] = []
        self._splitter = sse.Splitter()
        self._marks = _marks(dialect, stamp is not None)
        self._plain = Alike(self._marks).plain
        self._ended = False
        self._between_events = model is None  # so that events without a mark may pass unread

    def on_head(self, head: Head, source: Source) -> Exception | None:
        """Refuse what no client should get, so that another lane stands in."""
        if head.status == 503:
            return LaneNotReady(f"The engine isn't ready. {WHEN_READY}")
        if head.status >= 500 or 300 <= head.status < 400:
            return EngineErred(f"The engine answered with status {head.status}.")
        self.source, self._head = source, head
        self._streams = head.headers.get("content-type", "").startswith("text/event-stream")
        if self._client.paused:
            source.pause()
        return None

    def on_data(self, chunk: bytes, *, last: bool = False) -> None:
        """Pass a stream on; keep the part of a whole answer."""
        if self._sample is not None:
            self._sample.add(chunk)
        if not self._streams:
            self._parts.append(chunk)
            return
        if self._between_events and (events := self._plain(chunk)):
            self._progress.output(events, self._clock())
            block = chunk
        else:
            block = self._looked_through(chunk)
        if block:
            if not self._progress.sent:
                self._start_stream()
            if last and self._is_complete():
                self._ended = True
                self._client.end(block)
            else:
                self._client.write(block)

    def finish(self) -> None:
        """End the response, since the engine's answer is complete; raises EngineFailed if it isn't what it must be."""
        if not self._streams:
            return self._finish_whole()
        # Half an event is of no use to anybody, and would swallow the error event that follows it.
        if self._dialect.is_end(rest := self._splitter.rest()) and (block := self._read(rest)):
            self._start_stream()
            self._client.write(block)
        if not (self._progress.done or self._progress.error):
            raise EngineFailed("The engine ended its stream before it was complete.")
        self._progress.end = self._progress.error or "complete"
        if not self._ended:
            self._client.end()
        return None

    def _is_complete(self) -> bool:
        """Tell whether a stream has come to its end with a whole event."""
        return self._splitter.empty and bool(self._progress.done or self._progress.error)

    def release(self) -> None:
        """Pass on what waited for an event that won't come, since the engine broke; nothing to who has nothing yet."""
        if self._progress.sent and self._stamp and (held := self._stamp.release()):
            self._client.write(held)

    def _looked_through(self, chunk: bytes) -> bytes:
        """Give what of a chunk may go to the client, looking at each event from the first that isn't plain output."""
        plain = self._marks.before(chunk) if self._between_events else 0
        if plain:
            self._progress.output(chunk.count(sse.BOUNDARY, 0, plain), self._clock())
        read = b"".join([chunk[:plain], *[self._read(event) for event in self._splitter.feed(chunk[plain:])]])
        held = self._stamp is not None and self._stamp.held
        self._between_events = self._model is None and self._splitter.empty and not held
        return read

    def _read(self, event: bytes) -> bytes:
        """Give one event as the client gets it; empty if it shouldn't, or not yet."""
        extra = self._progress.read(event, self._dialect, self._clock())
        event = self._renamed(event)
        return event if self._stamp is None else self._stamp.read(event, usage=extra)

    def _start_stream(self) -> None:
        self._progress.sent = True
        if self._client.started:
            return
        self._progress.status = self._head.status
        kind = self._head.headers["content-type"].encode("latin-1")
        self._client.start(self._head.status, [(b"content-type", kind), *_STREAM_HEADERS, *self._named_headers()])

    def _finish_whole(self) -> None:
        raw = self._renamed(b"".join(self._parts))
        progress, headers = self._progress, self._head.headers
        progress.report = vllm.report(vllm.decode(raw))
        progress.end = "complete" if self._head.status < 400 else "refused"
        if self._client.started:  # pings have told the client that it would be a stream
            self._client.write(b"%sdata: %s\n\n" % (self._dialect.name, b"".join(raw.splitlines())))
            return self._client.end()
        progress.status = self._head.status
        passed = [("content-type", headers.get("content-type", "application/json"))]
        passed += [("retry-after", headers["retry-after"])] if "retry-after" in headers else []
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in passed]
        self._client.start(self._head.status, [*encoded, *self._named_headers()], len(raw))
        self._client.write(raw)
        return self._client.end()

    def _renamed(self, raw: bytes) -> bytes:
        return raw if self._model is None else renamed(raw, self._model)


def ping(client: Client, named: Sequence[tuple[bytes, bytes]]) -> None:
    """Send a comment, which every client of event streams ignores, so that nothing between us cuts a silent line."""
    if not client.started:
        client.start(200, [(b"content-type", EVENT_STREAM), *_STREAM_HEADERS, *named])
    client.write(sse.PING)
