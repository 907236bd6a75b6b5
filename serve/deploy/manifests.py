"""Renders the chart into plain manifests, for clusters that are run without Helm. Only here does render ask Helm.

Which Helm doesn't matter: 3 and 4 write the same, which a test holds. It must never reach a cluster.
"""

import shutil
import subprocess
from pathlib import Path

from serve.errors import ConfigError

CHART = Path("k8s/chart")
DOWNLOADED = Path(".cache/helm/helm4")
"""Where the tests put the Helm that they run."""
_CHOSEN = ("router.keysSecret=polydraft-keys", "engine.unpinned=leave")
"""What the chart wants to be told. In a clone where nobody has resolved the pins, the engine refuses at its start."""


def helm(root: Path) -> Path | None:
    """Return the Helm to be asked, the tests' or the machine's; None if there is none."""
    if (root / DOWNLOADED).is_file():
        return root / DOWNLOADED
    found = shutil.which("helm")
    return Path(found) if found else None


def manifest(asked: Path, root: Path, name: str, values: str) -> str:
    """Return a profile's objects, of the chart and the profile's values; raises ConfigError if Helm refuses them."""
    chosen = [word for each in _CHOSEN for word in ("--set", each)]
    command: list[str | Path] = [asked, "template", "polydraft", root / CHART, "--no-hooks", *chosen, "-f", "-"]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ConfigError(f"helm template refuses {name}: {' '.join(done.stderr.split())[:300]}; mend {CHART}")
    return done.stdout
