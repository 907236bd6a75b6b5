"""The command line's part for API keys: add, list and remove them in the file that the router reads."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from serve.security import keyfile, keys

cli = typer.Typer(help="API keys: add, list and remove them. Example: polydraft keys add alice", no_args_is_help=True)
DEFAULT = Path("keys")
File = Annotated[Path, typer.Option("--file", help="The file that POLYDRAFT_KEYS_FILE names.")]
Name = Annotated[str, typer.Argument(help="Whose key it is.")]


@cli.command("add", short_help="Make a key; it is printed once.")
def add(
    name: Name,
    file: File = DEFAULT,
    stdin: Annotated[bool, typer.Option("--stdin", help="Take a key from standard input; make none.")] = False,
) -> None:
    """Make a key, and keep its digest in the file; the key is printed once. Example: polydraft keys add alice"""
    key = sys.stdin.readline().strip() if stdin else keys.mint()
    keyfile.add(file, keys.made(name, key))
    if not stdin:
        typer.echo(key)


@cli.command("list")
def listed(file: File = DEFAULT) -> None:
    """Print the names that have a key. Example: polydraft keys list"""
    for key in keyfile.read(file):
        typer.echo(key.name)


@cli.command("remove")
def remove(name: Name, file: File = DEFAULT) -> None:
    """Remove a key; a running router stops taking it within two seconds. Example: polydraft keys remove alice"""
    keyfile.remove(file, name)
