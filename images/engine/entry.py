"""Runs a command that serves until it is told to end, and fails if it ends by itself: the engines' entry point.

vLLM (0.32, seen) whose engine core is killed, as the kernel does when memory runs out, shuts its server down in order
and exits with 0, which a restart policy for failures takes for a success: the engine would stay away. This passes on
every signal and every other exit code, and must do nothing else.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
PASSED_ON = (*ENDING, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def main(command: Sequence[str]) -> int:
    """Run the command, and return its exit code as a shell gives it; 1 instead of 0 if nobody told it to end."""
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
