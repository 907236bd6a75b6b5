"""What a request must bring to be let in, decided on its head alone: form, host, key. No request is read any further.

The same door stands before every path of the server, so that nothing behind it has to ask again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from serve.errors import HeadTooLarge, MalformedRequest, RequestError, Unauthorized, UnknownHost
from serve.security import exposure
from serve.security import keys as kept
from serve.security.keys import Key
from serve.security.sessions import Sessions

Headers = Sequence[tuple[bytes, bytes]]

KEYLESS = (b"/healthz", b"/readyz")
"""Paths that need no key: Compose's and Kubernetes' probes have none, and the answers name nothing but lanes."""
METRICS = b"/metrics"
PAGE = (b"/", b"/v1/session")
PAGE_FILES = b"/page/"
"""Where the live page and its log-in are: they say nothing of what happens here, and nobody has a key there yet."""
_READ = frozenset(
    (b"host", b"origin", b"authorization", b"x-api-key", b"transfer-encoding", b"cookie", b"sec-fetch-site")
)
_TO_ONE_HOP = {b"close", b"keep-alive", b"te", b"upgrade", b"http2-settings"}
"""What Connection usually lists; none of these is read behind the door."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may take: bytes and headers of a head, seconds for head and payload; connections in all."""

    head_bytes: int
    headers: int
    head_seconds: float
    payload_seconds: float
    connections: int


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in. `keys` gives the keys of this moment, and is None where none are asked for.

    `sessions` are those of the live page, and None where there is no page.
    """

    limits: Limits
    keys: Callable[[], Sequence[Key]] | None
    open_metrics: bool = False
    hosts: tuple[str, ...] = ()
    sessions: Sessions | None = None

    def refusal(self, version: str, target: bytes, headers: Headers, received: int) -> RequestError | None:
        """Say why a request isn't let in; None if it is.

        `headers` have names in lower case; `received` are the bytes that came so far, never fewer than the head's.
        """
        limits = self.limits
        if len(headers) > limits.headers:
            return HeadTooLarge(f"The request has more than {limits.headers} headers.")
        if received > limits.head_bytes and _size(target, headers) > limits.head_bytes:
            return HeadTooLarge(f"The request's head is larger than {limits.head_bytes} bytes.")
        read = [header for header in headers if header[0] in _READ]
        return _malformed(version, read) or self._stranger(target, read)

    def _stranger(self, target: bytes, headers: Headers) -> RequestError | None:
        path = target.partition(b"?")[0]
        if path in KEYLESS or (self.open_metrics and path == METRICS):
            return None
        if self.keys is None:
            return _from_elsewhere(target, headers, self.hosts)
        known = self.keys()
        for key in kept.presented(headers):
            if kept.holder(known, key):
                return None
        if self.sessions and (_is_page(path) or self.sessions.holder(headers, known)):
            return None
        return Unauthorized("This needs an API key known here, as `Authorization: Bearer KEY` or `x-api-key: KEY`.")


def hop_by_hop(headers: Headers) -> set[bytes]:
    """Name the headers that Connection declares to be for this hop alone, the well-known ones apart."""
    listed = [value for name, value in headers if name == b"connection"]
    if listed in ([], [b"keep-alive"]):
        return set()
    return {token.strip().lower() for value in listed for token in value.split(b",")} - _TO_ONE_HOP - {b""}


def _is_page(path: bytes) -> bool:
    return path in PAGE or path.startswith(PAGE_FILES)


def _size(target: bytes, headers: Headers) -> int:
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)


def _malformed(version: str, headers: Headers) -> RequestError | None:
    """Refuse what the parser takes although two servers could read it differently (RFC 9112, sections 3.2 and 6.1)."""
    named = dict(headers)
    if (b"host" not in named and version == "1.1") or _twice(b"host", named, headers):
        return MalformedRequest("The request must have one Host header.")
    coding = named.get(b"transfer-encoding")
    if coding is None:
        return None
    if coding.strip().lower() != b"chunked" or version == "1.0" or _twice(b"transfer-encoding", named, headers):
        return MalformedRequest("The payload's Transfer-Encoding must be chunked, in HTTP/1.1.")
    return None


def _twice(name: bytes, named: Mapping[bytes, bytes], headers: Headers) -> bool:
    return len(named) < len(headers) and sum(header[0] == name for header in headers) > 1


def _from_elsewhere(target: bytes, headers: Headers, allowed: tuple[str, ...]) -> RequestError | None:
    """Refuse a request that names a host, or comes from a page, that a stranger can own."""
    hosts = [value for name, value in headers if name == b"host"]
    pages = [exposure.host_of(value) for name, value in headers if name == b"origin"]
    if not target.startswith((b"/", b"*")):
        hosts.append(exposure.host_of(target))
    if all(exposure.is_harmless(host, allowed) for host in hosts) and all(
        page in hosts or exposure.is_near(page, allowed) for page in pages
    ):
        return None
    return UnknownHost(
        "A router without API keys doesn't answer to this host or page; name the host in POLYDRAFT_ALLOWED_HOSTS, or "
        "use keys."
    )
