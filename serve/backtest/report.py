"""Puts verdicts into a table for people, and says what they aren't worth."""

from collections.abc import Sequence

from serve.backtest.judge import Verdict
from serve.backtest.log import Log
from serve.backtest.trace import Standing

_FEW = 30
"""Answers below which an estimate is a guess."""


def report(log: Log, verdicts: Sequence[Verdict], compared: int) -> str:
    """Write the table, and what it rests on."""
    first = verdicts[0].policy
    head = f"| policy | tokens a second (95 %) | against {first} (95 %) | answers |\n| --- | --- | --- | --- |"
    rows = "\n".join(_row(verdict) for verdict in verdicts)
    told = len(log.entries)
    return (
        f"{head}\n{rows}\n\n{compared} of {told} answers tell of every policy; {log.left_out} lines of the log tell "
        "nothing (forced, failed, not measured, or not drawn by a policy that was applied)."
    )


def standings(found: Sequence[Standing], requests: int) -> str:
    """Write the table of a trace whose truth is known."""
    first = found[0].policy
    titles = f"| policy | tokens a second (95 %) | of the oracle's (95 %) | against {first} (95 %) |"
    head = f"{titles}\n| --- | --- | --- | --- |"
    rows = "\n".join(
        f"| {each.policy} | {_figures(each.rate, 1)} | {_figures(each.oracle, 3)} | {_figures(each.gain, 3)} |"
        for each in found
    )
    return (
        f"{head}\n{rows}\n\n{requests} requests of a trace, in expectation; the oracle knows every lane's true speed."
    )


def _figures(figures: tuple[float, float, float], digits: int) -> str:
    value, low, high = (f"{each:.{digits}f}" for each in figures)
    return f"{value} ({low} to {high})"


def _row(verdict: Verdict) -> str:
    if verdict.rate is None:
        return f"| {verdict.policy} | nothing tells | | 0 |"
    rate = f"{verdict.rate:.1f} ({verdict.low:.1f} to {verdict.high:.1f})"
    return f"| {verdict.policy} | {rate} | {_gain(verdict)} | {verdict.answers:.0f} |"


def _gain(verdict: Verdict) -> str:
    if verdict.gain is None:
        return ""
    gain, low, high = verdict.gain
    figures = f"{gain:.3f} ({low:.3f} to {high:.3f})"
    if verdict.answers < _FEW:
        return f"{figures}, too few"
    return figures if low > 1 or high < 1 else f"{figures}, no winner"
