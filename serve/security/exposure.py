"""Who can reach a router that asks for no key: where it may listen, and whose requests it takes. Pure.

On loopback alone the danger left is a browser on the same machine: a page from anywhere can send it requests, and read
the answers once its own name resolves to 127.0.0.1 (DNS rebinding). What such a page can't choose is the name in Host
and Origin, so a router without keys takes only names that nobody out there can own. An address in Host is no name to
rebind; one in Origin is a page's, which may lie at any public address.
"""

import functools
import ipaddress
import re

from serve.errors import ConfigError

_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]/@\s]+))(?::\d{1,5})?")
_OWNED_BY_NOBODY = (".localhost", ".local", ".internal", ".svc")
"""Endings that no public registry hands out: RFC 6761, RFC 6762, ICANN's reservation of 2024, Kubernetes' Services."""

_NEAR = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""Loopback, private and link-local networks: RFC 1122, RFC 1918, RFC 3927, RFC 4291, RFC 4193."""


def check_binding(address: str, *, keyed: bool, anywhere: bool) -> None:
    """Raise ConfigError if a router without keys would listen where others than this machine reach it."""
    if keyed or anywhere or _is_loopback(address):
        return
    raise ConfigError(
        f"won't listen on {address} without API keys: make one (polydraft keys add NAME --file FILE) and set "
        "POLYDRAFT_KEYS_FILE, or listen on 127.0.0.1; POLYDRAFT_WITHOUT_KEYS=anywhere is for containers"
    )


@functools.lru_cache(maxsize=1024)
def is_harmless(host: bytes, allowed: tuple[str, ...]) -> bool:
    """Tell whether a Host is one that no stranger's web page can have: an address, or a name that isn't public."""
    match = _HOST.fullmatch(host.decode("latin-1"))
    if not match:
        return False
    if match["six"]:
        return _is_address(match["six"])
    name = match["name"].lower().removesuffix(".")
    return name in allowed or _is_address(name) or "." not in name or name.endswith(_OWNED_BY_NOBODY)


@functools.lru_cache(maxsize=1024)
def is_near(page: bytes, allowed: tuple[str, ...]) -> bool:
    """Tell whether a page's host is no stranger's: as `is_harmless`, but anybody can have a public address."""
    match = _HOST.fullmatch(page.decode("latin-1"))
    text = match and (match["six"] or match["name"].removesuffix("."))
    if text and _is_address(text):
        address = ipaddress.ip_address(text)
        return any(address in network for network in _NEAR)
    return is_harmless(page, allowed)


def host_of(origin: bytes) -> bytes:
    """Give the host of an Origin or of an absolute target; empty for `null`, which a page without a place sends."""
    return origin.partition(b"://")[2].partition(b"/")[0]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
