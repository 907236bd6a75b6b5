"""Writes each image's bill of materials from what it is built from: `python -m images.release.sbom DIR`.

The Python packages come out of the image's lock by CycloneDX's own tool, with their hashes; the base image is added by
its digest. It must never look at an image: the image is held to its lock by the hashes that its build checks. What the
base image holds isn't listed here; its publisher's own bill says that.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serve.deploy import pins as pinning
from serve.deploy.images import LOCKS
from serve.deploy.pins import Pin
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
# Image -> the lock, the project that the image is made for, the base's pin.
IMAGES = {
    "router": (str(LOCKS["router"]), "pyproject.toml", "router"),
    "engine": (str(LOCKS["engine"]), "images/engine/plugin/pyproject.toml", "engine"),
    "engine-cpu": (str(LOCKS["engine-cpu"]), "images/engine/plugin/pyproject.toml", "router"),
}


def bill(image: str, pins: pinning.Pins, tool: Path) -> dict[str, Any]:
    """Return the CycloneDX document of one image; raises ConfigError with the tool's words."""
    lock, project, base = IMAGES[image]
    options: list[str | Path] = ["--pyproject", ROOT / project, "--sv", "1.6", "--of", "JSON", "--output-reproducible"]
    command = [tool, "requirements", ROOT / lock, *options, "-o", "-"]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603  our own command, no shell
    if done.returncode != 0:
        raise ConfigError(f"no bill of materials for {image}: {' '.join(done.stderr.split())}")
    document: dict[str, Any] = json.loads(done.stdout)
    for component in document["components"]:
        # Which index a package was locked from says nothing about what it is; its hashes do.
        for reference in component.get("externalReferences", []):
            reference.pop("comment", None)
        component.pop("description", None)
    document["components"].append(_container(pins.get("bases", base)))
    return document


def write(folder: Path, tool: Path) -> list[Path]:
    """Write every image's bill into a folder and return their paths."""
    pins = pinning.load(ROOT / pinning.PINS)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for image in IMAGES:
        path = folder / f"{image}.cdx.json"
        path.write_text(json.dumps(bill(image, pins, tool), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _container(base: Pin) -> dict[str, Any]:
    component: dict[str, Any] = {"type": "container", "bom-ref": "base", "name": base.subject, "version": base.value}
    if base.resolved:
        component["hashes"] = [{"alg": "SHA-256", "content": base.value.removeprefix("sha256:")}]
    return component


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: status 1 when a bill can't be written."""
    parser = argparse.ArgumentParser(description="Write each image's bill of materials.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tool", type=Path, default=Path(sys.executable).with_name("cyclonedx-py"))
    given = parser.parse_args(arguments)
    try:
        for path in write(given.folder, given.tool):
            print(path)  # noqa: T201
    except (ConfigError, OSError) as error:
        print(f"sbom: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
