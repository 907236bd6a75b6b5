"""Shows on standard error how far something is: a bar with the time left on a terminal, a line a tenth elsewhere."""

import sys
import time
from collections.abc import Callable

import typer

_BAR = 40  # characters
_SOON = 90  # seconds, up to which they are told as such


class Progress:
    """Is told how many of how many answers, or what else, are done; times itself from the first on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, unit: str = "answers") -> None:
        self._clock, self._unit = clock, unit
        self._first: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show it."""
        if sys.stderr.isatty():
            filled = _BAR * done // max(1, total)
            bar = "#" * filled + "." * (_BAR - filled)
            text = f"[{bar}] {done}/{total} {self._unit}{self._left(done, total)}"
            typer.echo(f"\r{text:<{_BAR + 40}}", err=True, nl=done == total)
        elif done == total or done % max(1, total // 10) == 0:
            typer.echo(f"{done}/{total} {self._unit}", err=True)

    def _left(self, done: int, total: int) -> str:
        """Say how long the rest will take if it goes on as it did since the first answer."""
        now = self._clock()
        if self._first is None:
            self._first = now, done
        began, already = self._first
        if done in (already, total):
            return ""
        seconds = (now - began) / (done - already) * (total - done)
        return f", {seconds:.0f} s left" if seconds < _SOON else f", {seconds / 60:.0f} min left"
