"""Writes results as one HTML file that needs nothing else: plots, each with its table, in the light and in the dark."""

import re
from collections.abc import Callable, Sequence
from html import escape

from serve.bench import svg
from serve.bench.figures import Figure
from serve.bench.plan import Setting
from serve.bench.prompts import ANY
from serve.bench.results import Results
from serve.bench.svg import Plot, Point, Series
from serve.bench.tables import LANES, Table, at, tables
from serve.bench.words import headline, warned

_COLOURS = 8
_STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--paper:#fff;--faint:#d8dbe0;--warn:#fff3cd;
--c0:#5b6b7f;--c1:#0072b2;--c2:#d55e00;--c3:#009e73;--c4:#cc79a7;--c5:#b8860b;--c6:#56b4e9;--c7:#7a4fbf}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#15171a;--faint:#3a3f46;--warn:#4a3c00;
--c0:#9aa9bc;--c1:#4db0e8;--c2:#ff8f4d;--c3:#3ccf9f;--c4:#e6a3c8;--c5:#e0b84c;--c6:#8fd0f5;--c7:#b394e8}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;margin:2rem auto;
padding:0 1rem}
svg{width:100%;height:auto;font:12px system-ui,sans-serif;fill:currentColor}
.grid{stroke:var(--faint)}.whisker{stroke:var(--ink);stroke-width:1.5}polyline{fill:none;stroke-width:2}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;margin:.5rem 0 2rem}
th,td{border-bottom:1px solid var(--faint);padding:.25rem .7rem;text-align:left;white-space:nowrap}
.warn{background:var(--warn);padding:.6rem 1rem;border-radius:.3rem}
""" + "".join(f".s{n}{{fill:var(--c{n})}}.l{n}{{stroke:var(--c{n})}}" for n in range(_COLOURS))


def page(results: Results) -> str:
    """Write the page; what isn't ours in it (names of lanes, languages, notes) is escaped."""
    plots = _plots(results)
    parts = [f"<h1>Lanes, measured</h1><p>{escape(headline(results))}</p>"]
    parts += [f'<p class="warn">{escape(told)}</p>' for told in warned(results)]
    for table in tables(results):
        drawn = plots.get(table.title, "")
        parts.append(f"<h2>{escape(table.title)}</h2><p>{escape(table.said)}</p>{drawn}{_table(table)}")
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>polydraft bench</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _plots(results: Results) -> dict[str, str]:
    """Draw what belongs to each table, by its title."""
    drawn = {}
    for setting in results.settings:
        if setting.endpoint == "chat":
            drawn[f"{LANES}{at(setting)}"] = _by_cell(results, setting)
    drawn["Acceptance by position"] = _by_position(results)
    drawn["Draft lengths"] = _by_length(results)
    drawn["Load"] = _by_load(results)
    drawn["Raw completions against chat"] = _raw(results)
    return drawn


def _by_cell(results: Results, setting: Setting) -> str:
    """Draw the lanes' rates by language, and by task where there are several; by whatever cells there are else."""
    cells = results.cells(setting)
    languages = [cell for cell in cells if cell[0] != ANY and cell[1] == ANY]
    tasks = [cell for cell in cells if cell[0] == ANY and cell[1] != ANY]
    return "".join(_lanes(results, setting, group) for group in ([languages, tasks] if tasks else [languages or cells]))


def _lanes(results: Results, setting: Setting, cells: Sequence[tuple[str, str]]) -> str:
    row = [figure for cell in cells for figure in results.of(setting, *cell) if figure.way.draft_tokens is None]
    names = tuple(", ".join(part for part in cell if part != ANY) for cell in cells)
    series = _series(row, lambda figure: cells.index((figure.language, figure.task)), len(cells))
    return svg.bars(Plot("Decode rate of each lane", names, series, "tok/s"))


def _by_position(results: Results) -> str:
    own = [figure for setting in results.settings[:1] for figure in results.of(setting)]
    own = [figure for figure in own if figure.way.draft_tokens is None]
    deepest = max((len(figure.per_position) for figure in own), default=0)
    series = tuple(
        Series(figure.way.name, tuple((100 * share,) * 3 for share in figure.per_position), number % _COLOURS)
        for number, figure in enumerate(own)
        if figure.per_position
    )
    places = tuple(f"pos {place}" for place in range(deepest))
    return svg.lines(Plot("Acceptance by position", places, series, "% of steps"))


def _by_length(results: Results) -> str:
    row = [figure for setting in results.settings[:1] for figure in results.of(setting)]
    known = sorted({figure.draft_tokens for figure in row})
    series = _series(row, lambda figure: known.index(figure.draft_tokens), len(known))
    return svg.lines(Plot("Decode rate by draft length", tuple(f"n = {number}" for number in known), series, "tok/s"))


def _by_load(results: Results) -> str:
    chat = [setting for setting in results.settings if setting.endpoint == "chat"]
    row = [figure for setting in chat for figure in results.of(setting) if figure.way.draft_tokens is None]
    series = _series(row, lambda figure: chat.index(figure.setting), len(chat))
    return svg.lines(
        Plot("Decode rate by load", tuple(f"{each.concurrency} at once" for each in chat), series, "tok/s")
    )


def _raw(results: Results) -> str:
    kinds = (("chat", "chat"), ("raw", "raw completions"), ("sound", "raw without circles"))
    series = tuple(
        Series(
            name, tuple(None if (rate := getattr(each, kind)) is None else (rate,) * 3 for each in results.raw), number
        )
        for number, (kind, name) in enumerate(kinds)
    )
    return svg.bars(Plot("Raw completions against chat", tuple(each.lane for each in results.raw), series, "tok/s"))


def _series(row: Sequence[Figure], place: Callable[[Figure], int], places: int) -> tuple[Series, ...]:
    """Make a series of each lane's rates, in the same colour in every plot; a figure's place is its category."""
    found: dict[str, list[Point | None]] = {}
    for figure in sorted(row, key=lambda figure: figure.way.lane):
        found.setdefault(figure.way.lane, [None] * places)[place(figure)] = figure.rate
    return tuple(Series(lane, tuple(points), at % _COLOURS) for at, (lane, points) in enumerate(found.items()))


def _table(table: Table) -> str:
    head = "".join(f"<th>{_inline(text)}</th>" for text in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{_inline(text)}</td>" for text in row) + "</tr>" for row in table.rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _inline(text: str) -> str:
    return re.sub(r"`(.*?)`", r"<code>\1</code>", re.sub(r"\*\*(.*?)\*\*", r"<strong>\1</strong>", escape(text)))
