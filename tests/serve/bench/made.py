"""Samples that tests make up: every number in them is invented."""

from collections.abc import Mapping, Sequence

from serve.bench.plan import Setting, Way
from serve.bench.prompts import Prompt
from serve.bench.sample import Fault, Sample
from serve.routing.outcome import Acceptance

CHAT, RAW = Setting("chat", 1), Setting("completions", 1)


def sample(
    lane: str = "body",
    rate: float = 50.0,
    prompt: Prompt | str = "why?",
    *,
    drafts: int | None = None,
    setting: Setting = CHAT,
    turn: int = 0,
    fault: Fault | None = None,
    acceptance: Acceptance | None = None,
) -> Sample:
    """One answer of 100 tokens after the first, at a rate."""
    return Sample(
        prompt=prompt if isinstance(prompt, Prompt) else Prompt("en", prompt),
        way=Way(lane, drafts),
        setting=setting,
        turn=turn,
        tokens=101,
        seconds=100 / rate,
        first=0.1,
        acceptance=acceptance,
        fault=fault,
    )


def answers(
    rates: Mapping[str, Sequence[float]], language: str = "en", task: str = "*", setting: Setting = CHAT
) -> list[Sample]:
    """One answer to each of several prompts on each lane, at these rates."""
    return [
        sample(lane, rate, Prompt(language, f"{language} {task} {number}", task), setting=setting)
        for lane, each in rates.items()
        for number, rate in enumerate(each)
    ]


def accepted(steps: int, *per_position: int, drafts: int | None = None) -> Acceptance:
    """What a drafter achieved in so many steps of as many drafts as there are positions."""
    return Acceptance(steps, steps * (drafts or len(per_position)), sum(per_position), per_position)
