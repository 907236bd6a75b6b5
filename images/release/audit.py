"""Holds every lock against the databases of known vulnerabilities: `python -m images.release.audit --tool PIP-AUDIT`.

pip-audit ends well, and says that it found nothing, where it could look nothing up at all. So what counts here is each
package that a database knew: a lock is audited only if that is every one of them.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATABASES = ("pypi", "osv")
"""pip-audit's names, in the order in which they are asked; both hold the Python Packaging Advisory Database."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known of a lock: packages looked up, packages that couldn't be, and `package version: advisories`."""

    audited: tuple[str, ...]
    unknown: tuple[str, ...]
    vulnerable: tuple[str, ...]


def read(report: dict[str, Any]) -> Audit:
    """Read pip-audit's JSON report."""
    packages = report["dependencies"]
    looked_up = [package for package in packages if "vulns" in package]
    return Audit(
        audited=tuple(package["name"] for package in looked_up),
        unknown=tuple(package["name"] for package in packages if "vulns" not in package),
        vulnerable=tuple(
            f"{package['name']} {package['version']}: {', '.join(each['id'] for each in package['vulns'])}"
            for package in looked_up
            if package["vulns"]
        ),
    )


def words(lock: str, audit: Audit | None) -> list[str]:
    """Say in lines what was found out about a lock; None is a database that didn't answer."""
    if audit is None:
        return [f"{lock}: NOT audited: no database answers here ({', '.join(DATABASES)})"]
    lines = [f"{lock}: VULNERABLE: {found}" for found in audit.vulnerable]
    if audit.unknown:
        some = ", ".join(audit.unknown[:3]) + (" ..." if len(audit.unknown) > 3 else "")
        of = len(audit.audited) + len(audit.unknown)
        lines.append(
            f"{lock}: NOT audited: {len(audit.unknown)} of {of} packages, which the database here lacks ({some})"
        )
    return lines or [f"{lock}: {len(audit.audited)} packages, none with a known vulnerability"]


def verdict(audits: Sequence[Audit | None]) -> int:
    """Give the exit code: 1 if anything is vulnerable, 2 if anything couldn't be looked up, 0 if all is well."""
    if any(audit and audit.vulnerable for audit in audits):
        return 1
    return 2 if any(audit is None or audit.unknown or not audit.audited for audit in audits) else 0


def locks(root: Path) -> list[str]:
    """Name every lock of the repository."""
    found = [*root.glob("images/*/requirements*.txt"), *root.glob("tests/requirements*.txt")]
    return sorted(str(path.relative_to(root)) for path in found)


def look_up(lock: str, tool: Sequence[str], databases: Sequence[str] = DATABASES) -> Audit | None:
    """Ask one database after the other about a lock; gives the answer that leaves the fewest packages out."""
    best: Audit | None = None
    for database in databases:
        asked = [*tool, "--disable-pip", "--require-hashes", "-r", lock, "-s", database]
        options = ["-f", "json", "--progress-spinner", "off", "--timeout", "20"]
        done = subprocess.run([*asked, *options], cwd=ROOT, capture_output=True, text=True)  # noqa: S603  our command, no shell
        try:
            audit = read(json.loads(done.stdout))
        except ValueError:  # it says nothing on standard output when the database can't be reached
            continue
        if best is None or len(audit.unknown) < len(best.unknown):
            best = audit
        if not best.unknown:
            break
    return best


def main() -> None:
    """Audit every lock and end with the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", required=True, help="pip-audit's command")
    tool: str = parser.parse_args().tool
    audits = {lock: look_up(lock, [tool]) for lock in locks(ROOT)}
    for lock, audit in audits.items():
        print("\n".join(words(lock, audit)))  # noqa: T201
    sys.exit(verdict(list(audits.values())))


if __name__ == "__main__":
    main()
