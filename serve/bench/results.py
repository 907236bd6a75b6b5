"""All that came of a measurement, worked out once for every form that it is written in; and its JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serve.bench.figures import Figure, Interval, Rivalry, figures, lengths, rivalry
from serve.bench.measure import Run
from serve.bench.plan import Plan, Setting
from serve.bench.pools import paired, pools
from serve.bench.prompts import ANY
from serve.bench.raw import Raw, compare
from serve.bench.sample import Sample

SCHEMA = Path(__file__).with_name("results.schema.json")
VERSION = 1
"""Of the schema: it rises with every change that a reader of an older file could trip over."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """When it was measured (UTC), with which Polydraft, and what whoever measured has to say of it."""

    began: str
    ended: str
    version: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """A measurement: what was planned, what came of it, and the numbers.

    `counted` are the answers that the numbers were made of; `faults` says of each setting and way how many of its
    answers were left out, and why.
    """

    occasion: Occasion
    plan: Plan
    run: Run
    counted: int
    figures: tuple[Figure, ...]
    rivalries: tuple[Rivalry, ...]
    lengths: tuple[Rivalry, ...]
    raw: tuple[Raw, ...]
    faults: Mapping[tuple[Setting, str], Counter[str]]

    @property
    def partial(self) -> bool:
        """Whether less was measured than was planned."""
        return self.run.end != "complete"

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What there are numbers of, the first one alone on the box or nearly so."""
        measured = {figure.setting for figure in self.figures}
        return tuple(setting for setting in self.plan.settings() if setting in measured)

    def of(self, setting: Setting, language: str = ANY, task: str = ANY) -> list[Figure]:
        """Give the numbers of one cell of a setting; where all was of one language and task, of that."""
        listed = [figure for figure in self.figures if figure.setting == setting]
        found = [figure for figure in listed if (figure.language, figure.task) == (language, task)]
        if not found and language == task == ANY and len({(each.language, each.task) for each in listed}) == 1:
            return listed
        return found

    def cells(self, setting: Setting) -> list[tuple[str, str]]:
        """List the languages and tasks of a setting."""
        return list(dict.fromkeys((each.language, each.task) for each in self.figures if each.setting == setting))

    def misfiled(self) -> Counter[tuple[str, str, str, str]]:
        """Count the prompts that the router takes for another language or task: filed as, taken for."""
        taken = ((prompt, self.run.cells.get(prompt.text)) for prompt in self.plan.prompts)
        return Counter(
            (prompt.language, prompt.task, *cell)
            for prompt, cell in taken
            if cell and cell != (prompt.language, cell[1] if prompt.task == ANY else prompt.task)
        )


def work_out(plan: Plan, run: Run, occasion: Occasion) -> Results:
    """Make the numbers of what was measured; the intervals' draws are by the plan's seed."""
    made = pools(run.samples)
    chat_rivals = (rivalry(pool, plan.seed) for pool in made if pool.setting.endpoint == "chat")
    return Results(
        occasion=occasion,
        plan=plan,
        run=run,
        counted=len(paired(run.samples)),
        figures=tuple(figure for pool in made for figure in figures(pool, plan.seed)),
        rivalries=tuple(each for each in chat_rivals if each),
        lengths=tuple(each for pool in made if pool.task == ANY for each in lengths(pool, plan.seed)),
        raw=tuple(compare(run.samples)),
        faults=_faults(run.samples),
    )


def as_json(results: Results) -> str:
    """Write the results as `results.schema.json` describes them."""
    plan, run = results.plan, results.run
    numbers = {prompt.text: number for number, prompt in enumerate(plan.prompts)}
    document = {
        "schema": VERSION,
        "kind": "polydraft-bench",
        **asdict(results.occasion),
        "versions": dict(run.versions),
        "end": run.end,
        "why": run.why,
        "plan": {
            "prompts": len(plan.prompts),
            "rounds": plan.rounds,
            "max_tokens": plan.max_tokens,
            "concurrency": list(plan.concurrency),
            "draft_tokens": list(plan.draft_tokens),
            "raw": plan.raw,
            "seed": plan.seed,
        },
        "answers": {"asked": len(run.samples), "counted": results.counted, "warm_up": run.warm_up},
        "refused": run.refused,
        "figures": [_figure(figure) for figure in results.figures],
        "rivalries": [_rivalry(each) for each in results.rivalries],
        "draft_lengths": [_rivalry(each) for each in results.lengths],
        "raw": [{**asdict(each), "inflated": each.inflated} for each in results.raw],
        "faults": [
            {**setting._asdict(), "way": way, "answers": faults.total(), "faults": _only_faults(faults)}
            for (setting, way), faults in results.faults.items()
        ],
        "misfiled": [
            {"language": language, "task": task, "as_language": as_language, "as_task": as_task, "prompts": number}
            for (language, task, as_language, as_task), number in results.misfiled().items()
        ],
        "samples": [_sample(sample, numbers[sample.prompt.text]) for sample in run.samples],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _faults(samples: Sequence[Sample]) -> dict[tuple[Setting, str], Counter[str]]:
    found: dict[tuple[Setting, str], Counter[str]] = {}
    for sample in samples:
        found.setdefault((sample.setting, sample.way.name), Counter())[sample.fault or ""] += 1
    return found


def _only_faults(counted: Counter[str]) -> dict[str, int]:
    return {fault: number for fault, number in counted.items() if fault}


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        **figure.setting._asdict(),
        "language": figure.language,
        "task": figure.task,
        "lane": figure.way.lane,
        "forced_draft_tokens": figure.way.draft_tokens,
        "draft_tokens": figure.draft_tokens,
        "answers": figure.answers,
        "prompts": figure.prompts,
        "decode_rate": _interval(figure.rate),
        "gain_over_body": _interval(figure.gain) if figure.gain else None,
        "acceptance_length": figure.acceptance_length,
        "accepted_by_position": list(figure.per_position),
        "time_to_first_token": figure.first_token,
    }


def _rivalry(each: Rivalry) -> dict[str, Any]:
    return {
        **each.setting._asdict(),
        "language": each.language,
        "task": each.task,
        "winner": each.first.name if each.decided else None,
        "why_none": each.why or None,
        "first": each.first.name,
        "second": each.second.name,
        "gain": _interval(each.gain),
        "prompts": each.prompts,
    }


def _interval(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _sample(sample: Sample, prompt: int) -> dict[str, Any]:
    """Write one answer's numbers and its prompt's place in the file; neither of their texts."""
    accepted = sample.acceptance
    return {
        **sample.setting._asdict(),
        "language": sample.prompt.language,
        "task": sample.prompt.task,
        "prompt": prompt,
        "turn": sample.turn,
        "lane": sample.way.lane,
        "forced_draft_tokens": sample.way.draft_tokens,
        "tokens": sample.tokens,
        "seconds": sample.seconds,
        "time_to_first_token": sample.first,
        "fault": sample.fault,
        "num_spec_steps": accepted.num_spec_steps if accepted else None,
        "num_draft_tokens": accepted.num_draft_tokens if accepted else None,
        "accepted_per_pos": list(accepted.accepted_per_pos) if accepted else None,
    }
