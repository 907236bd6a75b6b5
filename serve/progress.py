"""Shows how far something is: on a terminal as a bar in one line, elsewhere as a line every tenth of the way."""

import sys

import typer

_BAR = 40
"""Characters."""


def show(done: int, total: int, unit: str = "answers") -> None:
    """Show that so many of all are done; nothing of it goes to standard output."""
    if sys.stderr.isatty():
        filled = _BAR * done // max(1, total)
        bar = "#" * filled + "." * (_BAR - filled)
        typer.echo(f"\r[{bar}] {done}/{total} {unit}", err=True, nl=done == total)
    elif done == total or done % max(1, total // 10) == 0:
        typer.echo(f"{done}/{total} {unit}", err=True)
