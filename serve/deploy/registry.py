"""Asks a container registry for an image's digest, the model hub for a repository's commit, pip for a release.

The registry side speaks the OCI distribution API, the hub side Hugging Face's. It must never pull anything, never send
a credential that it wasn't handed by the registry itself, and never guess: what doesn't answer stays unresolved.
"""

import asyncio
import re
import sys
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from serve.deploy.pins import CONTAINER, Kind, Pin

DOCKER_HUB = "https://registry-1.docker.io"
MODEL_HUB = "https://huggingface.co"

# A list of manifests, so that one digest holds every architecture; a single manifest's digest holds one.
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_SINGLE = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Unreadable(Exception):
    """A registry or hub that didn't say what was asked; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found for which pin, and for which nothing was, with the reason."""

    found: dict[tuple[Kind, str], str]
    failed: dict[str, str]

    def reasons(self) -> str:
        """Return one line of what failed, by reason."""
        by_reason: dict[str, list[str]] = {}
        for subject, reason in self.failed.items():
            by_reason.setdefault(reason, []).append(subject)
        return "; ".join(f"{', '.join(subjects)}: {reason}" for reason, subjects in by_reason.items())


async def resolve(
    pins: Iterable[Pin], client: aiohttp.ClientSession, docker_hub: str = DOCKER_HUB, model_hub: str = MODEL_HUB
) -> Findings:
    """Ask for each pin's digest or commit; what can't be read is told with its reason and spoils nothing else."""
    asked = list(pins)
    return await _findings(asked, [_now(pin, client, docker_hub, model_hub) for pin in asked])


async def newest(
    pins: Iterable[Pin],
    client: aiohttp.ClientSession,
    docker_hub: str = DOCKER_HUB,
    model_hub: str = MODEL_HUB,
    index: str = "",
) -> Findings:
    """Ask what each pin would be if it was made now; Debian's packages, which apt knows, aren't asked for.

    Python packages are looked for where pip looks, or at `index`.
    """
    asked = [pin for pin in pins if pin.kind != "debian"]
    lookups = [
        release(pin.name, index) if pin.kind == "packages" else _now(pin, client, docker_hub, model_hub)
        for pin in asked
    ]
    return await _findings(asked, lookups)


def _now(pin: Pin, client: aiohttp.ClientSession, docker_hub: str, model_hub: str) -> Coroutine[Any, Any, str]:
    return digest(client, pin.subject, docker_hub) if pin.kind in CONTAINER else commit(client, pin.subject, model_hub)


async def _findings(asked: Sequence[Pin], lookups: Iterable[Coroutine[Any, Any, str]]) -> Findings:
    answers = await asyncio.gather(*lookups, return_exceptions=True)
    findings = Findings({}, {})
    for pin, answer in zip(asked, answers, strict=True):
        if isinstance(answer, str):
            findings.found[pin.kind, pin.name] = answer
        elif isinstance(answer, Unreadable | aiohttp.ClientError | TimeoutError | OSError):
            findings.failed[pin.subject] = " ".join(str(answer).split()) or type(answer).__name__
        else:
            raise answer
    return findings


async def release(package: str, index: str = "") -> str:
    """Return the newest release of a Python package that pip finds for this machine; raises Unreadable."""
    command = ["pip", "index", "versions", package, "--disable-pip-version-check"]
    asking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command, *(["--index-url", index] if index else [])),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = (raw.decode(errors="replace") for raw in await asking.communicate())
    if found := re.match(rf"{re.escape(package)} \((\S+)\)", said):
        return found[1]
    errors = [line for line in complained.splitlines() if line.startswith("ERROR")]
    raise Unreadable(errors[-1].removeprefix("ERROR: ") if errors else "pip names no version")


async def digest(client: aiohttp.ClientSession, image: str, docker_hub: str = DOCKER_HUB) -> str:
    """Return the digest that `name:tag` has now, of the list of all its architectures; raises Unreadable."""
    name, _, tag = image.rpartition(":")
    base, repository = _registry(name, docker_hub)
    url = f"{base}/v2/{repository}/manifests/{tag}"
    headers = {"Accept": ", ".join((*_INDEXES, *_SINGLE))}
    async with client.head(url, headers=headers) as answer:
        status, got, challenge = answer.status, answer.headers.copy(), answer.headers.get("WWW-Authenticate", "")
    if status == 401:
        headers["Authorization"] = f"Bearer {await _token(client, challenge)}"
        async with client.head(url, headers=headers) as answer:
            status, got = answer.status, answer.headers.copy()
    if status != 200:
        raise Unreadable(f"{base} answers HTTP {status}")
    if got.get("Content-Type", "").split(";")[0] not in _INDEXES:
        raise Unreadable(f"{base} has it for one architecture alone")
    value = got.get("Docker-Content-Digest", "")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise Unreadable(f"{base} names no SHA-256 digest")
    return value


async def commit(client: aiohttp.ClientSession, model: str, model_hub: str = MODEL_HUB) -> str:
    """Return the commit that a model repository's main branch stands at; raises Unreadable."""
    async with client.get(f"{model_hub}/api/models/{model}/revision/main") as answer:
        if answer.status != 200:
            raise Unreadable(f"{model_hub} answers HTTP {answer.status}")
        try:
            described = await answer.json()
        except (aiohttp.ContentTypeError, ValueError):
            raise Unreadable(f"{model_hub} answers no JSON") from None
    value = described.get("sha") if isinstance(described, dict) else None
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{40}", value):
        raise Unreadable(f"{model_hub} names no commit")
    return value


def _registry(name: str, docker_hub: str) -> tuple[str, str]:
    """Split an image's name into its registry's base URL and the repository there, as Docker does."""
    first, _, rest = name.partition("/")
    if not rest:
        return docker_hub, f"library/{name}"
    if "." not in first and ":" not in first and first != "localhost":
        return docker_hub, name
    scheme = "http" if first.startswith(_LOOPBACK) else "https"
    return f"{scheme}://{first}", rest


async def _token(client: aiohttp.ClientSession, challenge: str) -> str:
    """Fetch the anonymous token that a registry's challenge asks for."""
    scheme, _, rest = challenge.partition(" ")
    asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    realm = asked.pop("realm", "")
    if scheme.lower() != "bearer" or not realm:
        raise Unreadable("the registry wants a login")
    async with client.get(realm, params=asked) as answer:
        if answer.status != 200:
            raise Unreadable(f"the registry's token service answers HTTP {answer.status}")
        granted = await answer.json(content_type=None)
    token = granted.get("token") or granted.get("access_token") if isinstance(granted, dict) else None
    if not isinstance(token, str):
        raise Unreadable("the registry's token service gives no token")
    return token
