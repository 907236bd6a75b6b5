"""The commands that measure a running router and judge policies by what was logged. Parses, calls, prints."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from serve.backtest import run as backtesting
from serve.bench import plan as measuring
from serve.bench import prompts as asked
from serve.bench import run as benching
from serve.bench.words import summary
from serve.errors import ConfigError
from serve.progress import Progress
from serve.routing import language
from serve.security import keyfile

KeyFile = Annotated[Path | None, typer.Option(help="File with an API key of the router's.")]

_MOST = 256  # requests at once, or tokens of a draft


def router_at(url: str) -> str:
    """Take a router's address as clients are given it, with or without the API's version."""
    return url.rstrip("/").removesuffix("/v1")


def bench(
    url: Annotated[str, typer.Argument(help="A router's base URL.")] = "http://127.0.0.1:8000",
    prompts: Annotated[str, typer.Option(help="tasks, demo, or a TOML file.")] = "tasks",
    languages: Annotated[str, typer.Option(help="Only these, such as en,de.")] = "",
    tasks: Annotated[str, typer.Option(help="Only these, such as prose,code.")] = "",
    rounds: Annotated[int, typer.Option(min=1, help="Times that each prompt is asked.")] = 1,
    max_tokens: Annotated[int, typer.Option(min=8, help="Longest answer.")] = 200,
    concurrency: Annotated[str, typer.Option(help="At once, such as 1,4,16.")] = "1",
    draft_tokens: Annotated[str, typer.Option(help="Lengths to try, such as 1,2,4.")] = "",
    raw: Annotated[bool, typer.Option("--raw", help="Measure raw completions too.")] = False,
    output: Annotated[Path | None, typer.Option(help="A new folder for the results.")] = None,
    note: Annotated[str, typer.Option(help="What to say of the machine.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the order and of intervals.")] = 0,
    key_file: KeyFile = None,
) -> None:
    """Measure every lane by language and task. Example: polydraft bench --concurrency 1,4"""
    wanted = asked.chosen(asked.load(asked.named(prompts)), _listed(languages), _listed(tasks))
    plan = measuring.Plan(
        prompts=wanted,
        rounds=rounds,
        max_tokens=max_tokens,
        concurrency=_numbers("--concurrency", concurrency) or (1,),
        draft_tokens=_numbers("--draft-tokens", draft_tokens),
        raw=raw,
        seed=seed,
    )
    order = benching.Order(router_at(url), plan, output, note, keyfile.bearer(key_file))
    results, folder = asyncio.run(benching.run(order, language.load(), Progress()))
    typer.echo("\n" + summary(results))
    typer.echo(f"\n{folder}: {', '.join(benching.FILES)}")
    raise typer.Exit(benching.EXIT[results.run.end])


def backtest(
    log: Annotated[
        Path,
        typer.Argument(
            help="An access log of a router with POLYDRAFT_POLICY=apply, or a trace of sim.",
            exists=True,
            dir_okay=False,
        ),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(help="`logged`, a lane, a table's file, learner or learner=FILE. Again for more; all without."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of intervals, and of the learner's luck.")] = 0,
) -> None:
    """Tell from a log or a trace what other policies would have reached. Example: polydraft backtest router.log"""
    typer.echo(backtesting.run(log, policy or [], seed))


def _listed(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]


def _numbers(option: str, given: str) -> tuple[int, ...]:
    """Take a list of whole numbers from 1 on, such as 1,4,16; raises ConfigError for anything else."""
    listed = _listed(given)
    if not all(each.isascii() and each.isdigit() and 0 < int(each) <= _MOST for each in listed):
        raise ConfigError(f"{option}: {given!r} isn't a list of whole numbers from 1 to {_MOST}; write it as 1,4,16")
    return tuple(dict.fromkeys(map(int, listed)))
