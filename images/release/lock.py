"""Resolves the GPU engine's lock from the pins: `python -m images.release.lock [--check]` (needs uv).

The lock is resolved once for x86-64 and once for arm64, and must come out the same, so that one file locks both. It
must never take a version from anywhere but `images/pins.toml`.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from serve.deploy import pins as pinning
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path("images/engine/requirements-gpu.txt")
# The base's Python, and its glibc: Debian 12's 2.36.
PYTHON = "3.12"
PLATFORMS = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")


def requirements(pins: pinning.Pins) -> tuple[str, str]:
    """Return what is asked for, and what overrides the packages' own requirements, as requirements files."""
    mine = [pin for pin in pins.of("packages").values() if pin.lock == str(LOCK)]
    lines = {pin.name: f"{pin.name}=={pin.value}\n" for pin in mine}
    asked = "".join(lines[pin.name] for pin in mine if not pin.override)
    return asked, "".join(lines[pin.name] for pin in mine if pin.override)


def resolve(asked: str, overrides: str, platform: str) -> str:
    """Return the lock for one platform; raises ConfigError with uv's words."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, instead = Path(folder, "wanted.in"), Path(folder, "override.txt")
        wanted.write_text(asked)
        instead.write_text(overrides)
        options = ["--generate-hashes", "--no-header", "--no-annotate", "--python-version", PYTHON, "-q"]
        command: list[str | Path] = [
            "uv",
            "pip",
            "compile",
            wanted,
            "--override",
            instead,
            "--python-platform",
            platform,
            *options,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603  our own command, no shell
        except FileNotFoundError:
            raise ConfigError("uv isn't there; install it: pip install uv") from None
    if done.returncode != 0:
        raise ConfigError(f"the lock for {platform} can't be resolved: {' '.join(done.stderr.split())}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: status 1 when the lock can't be made, or with --check isn't what would be made."""
    parser = argparse.ArgumentParser(description="Resolve the GPU engine's lock from images/pins.toml.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if the lock isn't what would be made"
    )
    check = parser.parse_args(arguments).check
    try:
        asked, overrides = requirements(pinning.load(ROOT / pinning.PINS))
        first, *others = [resolve(asked, overrides, platform) for platform in PLATFORMS]
        if any(other != first for other in others):
            raise ConfigError(f"{' and '.join(PLATFORMS)} resolve differently: one file can't lock both any more")
        if check and (ROOT / LOCK).read_text() != first:
            raise ConfigError(f"{LOCK} isn't what the pins resolve to now; run `make lock-gpu`")
    except ConfigError as error:
        print(f"lock: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if not check:
        (ROOT / LOCK).write_text(first)
    print(f"{LOCK}: {first.count('==')} packages, the same for {' and '.join(PLATFORMS)}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
