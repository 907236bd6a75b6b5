"""One backtest: a log and the names of policies in, a table for people out."""

import random
from collections.abc import Sequence
from pathlib import Path

from serve.backtest import log as logs
from serve.backtest.judge import comparable, judge
from serve.backtest.policies import LOGGED, policy
from serve.backtest.report import report
from serve.errors import ConfigError


def run(path: Path, names: Sequence[str], seed: int) -> str:
    """Judge policies by an access log, the first one the measure of the others; without names, all fixed lanes.

    Raises ConfigError for a log of no use, and for a policy that there isn't.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        told = logs.read(lines)
    lanes = {lane for entry in told.entries for lane in entry.propensities}
    if not lanes:
        raise ConfigError(f"{path} has no answer that was drawn by a policy that was applied")
    policies = {name: policy(name, lanes) for name in names or [LOGGED, *sorted(lanes)]}
    rng = random.Random(seed)  # noqa: S311  # a bootstrap is no secret
    return report(told, judge(told.entries, policies, rng), len(comparable(told.entries, policies)))
