"""Writes results as Markdown tables: lanes by language and task, draft lengths, positions, raw completions.

What is a table here is rows of texts, so that the page beside its plots shows the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serve.bench.figures import Figure, Interval, Rivalry
from serve.bench.plan import Setting
from serve.bench.prompts import ANY
from serve.bench.results import Results

LANES = "Lanes: "
"""How the titles of the tables of lanes by language and task begin; the setting follows."""


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what it says, its head, its rows; texts may mark what is **bold**."""

    title: str
    said: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(results: Results) -> list[Table]:
    """Give all tables of a measurement that have anything in them."""
    made = [_lanes(results, setting) for setting in results.settings if setting.endpoint == "chat"]
    made += [_speedups(results), _sweep(results), _load(results), _positions(results), _positions_by_language(results)]
    made += [_raw(results), _left_out(results), _misfiled(results)]
    return [table for table in made if table.rows]


def markdown(table: Table) -> str:
    """Write a table."""
    lines = [_line(table.head), "|" + " --- |" * len(table.head), *map(_line, table.rows)]
    return f"## {table.title}\n\n{table.said}\n\n" + "\n".join(lines)


def where(language: str, task: str) -> str:
    """Name a language and task for people."""
    named = "all" if language == ANY else language
    return named if task == ANY else f"{named}, {task}"


def at(setting: Setting) -> str:
    """Name a setting for people."""
    endpoint = "chat" if setting.endpoint == "chat" else "raw completions"
    return f"{endpoint}, {setting.concurrency} at once" if setting.concurrency > 1 else f"{endpoint}, one at a time"


def _lanes(results: Results, setting: Setting) -> Table:
    cells = [(cell, _own(results.of(setting, *cell))) for cell in results.cells(setting)]
    lanes = tuple(dict.fromkeys(figure.way.lane for _, row in cells for figure in row))
    rivals = {(each.language, each.task): each for each in results.rivalries if each.setting == setting}
    rows = []
    for cell, row in cells:
        rival = rivals.get(cell)
        won = rival.first if rival and rival.decided else None
        by_lane = {figure.way.lane: figure for figure in row}
        texts = (_lane(by_lane[lane], bold=by_lane[lane].way == won) if lane in by_lane else "" for lane in lanes)
        rows.append((where(*cell), str(row[0].prompts), *texts, _winner(rival)))
    said = "Acceptance length / output tokens a second after the first, with 95 % intervals; a winner is bold."
    return Table(f"{LANES}{at(setting)}", said, ("answer in", "prompts", *map(_code, lanes), "winner"), tuple(rows))


def _speedups(results: Results) -> Table:
    rows = []
    for setting in results.settings:
        row = _own(results.of(setting)) if setting.endpoint == "chat" else []
        body = next((figure for figure in row if figure.gain is None), None)
        for figure in row if body else ():
            if figure.gain and body:
                accepted = sum(figure.per_position) / figure.draft_tokens if figure.draft_tokens else 0.0
                gain = f"{_figures(figure.gain, 2)}×"
                rates = (f"{body.rate.value:.1f}", f"{figure.rate.value:.1f}")
                rows.append(
                    (at(setting), _code(figure.way.lane), str(figure.draft_tokens), *rates, gain, f"{accepted:.1%}")
                )
    head = ("setting", "drafter", "n", "base t/s", "with it t/s", "speedup (95 %)", "draft acceptance")
    return Table("Speed-up over the body", "Over all prompts.", head, tuple(rows))


def _sweep(results: Results) -> Table:
    rows, best = [], {(each.setting, each.first.lane): each for each in results.lengths if each.language == ANY}
    for setting in results.settings:
        row = [figure for figure in results.of(setting) if figure.draft_tokens]
        swept = {figure.way.lane for figure in row if figure.way.draft_tokens is not None}
        for figure in sorted(row, key=lambda each: (each.way.lane, each.draft_tokens)):
            if figure.way.lane in swept:
                rival = best.get((setting, figure.way.lane))
                bold = bool(rival and rival.decided and rival.first == figure.way)
                rate = _bold(f"{_figures(figure.rate, 1)} tok/s", bold=bold)
                length = f"{figure.acceptance_length or 1:.2f}"
                first = f"{figure.per_position[0]:.1%}" if figure.per_position else ""
                rows.append((at(setting), _code(figure.way.lane), str(figure.draft_tokens), rate, first, length))
    said = "Over all prompts; a draft length that is faster than the lane's next best beyond doubt is bold."
    head = ("setting", "lane", "n", "throughput (95 %)", "pos-0 acceptance", "acceptance length")
    return Table("Draft lengths", said, head, tuple(rows))


