"""The command line. Parses arguments, calls one function, turns its errors into one line and an exit code."""

import asyncio
import gc
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvloop

from serve import __version__, app, bench_commands, key_commands, pin_commands, server, settings, up_commands
from serve.bench_commands import KeyFile, router_at
from serve.deploy import images, manifests, memory
from serve.deploy import profile as profiles
from serve.deploy import render as rendering
from serve.deploy.bundle import collect
from serve.deploy.doctor import examine, finding, look, trials
from serve.deploy.reading import CARDS, MEMORY, healthy, take
from serve.errors import ConfigError
from serve.gate import collect as collecting
from serve.gate import compare, verdict
from serve.gate import prompts as asked_prompts
from serve.gate import report as verdicts
from serve.log_writer import LogWriter
from serve.progress import Progress
from serve.routing import language
from serve.security import keyfile
from serve.sim import run as simulating
from serve.sim.traffic import Traffic

BUNDLE = Path("polydraft-support.tar.gz")
ROOT = Path(__file__).resolve().parent.parent

_INTERRUPTED = 130
"""Exit code of what Ctrl-C ended before it was done: 128 and the signal's number."""
_GARBAGE = 20_000
"""Objects between two searches for circles, of which a request leaves none; Python's 700 are four requests' worth."""

cli = typer.Typer(
    name="polydraft",
    help="Serve one model, each request by its fastest drafter. Try: polydraft up cpu",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # frames take half of a screen
)


@cli.command(short_help="Run the router, configured by POLYDRAFT_* variables.")
def serve() -> None:
    """Run the router; it is configured by POLYDRAFT_* environment variables alone. Example: polydraft serve"""
    _log_to(sys.stdout.fileno())
    uvloop.run(_serve(settings.read()))


cli.command(short_help="Run engines and router of a profile on this machine.")(up_commands.up)
cli.command(short_help="End a profile's containers.")(up_commands.down)


