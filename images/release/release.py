"""Releases the images: builds and pushes them, signs them, attests what they hold, and verifies all of that.

`python -m images.release.release --registry registry.example/team/ --key KEY --public-key KEY`. It refuses while a pin
is unresolved. Without `--tag` the tags are those that Compose, the chart and `polydraft up` name. Everything after the
push names an image by its digest; a tag must never decide what is signed. Needs Docker with buildx, and cosign.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images.release import sbom
from serve.deploy import pins as pinning
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
BAKE = ("-f", "images/docker-bake.hcl", "-f", "images/pins.hcl")
ATTESTATION = "cyclonedx"


@dataclass(frozen=True, slots=True)
class Release:
    """Where the images go and what signs them."""

    registry: str
    tag: str
    platforms: str
    key: str
    public_key: str
    transparency_log: bool
    images: tuple[str, ...]

    def name(self, image: str) -> str:
        """Return an image's name in the registry, without tag or digest."""
        return f"{self.registry}polydraft-{image}"


def push(release: Release, more: Sequence[str] = ()) -> dict[str, str]:
    """Build and push the images; return each one's reference by digest. `more` goes to `docker buildx bake`."""
    revision = _run("git", "rev-parse", "HEAD").strip()
    named = {"REGISTRY": release.registry, "TAG": release.tag, "PLATFORMS": release.platforms, "REVISION": revision}
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "metadata.json")
        options = [*BAKE, "--push", "--metadata-file", str(said), *more]
        variables = [f"{name}={value}" for name, value in named.items()]
        _run("env", *variables, "docker", "buildx", "bake", *options, *release.images)
        pushed = json.loads(said.read_text())
    return {image: f"{release.name(image)}@{pushed[image]['containerimage.digest']}" for image in release.images}


def sign(release: Release, reference: str, bill: Path) -> None:
    """Sign an image, all its architectures with it, and attest its bill of materials."""
    log = f"--tlog-upload={str(release.transparency_log).lower()}"
    _run("cosign", "sign", "--yes", "--recursive", log, "--key", release.key, reference)
    attested = ("--type", ATTESTATION, "--predicate", str(bill))
    _run("cosign", "attest", "--yes", log, "--key", release.key, *attested, reference)


def verify(release: Release, reference: str) -> None:
    """Raise ConfigError unless the signature and the attestation are there and ours."""
    log = f"--insecure-ignore-tlog={str(not release.transparency_log).lower()}"
    _run("cosign", "verify", log, "--key", release.public_key, reference)
    _run("cosign", "verify-attestation", log, "--key", release.public_key, "--type", ATTESTATION, reference)


def run(release: Release, tool: Path, more: Sequence[str] = ()) -> None:
    """Do the whole release; raises ConfigError with one line for the step that failed."""
    pins = pinning.load(ROOT / pinning.PINS)
    pinning.check(pins)
    with tempfile.TemporaryDirectory() as folder:
        bills = {path.name.removesuffix(".cdx.json"): path for path in sbom.write(Path(folder), tool)}
        references = push(release, more)
        for image, reference in references.items():
            sign(release, reference, bills[image])
            verify(release, reference)
            print(f"{reference}: pushed, signed, attested, verified", flush=True)  # noqa: T201


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)  # noqa: S603  ours, no shell
    except FileNotFoundError:
        raise ConfigError(f"{command[0]} isn't there; install it") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        words = [word for word in command if "=" not in word and word != "env"]
        raise ConfigError(f"`{' '.join(words[:3])}` failed: {lines[-1] if lines else done.returncode}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: status 1 and one line when any step fails. Arguments after `--` go to `docker buildx bake`."""
    parser = argparse.ArgumentParser(description="Push, sign and verify the images.")
    parser.add_argument("--registry", required=True, help="what goes before an image's name, slash included")
    parser.add_argument("--tag", default="", help="the images' tag; each one's version and hash otherwise")
    parser.add_argument("--platforms", default="linux/amd64,linux/arm64", help="empty: this machine's alone")
    parser.add_argument("--key", required=True, help="cosign's private key: a file, or a KMS URI")
    parser.add_argument("--public-key", required=True, help="the key that users verify with")
    parser.add_argument("--no-transparency-log", action="store_true", help="sign without the public log (private use)")
    parser.add_argument("--images", nargs="+", choices=sorted(sbom.IMAGES), default=sorted(sbom.IMAGES))
    parser.add_argument("--sbom-tool", type=Path, default=Path(sys.executable).with_name("cyclonedx-py"))
    words = list(sys.argv[1:] if arguments is None else arguments)
    split = words.index("--") if "--" in words else len(words)
    given = parser.parse_args(words[:split])
    release = Release(
        registry=given.registry,
        tag=given.tag,
        platforms=given.platforms,
        key=given.key,
        public_key=given.public_key,
        transparency_log=not given.no_transparency_log,
        images=tuple(given.images),
    )
    try:
        run(release, given.sbom_tool, words[split + 1 :])
    except ConfigError as error:
        print(f"release: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