def _load(results: Results) -> Table:
    chat = [setting for setting in results.settings if setting.endpoint == "chat"]
    lanes = tuple(dict.fromkeys(figure.way.lane for setting in chat for figure in _own(results.of(setting))))
    rows = []
    for setting in chat if len(chat) > 1 else ():
        by_lane = {figure.way.lane: figure for figure in _own(results.of(setting))}
        texts = (_loaded(by_lane.get(lane)) for lane in lanes)
        rows.append((str(setting.concurrency), *texts))
    said = "Tokens a second of one request (95 %), and the median wait for its first token, over all prompts."
    return Table("Load", said, ("at once", *map(_code, lanes)), tuple(rows))


def _positions(results: Results) -> Table:
    row = [figure for setting in results.settings[:1] for figure in results.of(setting) if figure.per_position]
    deepest = max((len(figure.per_position) for figure in row), default=0)
    rows = [(f"pos {place}", *(_share(figure, place) for figure in row)) for place in range(deepest)]
    said = "Share of steps that accepted the draft at each position, over all prompts."
    head = ("position", *(_code(figure.way.name) for figure in row))
    return Table("Acceptance by position", said, head, tuple(rows))


def _positions_by_language(results: Results) -> Table:
    drafting = [
        figure
        for setting in results.settings[:1]
        for figure in _own(list(results.figures))
        if figure.setting == setting and figure.per_position and figure.language != ANY and figure.task == ANY
    ]
    deepest = max((len(figure.per_position) for figure in drafting), default=0)
    rows = [
        (figure.language, _code(figure.way.lane), *(_share(figure, place) for place in range(deepest)))
        for figure in drafting
    ]
    head = ("answer in", "lane", *(f"pos {place}" for place in range(deepest)))
    return Table("Acceptance by position and language", "Share of steps.", head, tuple(rows))


def _raw(results: Results) -> Table:
    rows = [
        (
            _code(each.lane),
            _rate(each.chat, each.chat_length),
            _rate(each.raw, each.raw_length),
            "" if each.chat is None or each.raw is None else f"{each.raw / each.chat:.2f}×",
            f"{each.circles:.0%}",
            _rate(each.sound, None),
            "inflated" if each.inflated else "",
        )
        for each in results.raw
    ]
    said = "The same prompts without the chat template: what goes in circles is easy to predict, and wanted by nobody."
    head = ("lane", "chat", "raw completions", "raw / chat", "raw in circles", "raw without these", "")
    return Table("Raw completions against chat", said, head, tuple(rows))


def _left_out(results: Results) -> Table:
    rows = []
    for (setting, way), counted in results.faults.items():
        faults = {fault: number for fault, number in counted.items() if fault}
        if faults:
            told = ", ".join(f"{fault} {number}" for fault, number in faults.items())
            rows.append((at(setting), _code(way), f"{sum(faults.values())} of {counted.total()}", told))
    said = (
        "A prompt counts where every lane answered it soundly, so that each of these left out its prompt for all lanes."
    )
    return Table("Answers that count for nothing", said, ("setting", "lane", "answers", "why"), tuple(rows))


def _misfiled(results: Results) -> Table:
    rows = [
        (where(language, task), where(as_language, as_task), str(number))
        for (language, task, as_language, as_task), number in results.misfiled().items()
    ]
    said = "Their rates stand above where they were filed, in the policy table where the router looks them up."
    return Table("Prompts that the router takes for others", said, ("filed as", "taken for", "prompts"), tuple(rows))


def _own(row: Sequence[Figure]) -> list[Figure]:
    return [figure for figure in row if figure.way.draft_tokens is None]


def _lane(figure: Figure, *, bold: bool) -> str:
    length = "" if figure.acceptance_length is None else f"{figure.acceptance_length:.2f} / "
    return _bold(f"{length}{_figures(figure.rate, 0)}", bold=bold)


def _winner(rival: Rivalry | None) -> str:
    if rival is None:
        return ""
    if rival.decided:
        return f"{rival.first.name}, {_figures(rival.gain, 2)}× {rival.second.name}"
    return f"no winner: {rival.why}"


def _loaded(figure: Figure | None) -> str:
    if figure is None:
        return ""
    wait = "" if figure.first_token is None else f", {figure.first_token:.2f} s"
    return f"{_figures(figure.rate, 1)}{wait}"


def _share(figure: Figure, place: int) -> str:
    return f"{figure.per_position[place]:.1%}" if place < len(figure.per_position) else ""


def _rate(rate: float | None, length: float | None) -> str:
    if rate is None:
        return "none"
    return (f"{length:.2f} / " if length else "") + f"{rate:.1f}"


def _figures(interval: Interval, digits: int) -> str:
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f}–{interval.high:.{digits}f})"


def _bold(text: str, *, bold: bool) -> str:
    return f"**{text}**" if bold else text


def _code(name: str) -> str:
    return f"`{name}`"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
