"""One measurement from its plan to its files. Writes only into a folder that wasn't there before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from serve import __version__
from serve.bench import policy_table
from serve.bench.measure import End, Progress, measure
from serve.bench.page import page
from serve.bench.plan import Plan
from serve.bench.results import Occasion, Results, as_json, work_out
from serve.bench.words import report
from serve.errors import ConfigError
from serve.routing.language import Identify

FILES = ("results.json", "report.md", "report.html", "table.json", "cells.toml")

EXIT: Mapping[End, int] = {"complete": 0, "failed": 1, "interrupted": 130}
"""Exit codes of the command; 130 is what a shell gives for Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure and where to write it; without a folder one is named by the time, here."""

    url: str
    plan: Plan
    output: Path | None = None
    note: str = ""
    credentials: Mapping[str, str] | None = None


async def run(order: Order, identify: Identify, progress: Progress) -> tuple[Results, Path]:
    """Measure, and write all files; gives the results, and the folder that has them.

    Raises ConfigError as `measure` does, and before anything is measured where the folder can't be a new one.
    """
    began = datetime.now(UTC)
    folder = order.output or Path(f"polydraft-bench-{began:%Y%m%dT%H%M%SZ}")
    _make(folder)
    try:
        measured = await measure(order.url, order.plan, identify, progress, order.credentials)
    except BaseException:
        folder.rmdir()
        raise
    occasion = Occasion(_written(began), _written(datetime.now(UTC)), __version__, order.note)
    results = work_out(order.plan, measured, occasion)
    _write(results, folder)
    return results, folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(
            f"--output {folder}: can't be made ({error.strerror}); name a folder that isn't there"
        ) from None


def _write(results: Results, folder: Path) -> None:
    plan, measured = results.plan, results.run
    table = policy_table.rows(measured.samples, measured.cells, plan.seed)
    source = f"`polydraft bench`, {results.occasion.began[:10]}: greedy, answers of at most {plan.max_tokens} tokens"
    source += f"; {results.occasion.note}" if results.occasion.note else ""
    first = next(iter(results.settings), None)
    texts = (
        as_json(results),
        report(results),
        page(results),
        policy_table.as_json(table),
        policy_table.as_cells(results.figures, first, source) if first else "",
    )
    for name, text in zip(FILES, texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8")


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
