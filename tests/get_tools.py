"""Installs what tests need of Debian: a browser, fonts, Node, a Redis. `python tests/get_tools.py`, before pytest.

With `docker` it is a Docker engine, and what makes a base for images, where no engine answers. Where it mayn't (another
system, not root), it says which command would, and those tests skip. None of the packages starts a service, but for
Docker where there is systemd.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "chromium": "chromium",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
    "patch": "patch",
    "redis-server": "redis-tools",  # which has the program; `redis-server` has the service
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc": "fonts-noto-cjk",  # the page's Chinese and Japanese
}
"""Debian's packages by the program, or the file, that each is there for."""
DOCKER = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}


def main(*words: str) -> None:
    """Install what is missing. Fails at nothing: a test that lacks something says so itself."""
    say = sys.stdout.write
    wished = PACKAGES if "docker" not in words else {} if _engine() else DOCKER
    missing = sorted(package for wanted, package in wished.items() if not _there(wanted))
    if not missing:
        return
    wanted = f"apt-get install {' '.join(missing)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(f"some tests will be skipped; as root, where there is apt: {wanted}\n")
        return
    say(f"installing {', '.join(missing)} for the tests (a minute or two) ...\n")
    sys.stdout.flush()
    _run("update")
    if complaint := _run("install", "-y", "--no-install-recommends", *missing):
        say(f"some tests will be skipped, since `{wanted}` failed: {complaint[-300:]}\n")


def _there(wanted: str) -> bool:
    return Path(wanted).is_file() if wanted.startswith("/") else shutil.which(wanted) is not None


def _engine() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def _run(*words: str) -> str:
    """Run apt-get; gives what it complains of if it fails."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", "-qq", *words], check=False, env=environment, capture_output=True, text=True)
    return done.stderr.strip() or "no reason given" if done.returncode else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
