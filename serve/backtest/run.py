"""One backtest: a log or a trace and the names of policies in, a table for people out."""

import random
from collections.abc import Collection, Sequence
from pathlib import Path

from serve.backtest import log as logs
from serve.backtest import trace as traces
from serve.backtest.judge import Choice, comparable, judge
from serve.backtest.policies import LOGGED, policy
from serve.backtest.report import report, standings
from serve.errors import ConfigError


def run(path: Path, names: Sequence[str], seed: int) -> str:
    """Judge policies by an access log or a trace, the first one the measure of the others; without names, all lanes.

    Raises ConfigError for a file of no use, and for a policy that there isn't.
    """
    rng = random.Random(seed)  # noqa: S311  # a bootstrap is no secret
    with path.open(encoding="utf-8", errors="replace") as lines:
        known = traces.read(lines)
    if known:
        lanes = set.intersection(*(set(each.seconds) for each in known))
        return standings(traces.judge(known, _policies(names, lanes), rng), len(known))
    with path.open(encoding="utf-8", errors="replace") as lines:
        told = logs.read(lines)
    lanes = {lane for entry in told.entries for lane in entry.propensities}
    if not lanes:
        raise ConfigError(f"{path} has no answer that was drawn by a policy that was applied")
    policies = _policies(names, lanes)
    return report(told, judge(told.entries, policies, rng), len(comparable(told.entries, policies)))


def _policies(names: Sequence[str], lanes: Collection[str]) -> dict[str, Choice]:
    return {name: policy(name, lanes) for name in names or [LOGGED, *sorted(lanes)]}
