"""The command line's part for the pins: show, check, resolve, ask what is newer, take back."""

import asyncio
from pathlib import Path
from typing import Annotated

import aiohttp
import typer

from serve.deploy import pins as pinning
from serve.deploy import registry
from serve.deploy.rollback import rollback
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


def pins(
    resolve: Annotated[
        bool,
        typer.Option("--resolve", help="Read what is unresolved from the registry and the model hub, and write it."),
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Print nothing; fail if anything is unresolved.")] = False,
    newer: Annotated[bool, typer.Option("--newer", help="Ask what is newer than its pin, and change nothing.")] = False,
    back: Annotated[
        bool, typer.Option("--rollback", help="Take pins and locks back to what git has from before their last change.")
    ] = False,
) -> None:
    """Print what everything is built from: images/pins.toml as a table. Example: polydraft pins --check"""
    path = ROOT / pinning.PINS
    if resolve:
        asyncio.run(_resolve(path))
    if newer:
        return typer.echo(asyncio.run(_newer(pinning.load(path))))
    if back:
        commit, files = rollback(ROOT)
        if not files:
            return typer.echo(f"what wasn't committed is gone, and all is as of {commit}; now run `polydraft render`")
        undo = f"git restore --staged --worktree {' '.join(files)}"
        return typer.echo(
            f"as of {commit}: {', '.join(files)}; now `polydraft render`, build and commit (or go back: {undo})"
        )
    wanted = pinning.load(path)
    if check:
        pinning.check(wanted)
    else:
        typer.echo(pinning.table(wanted))
    return None


async def _newer(wanted: pinning.Pins) -> str:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), trust_env=True) as client:
        findings = await registry.newest(wanted.all, client)
    unread = f"\n\n{len(findings.failed)} couldn't be asked for: {findings.reasons()}" if findings.failed else ""
    return pinning.news(wanted, findings.found) + unread


async def _resolve(path: Path) -> None:
    """Fill unresolved pins; raises ConfigError for those that couldn't be read, after writing the others."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), trust_env=True) as client:
        findings = await registry.resolve(pinning.load(path).unresolved(), client)
    pinning.write(path, findings.found)
    if findings.failed:
        filled, missing = len(findings.found), len(findings.failed)
        raise ConfigError(f"{filled} pins resolved, {missing} not ({findings.reasons()}); run it where these answer")
