"""TLS: a certificate and its key from files, taken anew for new connections when they are renewed."""

import asyncio
import contextlib
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from serve.errors import ConfigError

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where a certificate (PEM, with its chain) and its key lie."""

    cert: Path
    key: Path


def context(certificate: Certificate) -> ssl.SSLContext:
    """Make what a server needs, TLS 1.2 and newer; raises ConfigError if the files can't be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    _load(made, certificate)
    return made


async def watch(made: ssl.SSLContext, certificate: Certificate, interval: float) -> None:
    """Load renewed files every `interval` seconds until cancelled; bad ones change nothing, and the log says so."""
    seen = _stamps(certificate)
    while True:
        await asyncio.sleep(interval)
        if (stamps := _stamps(certificate)) == seen:
            continue
        seen = stamps
        try:
            context(certificate)  # tried on another one first: a failed load may leave half of it behind
            _load(made, certificate)
        except ConfigError as error:
            LOGGER.error("certificate NOT reloaded, the one of before stays: %s", error)
        else:
            LOGGER.warning("certificate reloaded")


def _load(made: ssl.SSLContext, certificate: Certificate) -> None:
    try:
        made.load_cert_chain(certificate.cert, certificate.key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ConfigError(f"can't use {certificate.cert} with {certificate.key} ({reason})") from None


def _no_password() -> str:
    """Refuse a key that is encrypted, where OpenSSL would stop and ask the terminal."""
    raise ValueError("the key is encrypted; give one that isn't")


def _stamps(certificate: Certificate) -> list[tuple[int, int]]:
    stamps = []
    for path in (certificate.cert, certificate.key):
        with contextlib.suppress(OSError):  # it may be just being replaced
            status = path.stat()
            stamps.append((status.st_mtime_ns, status.st_ino))
    return stamps
