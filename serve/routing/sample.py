"""Looks into an answer for what its counts don't say: whether it went round in circles, and what language it is in.

Reads a few thousand bytes at the beginning and at the end of what an engine sent, after the client has all of it, and
keeps none of them. Never raises, whatever the bytes are.
"""

import json
import re
from collections import deque
from dataclasses import dataclass, field

from serve.routing.language import UNDETERMINED, Identify, language_of
from serve.routing.prose import read

_HEAD = 4096  # bytes; a step's chunk is some 250, of which a few are text
_TAIL = 64  # chunks
_CHUNK = 16_384  # bytes of each that are kept: a whole answer is one, and ends with what its engine has to say of it

_STARTS = (b"data:", b"event:", b"{")
_STRING = rb' ?"((?:[^"\\]|\\.)*)'
_SAID = re.compile(rb'"(?:content|text)":' + _STRING)
_SAID_IN_EVENTS = re.compile(rb'event: response\.output_text\.delta\r?\ndata: ?[^\r\n]*?"delta":' + _STRING)
_ECHOES = (b"event: response.created", b"event: response.in_progress")
"""Events that begin with a response's name, and go on with all that was asked for."""
_NAME = 256  # bytes of one that are kept
_NAMED = re.compile(rb'"id": ?"(resp_[^"\\]{1,200})"')
_ALL = re.compile(rb'"(?:content|text|delta|reasoning|reasoning_content|thinking)":' + _STRING)

_GRAM = 8  # characters
_FEWEST = 240  # characters, below which a list looks like a circle
_LAST = 600
_DISTINCT = 0.2
"""Share of different pieces of eight characters below which a text repeats itself: of 600 characters, one of 120 or
less over and over. The tests' prose lies above 0.9, their code and JSON above 0.35."""
_WORDS = 300  # characters that the language is told by
_FEW_WORDS = 24


@dataclass(slots=True)
class Sample:
    """The first bytes of an answer, and its last chunks."""

    head: bytearray = field(default_factory=bytearray)
    tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=_TAIL))

    def add(self, chunk: bytes) -> None:
        """Take the next bytes that came."""
        if len(self.head) < _HEAD:
            only_echo = chunk.startswith(_ECHOES) and b"event: response.output" not in chunk
            self.head += chunk[: _NAME if only_echo else _HEAD]
        self.tail.append(chunk[-_CHUNK:])

    def repeats(self) -> bool:
        """Tell whether the answer ended in going round in circles, which any drafter predicts."""
        text = _text(_ALL, b"".join(self.tail))[-_LAST:]
        if len(text) < _FEWEST:
            return False
        pieces = len(text) - _GRAM + 1
        return len({text[at : at + _GRAM] for at in range(pieces)}) < _DISTINCT * pieces

    def language(self, identify: Identify) -> str:
        """Name the language that the answer begins in, `und` where that can't be told; what was thought isn't said."""
        head = bytes(self.head)
        said = _text(_SAID_IN_EVENTS if head.startswith(b"event: response.") else _SAID, head)
        prose = "\n".join(read(said[:_WORDS]).paragraphs)
        return language_of(prose, identify) if len(prose) >= _FEW_WORDS else UNDETERMINED

    @property
    def response(self) -> str | None:
        """The name under which the engine stored the answer, if it is one that may be gone on from."""
        named = _NAMED.search(self.head)
        return named[1].decode(errors="ignore") if named else None


def _text(pattern: re.Pattern[bytes], raw: bytes) -> str:
    """Take the text out of JSON that may be cut anywhere."""
    begun = b"" if raw.startswith(_STARTS) else raw.partition(b'"')[0]  # cut in the middle of what was said
    found = begun + b"".join(pattern.findall(raw))
    try:
        text = json.loads(b'"%b"' % found.decode(errors="ignore").encode())
    except ValueError:  # cut in the middle of an escape
        text = found.decode(errors="ignore")
    return text if isinstance(text, str) else ""
