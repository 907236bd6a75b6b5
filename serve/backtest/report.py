"""Puts verdicts into a table for people, and says what they aren't worth."""

from collections.abc import Sequence

from serve.backtest.judge import Gain, Verdict
from serve.backtest.log import Log
from serve.backtest.trace import ORACLE, Measured, Standing

_FEW = 30
"""Answers below which an estimate is a guess."""


def report(log: Log, verdicts: Sequence[Verdict], compared: int) -> str:
    """Write the table, and what it rests on."""
    rivals = list(dict.fromkeys(rival for verdict in verdicts for rival in verdict.gains))
    head = ("policy", "tokens a second (95 %)", "answers", *(f"against {rival}" for rival in rivals))
    rows = [(*_rate(verdict), *(_gain(verdict, rival) for rival in rivals)) for verdict in verdicts]
    told = len(log.entries)
    return (
        f"{_table(head, rows)}\n\n{compared} of {told} answers tell of every policy, and rates are over these; one is "
        "held against another over those that tell of both. `answers` is how many independent ones an estimate is "
        f"worth. {log.left_out} lines of the log tell nothing (forced, failed, not measured, or not drawn by a policy "
        "that was applied)."
    )


def standings(found: Sequence[Standing], requests: int, *, replayed: bool) -> str:
    """Write the table of a trace whose truth is known."""
    lanes = list(found[0].gains)
    head = ("policy", "tokens a second (95 %)", "of the oracle's", "regret, s", *(f"against {lane}" for lane in lanes))
    best = found[0]
    oracle = (
        ORACLE,
        f"{best.rate.value / best.oracle.value:.1f}",
        "1.000",
        "0.0",
        *(_over(best, lane) for lane in lanes),
    )
    rows = [
        (
            each.policy,
            _figures(each.rate, 1),
            _figures(each.oracle, 3),
            _figures(each.regret, 1),
            *("" if lane == each.policy else _figures(each.gains[lane], 3) for lane in lanes),
        )
        for each in found
    ]
    said = (
        f"{requests} requests of a trace, in expectation, with 95 % intervals over requests; the oracle knows every "
        "lane's true speed, and regret is the seconds beyond its own."
    )
    if replayed:
        said += (
            " The learner is the router's own policy, which goes through the trace once, on one engine, and is told "
            "what an engine would have reported, with luck as it is assumed to be; --seed gives it other luck."
        )
    return f"{_table(head, [oracle, *rows])}\n\n{said}"


def _over(standing: Standing, lane: str) -> str:
    """Say how much faster than a lane the oracle is."""
    return f"{standing.gains[lane].value / standing.oracle.value:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _figures(figures: Measured, digits: int) -> str:
    value, low, high = (f"{each:.{digits}f}" for each in figures)
    return f"{value} ({low} to {high})"


def _rate(verdict: Verdict) -> tuple[str, str, str]:
    if verdict.rate is None:
        return verdict.policy, "nothing tells", "0"
    rate = f"{verdict.rate:.1f} ({verdict.low:.1f} to {verdict.high:.1f})"
    return verdict.policy, rate, f"{verdict.answers:.0f}" + ("" if verdict.answers >= _FEW else ", too few")


def _gain(verdict: Verdict, rival: str) -> str:
    if rival == verdict.policy:
        return ""
    gain = verdict.gains.get(rival)
    return "nothing tells" if gain is None else _said(gain)


def _said(gain: Gain) -> str:
    figures = f"{gain.value:.3f} ({gain.low:.3f} to {gain.high:.3f})"
    if gain.answers < _FEW:
        return f"{figures}, too few"
    return figures if gain.low > 1 or gain.high < 1 else f"{figures}, no winner"
