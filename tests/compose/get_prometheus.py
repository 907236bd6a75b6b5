"""Puts Prometheus, promtool, Alertmanager's amtool and the node exporter into .cache/prometheus.

They are Debian's packages, which apt checks by signature, unpacked and not installed: installing them starts services.
"""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache/prometheus"
BINARIES = FOLDER / "usr/bin"
PACKAGES = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter")
PROGRAMS = ("prometheus", "promtool", "amtool", "prometheus-node-exporter")


def ensure_prometheus() -> str:
    """Make the programs be there; returns why they can't be, and nothing if they are."""
    if all((BINARIES / program).is_file() for program in PROGRAMS):
        return ""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "no apt-get here to get Debian's packages with"
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "-qq", "download", *PACKAGES]
    got = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if got.returncode:
        return f"apt-get can't download {', '.join(PACKAGES)}: {got.stderr.strip().splitlines()[-1:]}"
    for package in FOLDER.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, FOLDER], check=True)
        package.unlink()
    return ""
