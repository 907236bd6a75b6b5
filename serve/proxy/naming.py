"""Puts the name that a client used for the model where an answer gives the engine's, and changes no other byte."""

import json
import re

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_VALUE = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*")?', re.DOTALL)
_KEY = b'"model"'
_PLACES = ([b""], [b"", b'"response"'], [b"", b'"message"'])
"""Objects whose `model` names the model: the answer, and the one that responses' and messages' first events carry."""


def renamed(raw: bytes, name: str) -> bytes:
    """Give an answer, or one event of it, with another model name; as it is where it names none.

    A tool's arguments or metadata may hold a `model` of their own, so the key's place is followed, not only its bytes.
    """
    if _KEY not in raw:
        return raw
    inside: list[bytes] = []
    key = b""
    for token in _TOKEN.finditer(raw):
        text = token[0]
        if text in b"{[":
            inside.append(key if text == b"{" else text)
            key = b""
        elif text in b"}]":
            inside = inside[:-1]
        elif value := _VALUE.match(raw, token.end()):
            key = text
            if key == _KEY and inside in _PLACES and value[1]:
                return raw[: value.start(1)] + json.dumps(name, ensure_ascii=False).encode() + raw[value.end(1) :]
        else:
            key = b""
    return raw
