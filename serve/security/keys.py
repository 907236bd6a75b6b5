"""API keys: how they are made, written down and compared. Pure; a key itself is never kept, only its digest.

A file of keys has one `name:sha256:hex` a line, blank lines and lines that start with `#` apart. SHA-256 without salt
or stretching is right here and wrong for passwords: a key has 256 random bits, so nobody finds it from its digest
however fast the digest is, and every request would pay for a slow one. That holds only for keys that can't be guessed,
which is why one that somebody brings along must be long and varied.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from serve.errors import ConfigError

PREFIX = "pd-"
SCHEME = "sha256"
MIN_LENGTH = 32
"""Characters of a key that somebody brings along: 32 hexadecimal digits are 128 bits."""
MIN_VARIETY = 8
"""Different characters in it: 32 random hexadecimal digits have 10 to 16, a word written over and over has fewer."""
_RANDOM_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it is kept: who holds it, and its digest (32 bytes)."""

    name: str
    digest: bytes


def mint() -> str:
    """Make a key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def made(name: str, key: str) -> Key:
    """Turn a key into what is kept of it; raises ConfigError if the name is no name or the key is easy to guess."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name[:64]!r} can't name a key; use up to 64 of A-Z a-z 0-9 . _ -")
    if not _KEY.fullmatch(key):
        raise ConfigError("a key is printable ASCII without spaces; make one with: polydraft keys add NAME")
    if len(key) < MIN_LENGTH or len(set(key)) < MIN_VARIETY:
        raise ConfigError(
            f"this key could be guessed: it needs {MIN_LENGTH} characters, {MIN_VARIETY} of them different; "
            "let one be made with: polydraft keys add NAME"
        )
    return Key(name, _digest(key.encode()))


def parse(text: str) -> tuple[Key, ...]:
    """Read a file of keys; raises ConfigError naming the line, and never what stands in it."""
    keys: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.strip().partition(":")
        scheme, _, digits = rest.partition(":")
        if not _NAME.fullmatch(name) or scheme != SCHEME or not re.fullmatch(r"[0-9a-f]{64}", digits):
            raise ConfigError(f"line {number} isn't `name:{SCHEME}:` and 64 hexadecimal digits")
        if name in keys:
            raise ConfigError(f"line {number} has a name that an earlier line has")
        keys[name] = Key(name, bytes.fromhex(digits))
    return tuple(keys.values())


def written(keys: Iterable[Key]) -> str:
    """Write a file of keys, as `parse` reads it."""
    return "".join(f"{key.name}:{SCHEME}:{key.digest.hex()}\n" for key in keys)


def holder(keys: Sequence[Key], key: bytes) -> str | None:
    """Name the holder of a key, None if there is none; takes the same time whichever key it is, and however close."""
    digest = _digest(key)
    found = None
    for known in keys:
        if hmac.compare_digest(known.digest, digest):
            found = known.name
    return found


def presented(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Give the keys in a request's headers: `authorization: Bearer`, and `x-api-key` as Anthropic's clients send it."""
    for name, value in headers:
        if name == b"x-api-key":
            yield value.strip()
        elif name == b"authorization":
            scheme, _, credentials = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                yield credentials.strip()


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
