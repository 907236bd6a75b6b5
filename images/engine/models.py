"""Fetches models into the cache, or waits until they lie there whole: what comes before the memory plan.

Whether a commit is there is told by the list of its files that the hub's client keeps beside them, and by their sizes.
So what is there is neither fetched nor asked for again. Waiting asks nobody, and takes the cache for reading alone. It
must never decide which models there are.

`models.py fetch ORG/NAME@COMMIT ...`, or `models.py wait --seconds 3600 ORG/NAME@COMMIT ...`; without a commit a model
is what the hub has under its name. Ends with 0 once all is there, with 1 and a line if it can't be had in time.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from huggingface_hub import get_cached_repo_tree, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import CachedRepoTreeNotFoundError
from huggingface_hub.utils import disable_progress_bars

LOOK = 2.0
"""Seconds between two looks."""
WORD = 30.0
"""Seconds between two words about what is missing."""
UNKNOWN = "its download hasn't begun"


def missing(named: str) -> str:
    """Say what isn't there of a model, empty if nothing; without a commit, of what its name stood for when fetched."""
    model, commit = _split(named)
    try:
        files = get_cached_repo_tree(model, revision=commit)
    except CachedRepoTreeNotFoundError:
        return UNKNOWN
    there = [each for each in files if _holds(model, commit, each.path, each.size)]
    if len(there) == len(files):
        return ""
    held, whole = (sum(each.size for each in some) / 2**30 for some in (there, files))
    return f"{len(there)} of {len(files)} files are there, {held:.1f} of {whole:.1f} GiB"


def fetch(models: Sequence[str]) -> int:
    """Fetch what isn't there, going on where an earlier try stopped; returns the exit code."""
    for named in models:
        model, commit = _split(named)
        if commit is None or missing(named):  # what floats may have moved
            try:
                with _telling(named):
                    snapshot_download(model, revision=commit)
            except Exception as error:  # the client's own, its HTTP library's, the disk's: each ends this try
                _say(f"{named}: {' '.join(str(error).split())}")
                return 1
        left = missing(named)
        # Without the list the client has found files that others put there, and no hub to ask.
        _say(f"{named}: " + ("taken as it lies in the cache: the hub doesn't answer" if left else "in the cache"))
    return 0


def wait(models: Sequence[str], seconds: float) -> int:
    """Wait for models for so long; returns the exit code."""
    until, said = time.monotonic() + seconds, 0.0
    while left := {named: why for named in models if (why := missing(named))}:
        now = time.monotonic()
        if now >= until:
            _say(f"not complete after {seconds:.0f} s: {_listed(left)}; see how their download fares")
            return 1
        if not said or now - said >= WORD:
            said = now
            _say(f"waiting for {_listed(left)}")
        time.sleep(min(LOOK, max(0.0, until - now)))
    _say(f"in the cache: {', '.join(models)}")
    return 0


@contextmanager
def _telling(named: str) -> Iterator[None]:
    """Say how far a download is, every half a minute while it lasts."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(WORD):
            _say(f"{named}: {missing(named) or 'all files are there'}")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _split(named: str) -> tuple[str, str | None]:
    model, _, commit = named.partition("@")
    return model, commit or None


def _holds(model: str, commit: str | None, path: str, size: int) -> bool:
    found = try_to_load_from_cache(model, path, revision=commit)
    return isinstance(found, str) and os.path.getsize(found) == size


def _listed(left: dict[str, str]) -> str:
    return "; ".join(f"{named}: {why}" for named, why in left.items())


def _say(text: str) -> None:
    sys.stderr.write(f"polydraft models: {text}\n")
    sys.stderr.flush()


def _end(number: int, _frame: FrameType | None) -> None:
    """End at once, as the first process too and while threads fetch: what came stays, and the next try goes on."""
    os._exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    disable_progress_bars()
    parser = argparse.ArgumentParser(description="Fetch models into the cache, or wait until they are there.")
    parser.add_argument("do", choices=("fetch", "wait"))
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long to wait")
    parser.add_argument("models", nargs="+", help="ORG/NAME@COMMIT, or ORG/NAME for whatever the hub has")
    given = parser.parse_args()
    sys.exit(fetch(given.models) if given.do == "fetch" else wait(given.models, given.seconds))