@cli.command()
def sim(
    profile: up_commands.Name,
    body: Annotated[str, typer.Option(help="One of the profile's bodies.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the router.")] = 8000,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="Speed-up.")] = 1.0,
    requests: Annotated[int, typer.Option(min=0, help="Send so many; 0 serves.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="How many of them at once.")] = 2,
    policy: Annotated[str, typer.Option(help="POLYDRAFT_POLICY of the router.")] = "apply",
    table: Annotated[bool, typer.Option(help="Begin from the profile's table or not.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn.")] = 0,
    log: Annotated[Path | None, typer.Option(help="File for the access log, such as backtest reads.")] = None,
    trace: Annotated[Path | None, typer.Option(help="File for what requests take on each lane.")] = None,
) -> None:
    """Run the router before engines made of published figures. Example: polydraft sim gb10 --requests 500 --speed 20"""
    wanted = profiles.load_named(profile)
    if body and body not in wanted.bodies:
        raise ConfigError(f"{profile} has no body {body}; use one of {sorted(wanted.bodies)}")
    made = simulating.Plan(
        profile=wanted.model_copy(update={"body": body}) if body else wanted,
        speed=speed,
        seed=seed,
        traffic=Traffic(requests, concurrency),
        settings={"port": port, "policy": policy, "seed": seed},
        tabled=table,
        trace=trace,
    )
    if log:  # stays open as long as the process, whose end writes the last lines
        _log_to(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    whole = asyncio.run(simulating.simulate(made, language.load(), _say, Progress()))
    raise typer.Exit(0 if whole else _INTERRUPTED)


@cli.command(short_help="Say whether a profile's engines fit into the free memory.")
def plan(
    profile: up_commands.Name,
    idle: Annotated[
        bool, typer.Option("--idle", help="Plan for an idle box of that kind, not for this machine.")
    ] = False,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs of one copy of the engines; 0: all of the box.")] = 0,
    engine: Annotated[
        list[str] | None,
        typer.Option(help="NAME=URL of one of its engines: if it is up, it holds its part already. Again for more."),
    ] = None,
) -> None:
    """Hold a profile's engines against the memory that is free; fail if they don't fit. Example: polydraft plan gb10"""
    wanted = profiles.load_named(profile)
    urls = dict(_engine_at(each) for each in engine or ())
    pool = memory.idle(wanted) if idle else memory.free(wanted, take(MEMORY, [CARDS]), gpus or None)
    pool = memory.with_running(wanted, pool, asyncio.run(healthy(urls)))
    made = memory.plan(wanted, pool)
    _say(memory.table(made))
    raise typer.Exit(1 if made.problem else 0)


@cli.command(short_help="Say whether this machine can run a profile.")
def doctor(
    profile: Annotated[
        str,
        typer.Argument(
            help="A profile's name; without one, that of this machine.", autocompletion=up_commands.profiles_like
        ),
    ] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the router.")] = 8000,
    all_reduce: Annotated[
        bool, typer.Option("--all-reduce", help="Let two GPUs sum a tensor; a hang can keep them busy until a restart.")
    ] = False,
    python: Annotated[
        Path | None, typer.Option(help="A Python with PyTorch for --all-reduce, instead of the engine's image.")
    ] = None,
    hf_token: Annotated[str, typer.Option(envvar="HF_TOKEN", help="The model hub's token; better as HF_TOKEN.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the findings for machines instead of the table.")] = False,
) -> None:
    """Look at this machine and say whether a profile can run on it; changes nothing. Example: polydraft doctor gb10"""
    wanted = profiles.load_named(profile or examine.fitting(take([], [CARDS])))
    if all_reduce and wanted.host.tensor_parallel_size == 1:
        raise ConfigError(
            f"--all-reduce: an engine of {wanted.name} has one GPU, and sends nothing to another; leave it out"
        )
    reading = asyncio.run(look.look(wanted, port, hf_token))
    if all_reduce:
        prefix = trials.by_python(python) if python else trials.by_image(images.load(ROOT).engine.image)
        reading = replace(reading, commands={**reading.commands, **trials.run(wanted, prefix)})
    findings = examine.judge(wanted, reading)
    _say(finding.as_json(wanted.name, findings) if json else finding.table(wanted.name, findings))
    raise typer.Exit(0 if finding.go(findings) else 1)


@cli.command("support-bundle", short_help="Collect what whoever helps needs, without secrets.")
def support_bundle(
    profile: up_commands.Name,
    output: Annotated[Path, typer.Option(help="The archive to write; never over one that is there.")] = BUNDLE,
    url: Annotated[str, typer.Option(help="The router's base URL.")] = "http://127.0.0.1:8000",
    logs: Annotated[
        Path | None, typer.Option(help="Folder of *.log files, such as `docker compose logs` gave.", file_okay=False)
    ] = None,
    key_file: KeyFile = None,
) -> None:
    """Collect what whoever helps needs, without secrets, prompts and answers. Example: polydraft support-bundle gb10"""
    wanted = profiles.load_named(profile)
    base = router_at(url)
    reading = asyncio.run(look.look(wanted, urlsplit(base).port or 8000, ""))
    sources = collect.Wanted(wanted, ROOT, base, keyfile.bearer(key_file), logs, reading)
    files = asyncio.run(collect.collect(sources))
    collect.write(files, output)
    _say(f"{output}: {', '.join(files)}. Look before you send it.")


@cli.command(hidden=True)  # as `version`: who changes profiles finds it in the docs
def render(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if a file isn't what would be written.")
    ] = False,
) -> None:
    """Write compose/, k8s/values/ and, by Helm, k8s/manifests/ from the profiles. Example: polydraft render --check"""
    rendering.render(check=check, root=ROOT)
    without = "" if manifests.helm(ROOT) else ", but for k8s/manifests: no Helm here to tell"
    _say(f"every rendered file is what the profiles say{without}")


cli.command(short_help="Measure every lane of a running router.")(bench_commands.bench)
cli.command(short_help="Tell from a log what other policies would have reached.")(bench_commands.backtest)


@cli.command(short_help="Prove on a running router that every lane is lossless.")
def gate(
    url: Annotated[str, typer.Argument(help="A router's base URL.")] = "http://127.0.0.1:8000",
    dtype: Annotated[compare.Dtype, typer.Option(help="What the engines compute in.")] = compare.Dtype.BFLOAT16,
    prompts: Annotated[
        Path, typer.Option(help="TOML file of [[prompt]] tables.", show_default="the shipped ones")
    ] = asked_prompts.SHIPPED,
    max_tokens: Annotated[int, typer.Option(min=8, help="Longest answer that ends by itself, in tokens.")] = 160,
    long_tokens: Annotated[int, typer.Option(min=256, help="Length of the long answers, in tokens.")] = 256,
    samples: Annotated[int, typer.Option(min=100, help="How often the first tokens are drawn a comparison.")] = 1000,
    json: Annotated[bool, typer.Option("--json", help="Print figures for machines.")] = False,
    key_file: KeyFile = None,
) -> None:
    """Prove on a running router that every lane answers as the body would. Example: polydraft gate --dtype float32"""
    plan = collecting.Plan(asked_prompts.load(prompts), max_tokens, long_tokens, samples)
    base = router_at(url)
    evidence = asyncio.run(collecting.collect(base, plan, Progress(), keyfile.bearer(key_file)))
    checks = verdict.judge(evidence, compare.RULES[dtype])
    _say(verdicts.as_json(checks) if json else f"\n{verdicts.table(checks)}\n\n{verdicts.summary(checks)}")
    raise typer.Exit(0 if verdicts.passed(checks) else 1)


cli.command(short_help="Print what everything is built from.")(pin_commands.pins)
cli.add_typer(key_commands.cli, name="keys")


@cli.command(hidden=True)  # so that the list of commands fits a screen
def version() -> None:
    """Print the version. Example: polydraft version"""
    _say(__version__)


def _engine_at(given: str) -> tuple[str, str]:
    name, found, url = given.partition("=")
    if not (name and found and url.startswith(("http://", "https://"))):
        raise ConfigError(f"--engine: {given!r} isn't NAME=URL; write it as engine=http://127.0.0.1:8101")
    return name, url.rstrip("/")


async def _serve(wanted: settings.Settings) -> None:
    listener = server.listen(wanted)
    server.allow_files(wanted.max_connections)
    async with app.running(wanted, language.load()) as application:
        gc.collect()
        gc.freeze()  # what the start made lives as long as the process: looking at it again would hold up streams
        gc.set_threshold(_GARBAGE)
        await server.Server(server.config(wanted, application), wanted.drain_delay).serve(sockets=[listener])


def _log_to(descriptor: int) -> None:
    """Send the access log to an open file, a line a request, and nothing else."""
    logging._srcfile = None  # as logging's own page on optimisation has it: no line of the log says where
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # and by whom it was written
    access = logging.getLogger("polydraft.access")
    access.addHandler(LogWriter(descriptor))
    access.setLevel(logging.INFO)
    access.propagate = False


def _say(line: str) -> None:
    typer.echo(line)


def main() -> None:
    """Run the command line; a bad profile or setting ends it with exit code 2 and one line."""
    try:
        cli()
    except ConfigError as error:
        typer.echo(f"polydraft: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
