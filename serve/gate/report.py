"""Writes a verdict as a table for people and as JSON for machines. Prompts are named by kind and number alone."""

import json
import math
from collections.abc import Sequence

from serve.gate.verdict import Check


def passed(checks: Sequence[Check]) -> bool:
    """Tell whether every check passed."""
    return all(check.passed for check in checks)


def table(checks: Sequence[Check]) -> str:
    """Write a Markdown table: a row a check of a lane."""
    rows = [(f"`{check.lane}`", check.name, "ok" if check.passed else "FAILED", check.said) for check in checks]
    lines = ["| lane | check | | figures |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def summary(checks: Sequence[Check]) -> str:
    """Say in one line how it ended."""
    failed = list(dict.fromkeys(f"{check.lane} ({check.name})" for check in checks if not check.passed))
    if failed:
        return f"gate failed: {', '.join(failed)}"
    lanes = list(dict.fromkeys(check.lane for check in checks))
    return f"gate passed: {', '.join(lanes[1:])} answer as {lanes[0]} does"


def as_json(checks: Sequence[Check]) -> str:
    """Write `{"passed", "checks": [{"lane", "check", "passed", figures...}]}`; what isn't finite becomes null."""
    listed = [
        {"lane": check.lane, "check": check.name, "passed": check.passed}
        | {name: _finite(value) for name, value in check.figures.items()}
        for check in checks
    ]
    return json.dumps({"passed": passed(checks), "checks": listed}, indent=2, ensure_ascii=False)


def _finite(value: float | int | str | None) -> float | int | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value
