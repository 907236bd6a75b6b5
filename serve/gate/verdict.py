"""Decides from what was seen whether each lane is lossless: five checks a lane, each with its figures.

Pure: it asks nothing and prints nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serve.gate import acceptance, garbage
from serve.gate.compare import Rule, Tally, tally
from serve.gate.distribution import ALPHA, Homogeneity, detectable, homogeneity
from serve.gate.evidence import BODY, Draws, Evidence, lane_of
from serve.routing.outcome import Acceptance

Figures = Mapping[str, float | int | str | None]

GREEDY = {"alone": "greedy alone", "mixed": "greedy mixed"}
CHECKS = (*GREEDY.values(), "sampling", "acceptance", "text")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one lane: what it found in words, and the figures behind them."""

    lane: str
    name: str
    passed: bool
    said: str
    figures: Figures


def judge(evidence: Evidence, rule: Rule) -> list[Check]:
    """Give every check of every lane, the body's comparison with itself first."""
    checks = [_greedy(lane, how, tally(answers, rule)) for (lane, how), answers in evidence.compared.items()]
    others = evidence.lanes[1:]
    level = ALPHA / max(sum(len(evidence.draws.get(lane, ())) for lane in others), 1)  # Bonferroni's
    for lane in others:
        checks += [_sampling(lane, evidence.draws.get(lane, ()), level), _text(lane, evidence)]
        if lane_of(lane) != BODY:
            checks.append(_acceptance(lane, evidence))
    return sorted(checks, key=lambda check: (evidence.lanes.index(check.lane), CHECKS.index(check.name)))


def _greedy(lane: str, how: str, found: Tally) -> Check:
    said = f"{found.answers - found.wrong} of {found.answers} answers equal, {found.tokens} tokens, {found.ties} ties"
    figures: dict[str, float | int | str | None] = {
        "answers": found.answers,
        "tokens": found.tokens,
        "ties": found.ties,
        "wrong": found.wrong,
    }
    if found.worst is not None and found.worst.difference is not None:
        worst = found.worst.difference
        said += (
            f"; on {found.worst.prompt} token {worst.position + 1} is {_token(worst.lane_token)}, the body's "
            f"{_token(worst.body_token)}, {_distance(worst.gap)}"
        )
        figures |= {"prompt": found.worst.prompt, "position": worst.position, "gap": worst.gap}
    elif not found.passed:
        said += ": too many ties"
    return Check(lane, GREEDY[how], found.passed, said, figures)


def _sampling(lane: str, draws: Sequence[Draws], level: float) -> Check:
    found = [(homogeneity(each.lane, each.body), each) for each in draws]
    varied = [(result, each) for result, each in found if result.freedom]
    if not varied:
        return Check(lane, "sampling", False, "the body's draws don't vary: nothing was compared", {"comparisons": 0})
    least, place = min(varied, key=lambda pair: pair[0].p_value)
    power = max(_detectable(result, level) for result, _ in varied)
    passed = least.p_value >= level
    said = (
        f"least p {least.p_value:.2g} of {len(varied)} comparisons (fails below {level:.1g}) of {least.draws} draws; "
        f"sees a total variation of {power:.2f}"
    )
    if not passed:
        said += f"; on {place.prompt}, {place.setting}, token {place.position + 1}"
    return Check(
        lane,
        "sampling",
        passed,
        said,
        {
            "comparisons": len(varied),
            "draws": least.draws,
            "least_p": least.p_value,
            "level": level,
            "detectable_total_variation": power,
        },
    )


def _acceptance(lane: str, evidence: Evidence) -> Check:
    pooled: dict[str, Acceptance] = {}
    for kind, reported in evidence.accepted.get(lane, ()):
        pooled[kind] = acceptance.pool(pooled[kind], reported) if kind in pooled else reported
    found = acceptance.reach(pooled, evidence.promised.get(lane, {}))
    source = "by default" if found.measured is None else f"half the gain of the measured {found.measured:.2f}"
    got = (
        "no acceptance reported"
        if found.acceptance_length is None
        else f"{found.acceptance_length:.2f} on {found.kind}"
    )
    return Check(
        lane,
        "acceptance",
        found.passed,
        f"{got}; floor {found.floor:.2f}, {source}",
        {
            "acceptance_length": found.acceptance_length,
            "kind": found.kind,
            "floor": found.floor,
            "measured": found.measured,
        },
    )


def _text(lane: str, evidence: Evidence) -> Check:
    more = garbage.excess(garbage.shares(evidence.texts[lane]), garbage.shares(evidence.texts[evidence.body]))
    said = ", ".join(f"{name} +{share:.1%}" for name, share in more.items())
    passed = all(more[name] <= limit for name, limit in garbage.EXCESS.items())
    return Check(lane, "text", passed, said + " over the body", more)


def _detectable(result: Homogeneity, level: float) -> float:
    return detectable(result.draws, result.freedom, level)


def _distance(gap: float) -> str:
    return f"{gap:.2f} nats apart" if math.isfinite(gap) else "and not among the body's best there"


def _token(token: int | None) -> str:
    return "the end" if token is None else str(token)
