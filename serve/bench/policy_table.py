"""Makes of a measurement the table that a router decides by, and the cells of a profile. Writes no file.

Rows are of the language and task that the router itself takes a prompt for, since that is how it looks them up. A row
is there where a lane has won; the other requests fall to the row of their language, of their task, or of all.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from serve.bench.figures import Figure, figures, rivalry
from serve.bench.plan import Setting
from serve.bench.pools import Pool, pools
from serve.bench.prompts import ANY, Prompt
from serve.bench.sample import Sample
from serve.routing.policy import Candidate, Row


def rows(samples: Sequence[Sample], cells: Mapping[str, tuple[str, str]], seed: int) -> tuple[Row, ...]:
    """Make the table of the chat endpoint at the lowest concurrency, in the lanes' own draft lengths.

    `cells` is what the router takes each prompt for. Where nothing was won over all, the body comes first in the last
    row: no drafter is to be tried that isn't known to be faster.
    """
    settings = [sample.setting for sample in samples if sample.setting.endpoint == "chat"]
    if not settings:
        return ()
    lowest = min(settings, key=lambda setting: setting.concurrency)
    wanted = [_seen(each, cells) for each in samples if each.setting == lowest and each.way.draft_tokens is None]
    found: list[Row] = []
    for pool in pools(wanted):
        rival = rivalry(pool, seed)
        if rival is None or rival.decided:
            found.append(_row(pool, seed, decided=True))
        elif pool.language == pool.task == ANY:
            found.append(_row(pool, seed, decided=False))
    return tuple(found)


def as_json(table: Iterable[Row]) -> str:
    """Write a table as `POLYDRAFT_TABLE_FILE` has it, a row a line."""
    lines = []
    for row in table:
        known = [{name: value for name, value in asdict(each).items() if value is not None} for each in row.candidates]
        lines.append(json.dumps({"language": row.language, "task": row.task, "candidates": known}))
    return "[\n" + ",\n".join(lines) + "\n]\n"


def as_cells(found: Iterable[Figure], setting: Setting, source: str) -> str:
    """Write the lanes of each language and task of a setting as a profile has them, fastest first."""
    by_cell: dict[tuple[str, str], list[Figure]] = {}
    for figure in found:
        if figure.setting == setting and figure.way.draft_tokens is None:
            by_cell.setdefault((figure.language, figure.task), []).append(figure)
    blocks = []
    for (language, task), listed in by_cell.items():
        lanes = ",\n".join(f"  {{ {_fields(each)} }}" for each in sorted(listed, key=lambda each: -each.rate.value))
        head = f'[[bodies.BODY.cells]]\nlanguage = "{language}"\ntask = "{task}"\nsource = {json.dumps(source)}'
        blocks.append(f"{head}\nlanes = [\n{lanes},\n]\n")
    return "\n".join(blocks)


def _seen(sample: Sample, cells: Mapping[str, tuple[str, str]]) -> Sample:
    text = sample.prompt.text
    language, task = cells.get(text, (sample.prompt.language, sample.prompt.task))
    told_apart = sample.prompt.task != ANY
    return replace(sample, prompt=Prompt(language, text, task if told_apart else ANY))


def _row(pool: Pool, seed: int, *, decided: bool) -> Row:
    ranked = sorted(figures(pool, seed), key=lambda each: (not decided and bool(each.draft_tokens), -each.rate.value))
    return Row(
        pool.language,
        pool.task,
        tuple(
            Candidate(
                each.way.lane,
                None if each.acceptance_length is None else round(each.acceptance_length, 3),
                round(each.rate.value, 2),
            )
            for each in ranked
        ),
    )


def _fields(figure: Figure) -> str:
    fields = [f'lane = "{figure.way.lane}"']
    if figure.acceptance_length is not None:
        fields.append(f"acceptance-length = {figure.acceptance_length:.2f}")
    return ", ".join([*fields, f"decode-rate = {figure.rate.value:.1f}"])
