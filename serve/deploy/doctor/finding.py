"""What a check found, and how findings add up to go or no-go. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """`fail` alone means no-go; `unknown` is what couldn't be read or wasn't tried."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's verdict, what it rests on, and what to do about it; nothing is to be done where `fix` is empty."""

    check: str
    verdict: Verdict
    found: str
    fix: str = ""


def ok(check: str, found: str) -> Finding:
    """Find nothing wrong."""
    return Finding(check, Verdict.OK, found)


def warn(check: str, found: str, fix: str) -> Finding:
    """Find what may go wrong."""
    return Finding(check, Verdict.WARN, found, fix)


def fail(check: str, found: str, fix: str) -> Finding:
    """Find what will go wrong."""
    return Finding(check, Verdict.FAIL, found, fix)


def unknown(check: str, found: str, fix: str) -> Finding:
    """Find nothing out."""
    return Finding(check, Verdict.UNKNOWN, found, fix)


def go(findings: Sequence[Finding]) -> bool:
    """Tell whether nothing failed."""
    return all(finding.verdict is not Verdict.FAIL for finding in findings)


def table(profile: str, findings: Sequence[Finding]) -> str:
    """Write the findings for people: a line each, and its fix below."""
    width = max(len(finding.check) for finding in findings)
    lines = [f"profile {profile}", ""]
    for finding in findings:
        shown = finding.verdict.value if finding.verdict in (Verdict.OK, Verdict.UNKNOWN) else finding.verdict.upper()
        lines.append(f"{shown:<8} {finding.check:<{width}}  {finding.found}")
        if finding.fix:
            lines.append(f"{'':<8} {'':<{width}}  -> {finding.fix}")
    return "\n".join([*lines, "", _summary(findings)])


def as_json(profile: str, findings: Sequence[Finding]) -> str:
    """Write `{"profile", "go", "checks": [{"check", "verdict", "found", "fix"}]}`."""
    checks = [
        {"check": each.check, "verdict": each.verdict.value, "found": each.found, "fix": each.fix} for each in findings
    ]
    return json.dumps({"profile": profile, "go": go(findings), "checks": checks}, indent=2, ensure_ascii=False)


def _summary(findings: Sequence[Finding]) -> str:
    named = {verdict: [each.check for each in findings if each.verdict is verdict] for verdict in Verdict}
    rest = [f"{each.value}: {', '.join(named[each])}" for each in (Verdict.WARN, Verdict.UNKNOWN) if named[each]]
    first = "go" if go(findings) else f"no-go: {', '.join(named[Verdict.FAIL])}"
    return "; ".join([first, *rest])
