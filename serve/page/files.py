"""The page's own files, read once, and how a browser is to treat them. Nothing is fetched from anywhere else."""

import hashlib
from dataclasses import dataclass
from importlib import resources

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
INDEX = "index.html"

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Nothing inline, nothing from elsewhere, and no text ever becomes markup: the browser itself refuses all three."""


@dataclass(frozen=True, slots=True)
class File:
    """One file: its content, type and entity tag."""

    content: bytes
    kind: str
    tag: str


def load() -> dict[str, File]:
    """Read the files that the package has, by name."""
    found = {}
    for each in resources.files("serve.page").joinpath("static").iterdir():
        content = each.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        found[each.name] = File(content, _TYPES[each.name.rpartition(".")[2]], tag)
    return found
