"""What counts as audited: a package that a database knew, and nothing else."""

import stat
import sys
from pathlib import Path

import pytest

from images.release import audit
from images.release.audit import Audit

CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited: b (2)"}
HOLED = {"name": "c", "version": "3", "vulns": [{"id": "PYSEC-1", "fix_versions": ["4"]}, {"id": "GHSA-2"}]}


@pytest.mark.parametrize(
    ("packages", "code", "says"),
    [
        ([CLEAN], 0, "1 packages, none with a known vulnerability"),
        ([CLEAN, HOLED], 1, "VULNERABLE: c 3: PYSEC-1, GHSA-2"),
        ([CLEAN, SKIPPED], 2, "NOT audited: 1 of 2 packages"),
        ([SKIPPED, HOLED], 1, "VULNERABLE"),
        ([], 2, ""),
    ],
    ids=["clean", "vulnerable", "one unknown", "vulnerable and unknown", "nothing"],
)
def test_a_lock_is_sound_only_if_every_package_was_looked_up(
    packages: list[dict[str, object]], code: int, says: str
) -> None:
    found = audit.read({"dependencies": packages})
    assert audit.verdict([found]) == code
    assert says in "\n".join(audit.words("lock.txt", found))


def test_a_database_that_does_not_answer_is_no_success() -> None:
    assert audit.verdict([Audit(("a",), (), ()), None]) == 2
    assert "NOT audited" in audit.words("lock.txt", None)[0]


def test_every_lock_of_the_repository_is_audited() -> None:
    named = audit.locks(audit.ROOT)
    assert {"images/router/requirements.txt", "images/engine/requirements-gpu.txt", "tests/requirements.txt"} <= set(
        named
    )


@pytest.mark.parametrize(
    ("pypi", "osv", "expected"),
    [
        ([CLEAN], None, Audit(("a",), (), ())),
        ([SKIPPED], [CLEAN], Audit(("a",), (), ())),
        ([SKIPPED], None, Audit((), ("b",), ())),
        (None, None, None),
    ],
    ids=["the first knows all", "the second knows more", "the second doesn't answer", "neither answers"],
)
def test_the_second_database_is_asked_for_what_the_first_lacks(
    tmp_path: Path, pypi: object, osv: object, expected: Audit | None
) -> None:
    """A pip-audit that answers as told: one that couldn't reach its database prints nothing and ends with 1."""
    script = tmp_path / "pip-audit"
    answers = {"pypi": pypi, "osv": osv}
    script.write_text(
        f"#!{sys.executable}\nimport json, sys\nfound = {answers!r}[sys.argv[sys.argv.index('-s') + 1]]\n"
        "sys.exit(1) if found is None else print(json.dumps({'dependencies': found}))\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    assert audit.look_up("lock.txt", [str(script)]) == expected
