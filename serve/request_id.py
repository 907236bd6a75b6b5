"""The name of one request in answers, logs and engines: the client's own if it is harmless, else one of ours."""

import random
import re

HEADER = "x-request-id"
_NAMES = random.Random()  # noqa: S311  # nobody gains by guessing one, and the system's own take a call each
_HARMLESS = re.compile(r"[A-Za-z0-9._-]{1,64}")


def chosen(asked: str) -> str:
    """Keep what the client asked for if it is harmless in a log and a header; make one otherwise."""
    return asked if _HARMLESS.fullmatch(asked) else f"{_NAMES.getrandbits(128):032x}"


def of(headers: list[tuple[bytes, bytes]]) -> str:
    """Choose the id of a request with these headers, whose names are in lower case."""
    return chosen(dict(headers).get(HEADER.encode(), b"").decode("latin-1"))
