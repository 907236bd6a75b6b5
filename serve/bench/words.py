"""Says in words what a measurement was and what came of it: a headline, a Markdown file, a terminal's lines."""

from dataclasses import replace

from serve.bench.prompts import ANY
from serve.bench.raw import warnings
from serve.bench.results import Results
from serve.bench.tables import LANES, Table, markdown, tables, where


def headline(results: Results) -> str:
    """Say what was measured, when and with what."""
    plan, run, occasion = results.plan, results.run, results.occasion
    engines = run.versions.get("vllm")
    known = engines.values() if isinstance(engines, dict) else ()
    vllm = ", ".join(sorted({each for each in known if isinstance(each, str)}))
    rounds = f"{plan.rounds} round{'s' if plan.rounds > 1 else ''}"
    parts = [
        *(["PARTIAL"] if results.partial else []),
        f"{occasion.began[:10]}, polydraft {occasion.version}" + (f" on vLLM {vllm}" if vllm else ""),
        *([occasion.note] if occasion.note else []),
        f"{len(plan.prompts)} prompts, {rounds}, greedy, answers of at most {plan.max_tokens} tokens",
        f"{results.counted} of {len(run.samples)} answers counted, {run.warm_up} more discarded as warm-up",
    ]
    return "; ".join(parts) + "."


def report(results: Results) -> str:
    """Write the Markdown file."""
    parts = ["# Lanes, measured", headline(results), *warned(results), *map(markdown, tables(results))]
    return "\n\n".join(parts) + "\n"


def summary(results: Results) -> str:
    """Write what a terminal shows: the tables, without each language's tasks, which are in the files."""
    shown = [_wide(results, table) if table.title.startswith(LANES) else table for table in tables(results)]
    return "\n\n".join([headline(results), *warned(results), *map(markdown, shown)])


def _wide(results: Results, table: Table) -> Table:
    cells = [cell for setting in results.settings for cell in results.cells(setting)]
    narrow = {where(*cell) for cell in cells if ANY not in cell}
    rows = tuple(row for row in table.rows if row[0] not in narrow)
    return replace(table, rows=rows) if rows else table


def warned(results: Results) -> list[str]:
    """Say what must be known of the numbers before they are believed."""
    told = [f"This is a part: {results.run.why}."] if results.partial else []
    if not results.figures:
        told.append("No number: no prompt was answered soundly in every lane.")
    told += [f"Warning: {each}." for each in warnings(results.raw)]
    told += [f"Not measured: {way}. {why}" for way, why in results.run.refused.items()]
    return told
