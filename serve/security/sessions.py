"""Who is logged in to the page: a random cookie instead of the key, so that no page ever holds the key.

Kept in memory alone, as digests: a restart ends them all, and so does taking away the key that one was opened with.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from serve.security import exposure
from serve.security.keys import Key

LIFETIME = 12 * 3600
"""Seconds after which the key is asked for again."""
_MOST = 256
_OWN = (b"same-origin", b"none")


class Sessions:
    """Sessions that are open; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: OrderedDict[bytes, tuple[Key, float]] = OrderedDict()

    def open(self, key: Key) -> str:
        """Open a session for a key's holder and give its cookie's value; the oldest goes where there are too many."""
        value = secrets.token_urlsafe(32)
        self._open[_digest(value.encode())] = key, self._clock() + LIFETIME
        while len(self._open) > _MOST:
            self._open.popitem(last=False)
        return value

    def holder(self, headers: Iterable[tuple[bytes, bytes]], keys: Sequence[Key]) -> str | None:
        """Name who a request's cookie belongs to; None if nobody, or if another page than ours sends it.

        A browser adds the cookie whatever page asks, other ports of this host included. But it also says which page
        that is: by Sec-Fetch-Site, and by Origin wherever a request could change something.
        """
        headers = list(headers)
        named = {name: value for name, value in headers if name != b"cookie"}
        if not from_here(named.get(b"host", b""), named):
            return None
        for value in _values(headers):
            key, until = self._open.get(_digest(value), (None, 0.0))
            if key and self._clock() < until and key in keys:
                return key.name
        return None

    def close(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """End the session of a request."""
        for value in _values(list(headers)):
            self._open.pop(_digest(value), None)


def from_here(host: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a request comes from a page of the host that it goes to, as far as its browser says."""
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    return (site is None or site in _OWN) and (origin is None or exposure.host_of(origin) == host)


def cookie_of(host: bytes) -> str:
    """Name the cookie by the port that a browser asked at: it has one store for all ports of a host."""
    port = host.rpartition(b":")[2]
    return f"polydraft_session_{port.decode()}" if port.isdigit() else "polydraft_session"


def _values(headers: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """Take our own out of a request's Cookie headers."""
    own = cookie_of(dict(headers).get(b"host", b"")).encode()
    cookies = (value for name, value in headers if name == b"cookie")
    pairs = [pair.strip().partition(b"=") for cookie in cookies for pair in cookie.split(b";")]
    return [value for name, _, value in pairs if name == own]


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
