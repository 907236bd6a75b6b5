"""One backtest: a log or a trace and the names of policies in, a table for people out."""

from collections.abc import Collection, Sequence
from pathlib import Path

from serve.backtest import log as logs
from serve.backtest import trace as traces
from serve.backtest.judge import Choice, comparable, judge
from serve.backtest.policies import LEARNER, LOGGED, Learning, policy
from serve.backtest.replay import learned
from serve.backtest.report import report, standings
from serve.backtest.trace import Known
from serve.errors import ConfigError


def run(path: Path, names: Sequence[str], seed: int) -> str:
    """Judge policies by an access log or a trace; without names what was drawn, all lanes, and what can be beside.

    Raises ConfigError for a file of no use, and for a policy that there isn't or that can't be judged by it.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        known = traces.read(lines)
    return _of_trace(known, names, seed) if known else _of_log(path, names, seed)


def _of_trace(known: Sequence[Known], names: Sequence[str], seed: int) -> str:
    lanes = set.intersection(*(set(each.seconds) for each in known))
    teaches = all(each.acceptance_lengths for each in known)
    wanted = names or [LOGGED, *([LEARNER] if teaches else []), *sorted(lanes)]
    taken = {name: _taken(known, policy(name, lanes), seed) for name in wanted}
    replayed = any(name.partition("=")[0] == LEARNER for name in wanted)
    return standings(traces.judge(known, taken, seed), len(known), replayed=replayed)


def _taken(known: Sequence[Known], chosen: Choice | Learning, seed: int) -> list[str]:
    """Say which lane a policy takes for each request."""
    if isinstance(chosen, Learning):
        return learned(known, seed) if chosen.table is None else learned(known, seed, chosen.table)
    return [chosen(each.cell) or each.lane for each in known]


def _of_log(path: Path, names: Sequence[str], seed: int) -> str:
    with path.open(encoding="utf-8", errors="replace") as lines:
        told = logs.read(lines)
    lanes = {lane for entry in told.entries for lane in entry.propensities}
    if not lanes:
        raise ConfigError(f"{path}: {_useless(told)}")
    policies = {name: _judged(name, lanes) for name in names or [LOGGED, *sorted(lanes)]}
    verdicts = judge(told.entries, policies, lanes, seed)
    return report(told, verdicts, len(comparable(told.entries, policies)))


def _judged(name: str, lanes: Collection[str]) -> Choice:
    chosen = policy(name, lanes)
    if isinstance(chosen, Learning):
        raise ConfigError(
            f"{name} can't be judged by a log, which doesn't say what the lanes that weren't taken would have taught "
            "it; give a trace of polydraft sim, or the log of a router that runs it, as `logged`"
        )
    return chosen


def _useless(told: logs.Log) -> str:
    if told.undrawn:
        return (
            f"{told.undrawn} answers don't say how likely each lane was, so nothing can be told of another policy; "
            "their router ran without a policy that draws: run it with POLYDRAFT_POLICY=apply"
        )
    return "has no answer that was drawn by a policy that was applied"
