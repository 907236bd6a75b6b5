"""Turns samples into the numbers of a language on a lane, and those into a table for people and one for profiles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from serve.bench.measure import Sample
from serve.bench.prompts import ANY


@dataclass(frozen=True, slots=True)
class Figure:
    """What one lane achieved in one language and task, pooled over `requests` answers.

    `acceptance_length` is 1 + accepted / steps, None without a drafter; `decode_rate` is output tokens per second after
    the first; `slowest` and `fastest` are the extremes of single answers; `per_position` is the share of steps that
    accepted the draft at each position.
    """

    language: str
    task: str
    lane: str
    requests: int
    acceptance_length: float | None
    decode_rate: float
    slowest: float
    fastest: float
    per_position: tuple[float, ...] = ()


def counted(samples: Iterable[Sample]) -> list[Sample]:
    """Keep the answers that say something of speed: not those of one token, nor those that went round in circles."""
    return [sample for sample in samples if sample.tokens > 1 and sample.seconds > 0 and not sample.repeats]


def figures(samples: Iterable[Sample]) -> list[Figure]:
    """Pool samples by language, task and lane, in the order in which they first came."""
    cells: dict[tuple[str, str, str], list[Sample]] = {}
    for sample in counted(samples):
        cells.setdefault((sample.prompt.language, sample.prompt.task, sample.lane), []).append(sample)
    return [_figure(*where, cell) for where, cell in cells.items()]


def markdown(figures: Sequence[Figure]) -> str:
    """Write a Markdown table: a row a language, a column a lane, `acceptance length / decode rate`, fastest bold."""
    lanes = list(dict.fromkeys(figure.lane for figure in figures))
    lines = ["| answer in | " + " | ".join(f"`{lane}`" for lane in lanes) + " |", "| --- |" + " --- |" * len(lanes)]
    for where, row in _rows(figures).items():
        best = max(row.values(), key=lambda figure: figure.decode_rate)
        texts = (_text(row[lane], bold=row[lane] is best) if lane in row else "" for lane in lanes)
        lines.append(f"| {_where(where)} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def cells(figures: Sequence[Figure]) -> str:
    """Write the lanes of each language as a profile has them, fastest first."""
    blocks = []
    for (language, task), row in _rows(figures).items():
        ranked = sorted(row.values(), key=lambda figure: -figure.decode_rate)
        lanes = ",\n".join(f"  {{ {_fields(figure)} }}" for figure in ranked)
        blocks.append(f'language = "{language}"\ntask = "{task}"\nlanes = [\n{lanes},\n]')
    return "\n\n".join(blocks)


def positions(figures: Sequence[Figure]) -> str:
    """Write a Markdown table of the drafts accepted at each position, in percent of steps; empty without drafters."""
    drafting = [figure for figure in figures if figure.per_position]
    if not drafting:
        return ""
    most = max(len(figure.per_position) for figure in drafting)
    lines = ["| answer in | lane | " + " | ".join(map(str, range(most))) + " |", "| --- | --- |" + " --- |" * most]
    for figure in drafting:
        shares = [f"{share:.0%}" for share in figure.per_position] + [""] * (most - len(figure.per_position))
        lines.append(f"| {_where((figure.language, figure.task))} | `{figure.lane}` | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def _figure(language: str, task: str, lane: str, cell: Sequence[Sample]) -> Figure:
    rates = [(sample.tokens - 1) / sample.seconds for sample in cell]
    steps = sum(sample.acceptance.num_spec_steps for sample in cell if sample.acceptance)
    accepted = sum(sample.acceptance.num_accepted_draft_tokens for sample in cell if sample.acceptance)
    return Figure(
        language=language,
        task=task,
        lane=lane,
        requests=len(cell),
        acceptance_length=1 + accepted / steps if steps else None,  # vLLM counts the bonus token
        decode_rate=sum(sample.tokens - 1 for sample in cell) / sum(sample.seconds for sample in cell),
        slowest=min(rates),
        fastest=max(rates),
        per_position=_per_position(cell, steps),
    )


def _per_position(cell: Sequence[Sample], steps: int) -> tuple[float, ...]:
    accepted = [sample.acceptance.accepted_per_pos for sample in cell if sample.acceptance]
    return tuple(sum(column) / steps for column in zip_longest(*accepted, fillvalue=0)) if steps else ()


def _where(where: tuple[str, str]) -> str:
    return where[0] if where[1] == ANY else ", ".join(where)


def _rows(figures: Sequence[Figure]) -> dict[tuple[str, str], dict[str, Figure]]:
    rows: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in figures:
        rows.setdefault((figure.language, figure.task), {})[figure.lane] = figure
    return rows


def _text(figure: Figure, *, bold: bool) -> str:
    length = "" if figure.acceptance_length is None else f"{figure.acceptance_length:.2f} / "
    text = f"{length}{figure.decode_rate:.0f} tok/s"
    return f"**{text}**" if bold else text


def _fields(figure: Figure) -> str:
    fields = [f'lane = "{figure.lane}"']
    if figure.acceptance_length is not None:
        fields.append(f"acceptance-length = {figure.acceptance_length:.2f}")
    return ", ".join([*fields, f"decode-rate = {figure.decode_rate:.1f}"])
