"""Collects what helps whoever is asked for help into one archive: versions, pins, profile, plan, doctor, metrics, logs.

Reads and asks, changes nothing, and fails for nothing that can't be had: what is missing is said in the archive. All
that others wrote goes through redact.py first.
"""

import io
import json
import platform
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import aiohttp

from serve import __version__
from serve.deploy import memory, pins
from serve.deploy.bundle import redact
from serve.deploy.doctor import examine, finding
from serve.deploy.profile import PROFILES, Profile
from serve.deploy.reading import CARDS, MEMORY, Reading, take
from serve.errors import ConfigError

_PATIENCE = aiohttp.ClientTimeout(total=10)
_LOG_BYTES = 2_000_000
"""Of each log its end alone: a week's access log says no more than its last hours."""
_ASKED = {"readyz.json": "/readyz", "metrics.txt": "/metrics"}


_SAYS = "Polydraft's support bundle: no key, token, prompt or answer should be in it. Look before you send it.\n"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to collect from: the profile, the repository, the router and its key's header, folder of logs, reading."""

    profile: Profile
    root: Path
    router: str
    headers: Mapping[str, str]
    logs: Path | None
    reading: Reading


async def collect(wanted: Wanted) -> dict[str, str]:
    """Return the archive's files, name to text; raises ConfigError if the folder of logs isn't there."""
    if wanted.logs and not wanted.logs.is_dir():
        raise ConfigError(f"--logs: {wanted.logs} isn't a folder; name the one that the *.log files are in")
    files = {
        "README.txt": _SAYS,
        "versions.json": json.dumps(_versions(), indent=1),
        "profile.toml": _told(lambda: redact.secrets((PROFILES / f"{wanted.profile.name}.toml").read_text())),
        "pins.txt": _told(lambda: pins.table(pins.load(wanted.root / pins.PINS))),
        "plan.txt": _told(lambda: memory.table(_plan(wanted.profile))),
        "doctor.json": _told(
            lambda: redact.secrets(finding.as_json(wanted.profile.name, examine.judge(wanted.profile, wanted.reading)))
        ),
    }
    async with aiohttp.ClientSession(timeout=_PATIENCE, headers=wanted.headers) as client:
        for name, path in _ASKED.items():
            files[name] = await _answer(client, f"{wanted.router}{path}")
    for log in sorted(wanted.logs.glob("*.log")) if wanted.logs else ():
        files[f"logs/{log.name}"] = _told(lambda log=log: redact.log(_end(log).splitlines()))  # type: ignore[misc]
    return files


def write(files: Mapping[str, str], to: Path) -> None:
    """Write the archive, readable for its owner alone; raises ConfigError where it can't."""
    try:
        to.touch(mode=0o600, exist_ok=False)
        with tarfile.open(to, mode="w:gz") as archive:
            for name, text in files.items():
                raw = text.encode()
                entry = tarfile.TarInfo(f"polydraft/{name}")
                entry.size, entry.mtime = len(raw), int(time.time())
                archive.addfile(entry, io.BytesIO(raw))
    except OSError as error:
        raise ConfigError(f"{to}: can't be written ({error.strerror}); name another file with --output") from error


def _versions() -> dict[str, object]:
    return {
        "polydraft": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {each.name: each.version for each in sorted(distributions(), key=lambda each: each.name.lower())},
    }


def _plan(profile: Profile) -> memory.Plan:
    return memory.plan(profile, memory.free(profile, take(MEMORY, [CARDS])))


def _told(read: Callable[[], str]) -> str:
    try:
        return read()
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        return f"not to be had: {error}\n"


async def _answer(client: aiohttp.ClientSession, url: str) -> str:
    try:
        async with client.get(url) as response:
            return redact.secrets(await response.text())
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeDecodeError) as error:
        return f"not to be had: {error}\n"


def _end(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LOG_BYTES))
        return file.read().decode("utf-8", errors="replace")
