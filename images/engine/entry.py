"""Runs a command that serves until it is told to end, and fails if it ends by itself: the engines' entry point.

vLLM (0.32, seen) whose engine core is killed, as the kernel does when memory runs out, shuts its server down in order
and exits with 0, which a restart policy for failures takes for a success: the engine would stay away. This passes on
every signal and every other exit code.

Docker and the kubelet start a container again without asking the plan: after a crash, and after the machine was reset.
So what the plan would say is looked at here too, each time, and the GPU isn't touched where it says no. It must do
nothing else, and needs nothing but Python.

What crashes leaves no core: that could be tens of GB, with prompts in it.

- POLYDRAFT_START_GIB: what must be available of the system's memory, where the GPU shares it. Less: it ends with 0,
  which a restart policy for failures leaves alone; one that starts everything again asks again, which costs nothing.
- POLYDRAFT_STARTS: a file that outlives the container, by which starts are counted. After STARTS within HOUR it waits.
- POLYDRAFT_UNPINNED: models without a commit, which it refuses; empty allows them.
"""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
PASSED_ON = (*ENDING, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

MEMINFO = Path("/proc/meminfo")
STARTS = 3
"""As many as Docker makes with `on-failure:2`: each failed one leaks driver memory on unified memory."""
HOUR = 3600.0
LOOK = 5.0
"""Seconds between two looks at the memory, which a process that was killed may still be giving back."""
PATIENCE = 60.0
TRY_AGAIN = 75  # EX_TEMPFAIL


def refusal(environment: Mapping[str, str], meminfo: str) -> str:
    """Say why the command isn't to be started at all, given /proc/meminfo; empty if it may."""
    unpinned, needed = environment.get("POLYDRAFT_UNPINNED"), environment.get("POLYDRAFT_START_GIB")
    if unpinned:
        return (
            f"{unpinned}: no commit is pinned, so what is served could change unseen; run `polydraft pins --resolve` "
            "and render again, or set POLYDRAFT_UNPINNED to nothing"
        )
    if not needed:
        return ""
    found = re.search(r"^MemAvailable: +(\d+) kB$", meminfo, re.MULTILINE)
    if found is None:
        return "/proc/meminfo doesn't say what is available, and the GPU shares the system's memory"
    available = int(found[1]) / 2**20
    if available >= float(needed):
        return ""
    return (
        f"{available:.1f} GiB are available and {float(needed):.1f} GiB are needed, the start's peak and the system's "
        "reserve with them; stop what else holds memory, then start this again"
    )


def pause(path: Path, now: float) -> float:
    """Note a start and return 0, or the seconds until one more is due; `now` is seconds since 1970."""
    # Whatever a crash left of the file is no reason not to start.
    noted = map(float, re.findall(r"\d+\.\d+", path.read_text())) if path.exists() else ()
    recent = [each for each in noted if 0 <= now - each < HOUR]
    if len(recent) >= STARTS:
        return recent[-STARTS] + HOUR - now
    path.write_text("\n".join(map(repr, [*recent, now])))
    return 0.0


def start(
    command: Sequence[str], environment: Mapping[str, str], meminfo: Path = MEMINFO, patience: float = PATIENCE
) -> int:
    """Run the command if it may start, or may within so many seconds; returns the exit code."""
    until = time.monotonic() + patience
    while reason := refusal(environment, meminfo.read_text()):
        if time.monotonic() >= until or environment.get("POLYDRAFT_UNPINNED"):
            _say(f"not started: {reason}")
            return 0
        if not _sleep(LOOK):
            return 0
    counted = environment.get("POLYDRAFT_STARTS")
    seconds = pause(Path(counted), time.time()) if counted else 0.0
    if seconds:
        _say(f"not started: {STARTS} starts within an hour; see why they ended. The next is due in {seconds:.0f} s")
        return _sleep(seconds)
    return main(command)


def main(command: Sequence[str]) -> int:
    """Run the command, and return its exit code as a shell gives it; 1 instead of 0 if nobody told it to end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    came: list[int] = []
    children: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        for child in children:
            child.send_signal(number)

    for each in PASSED_ON:
        signal.signal(each, pass_on)
    child = subprocess.Popen(command)  # noqa: S603  what the image says
    children.append(child)
    for number in came:  # before it was there
        child.send_signal(number)
    code = child.wait()
    if code < 0:
        return 128 - code
    return code if code or set(came) & set(ENDING) else 1


def _sleep(seconds: float) -> int:
    """Wait, as the first process too, whom a signal that it hasn't asked for doesn't reach; 0 if one ended it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        return 0 if signal.sigtimedwait(ENDING, seconds) else TRY_AGAIN
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _say(text: str) -> None:
    sys.stderr.write(f"polydraft engine: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:], os.environ))
