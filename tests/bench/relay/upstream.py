"""An engine that costs next to nothing: it answers from memory, so that what is measured is the relay before it.

`max_tokens` is the number of chunks of a stream, `seed` the milliseconds between two (0 is none). All paced streams get
their chunks at the same moments, as a step of vLLM gives each of its requests a token: every relay has the same to do,
however late it let the streams begin. Each chunk holds the time at which it was written. Run as a program: `upstream.py
PORT [PORT ...]`, it serves every port until it is killed.
"""

import asyncio
import json
import re
import sys
import time
from typing import cast

import httptools
import uvloop

LATER = 10**18
"""Added to times, so that all have as many digits, as JSON wants them."""
CHUNK_BYTES = 250
ANSWER_BYTES = 2_048
_PACE = re.compile(rb'"seed":\s*(\d+)')
_CHUNKS = re.compile(rb'"max_(?:completion_)?tokens":\s*(\d+)')
_STREAMED = re.compile(rb'"stream":\s*true')
_WANTS_USAGE = re.compile(rb'"include_usage":\s*true')

_USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
_METRICS = {
    "queue_time_ms": 1.0,
    "time_to_first_token_ms": 9.0,
    "generation_time_ms": 100.0,
    "speculative_decoding": {
        "acceptance_histogram": [1, 2, 3],
        "num_spec_steps": 6,
        "num_accepted_draft_tokens": 8,
        "num_draft_tokens": 12,
    },
}


def _sized(answer: object) -> bytes:
    raw = json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(raw), raw)


def _whole() -> bytes:
    answer = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
        "usage": _USAGE,
        "metrics": _METRICS,
    }
    room = ANSWER_BYTES - len(json.dumps(answer))
    answer["choices"][0]["message"]["content"] = "a" * room  # type: ignore[index]
    return _sized(answer)


def _framed(raw: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(raw), raw)


def _chunk() -> bytes:
    delta = {"index": 0, "delta": {"content": " word"}, "written": LATER}
    event = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "model": "demo", "choices": [delta], "pad": ""}
    event["pad"] = "p" * (CHUNK_BYTES - len(json.dumps(event)) - len("data: \n\n"))
    return _framed(b"data: %s\n\n" % json.dumps(event).encode()).replace(b"%d" % LATER, b"%d")


WHOLE = _whole()
CHUNK = _chunk()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
USAGE = _framed(
    b"data: "
    + json.dumps({"id": "x", "choices": [], "usage": _USAGE, "metrics": _METRICS}, separators=(",", ":")).encode()
    + b"\n\n"
)
END = _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"
_SERIES = b"".join(
    b'vllm:e2e_request_latency_seconds_bucket{engine="0",le="%d",model_name="demo"} 0.0\n' % at for at in range(700)
)  # as long as vLLM's own
SCRAPED = _SERIES + b'polydraft:engine_memory_bytes{place="cpu"} 1.5e+09\n'
METRICS = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%s" % (len(SCRAPED), SCRAPED)
EMPTY = _sized({})
TOLD = {
    b"/version": _sized({"version": "0.33.0"}),
    b"/v1/models": _sized({"object": "list", "data": [{"id": "demo", "object": "model", "max_model_len": 32_768}]}),
    b"/metrics": METRICS,
}
"""What vLLM says of itself: a relay that isn't told asks again and again."""


class Engine(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:  # some ask in HTTP/2 first
            self._transport.close()

    def on_message_begin(self) -> None:
        self._payload = b""
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._payload += body

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"POST" or not self._url.endswith(b"/completions"):
            self._write(TOLD.get(self._url, EMPTY))
        elif _STREAMED.search(self._payload):
            chunks, pace = _number(_CHUNKS, self._payload), _number(_PACE, self._payload) / 1000
            self._write(HEAD)
            end = (USAGE if _WANTS_USAGE.search(self._payload) else b"") + END
            now = self._loop.time()
            self._stream(chunks, pace, now - now % pace if pace else now, end)
        else:
            self._write(WHOLE)

    def _stream(self, left: int, pace: float, due: float, end: bytes) -> None:
        """Write chunks, one a write; those of a paced stream each at its time."""
        while left:
            self._write(CHUNK % (LATER + time.monotonic_ns()))
            left -= 1
            if pace and left:
                due += pace
                self._loop.call_at(due, self._stream, left, pace, due, end)
                return
        self._write(end)

    def _write(self, raw: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(raw)


def _number(pattern: re.Pattern[bytes], payload: bytes) -> int:
    found = pattern.search(payload)
    return int(found[1]) if found else 0


async def serve(ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    for port in ports:
        await loop.create_server(Engine, "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve([int(port) for port in sys.argv[1:]]))
