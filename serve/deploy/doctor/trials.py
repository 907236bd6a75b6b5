"""Runs the all-reduce trials, one environment after another, each in processes of its own that are killed if they hang.

The one check that works the GPUs, hence only when asked for: a hang can leave them busy until the machine restarts. The
first trial is the profile's own environment, so a profile that is right for its box hangs nothing.
"""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from serve.deploy.doctor.links import TRIALS, key
from serve.deploy.profile import Profile
from serve.deploy.reading import NOT_THERE, TOO_SLOW, Printed

PROGRAM = Path(__file__).with_name("ranks.py")
SECONDS = 60
"""A sum takes seconds; loading PyTorch on a slow disk, some more."""
_START = 120
"""Seconds on top, for a container to start."""

Prefix = Callable[[dict[str, str]], list[str]]
"""The command that runs a program from standard input under Python, given the environment's variables."""


def by_python(python: Path) -> Prefix:
    """Run it by a Python of this machine that has PyTorch."""
    return lambda variables: ["env", *(f"{name}={value}" for name, value in variables.items()), str(python), "-"]


def by_image(image: str) -> Prefix:
    """Run it in the engine's image, with no network and no privileges."""
    bounds = "--network none --shm-size 1g --cap-drop ALL --security-opt no-new-privileges --entrypoint python3"

    def command(variables: dict[str, str]) -> list[str]:
        given = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        return [
            "docker",
            "run",
            "--pull",
            "never",
            "--rm",
            "--interactive",
            "--gpus",
            "all",
            *bounds.split(),
            *given,
            image,
            "-",
        ]

    return command


def run(profile: Profile, prefix: Prefix, backend: str = "nccl", seconds: float = SECONDS) -> dict[str, Printed]:
    """Return what each trial printed, by its key; no further one is made once one has ended or broken."""
    # The ranks are on one machine: without a network, loopback is what they can meet over.
    own = {"NCCL_SOCKET_IFNAME": "lo"} | {name: variable.value for name, variable in profile.env.items()}
    printed: dict[str, Printed] = {}
    for trial in TRIALS:
        if trial and trial.items() <= own.items():
            continue
        made = _run([*prefix(own | trial), backend, str(seconds)], seconds + _START)
        printed[key(trial)] = made
        if made.code != TOO_SLOW:
            break
    return printed


def _run(command: Sequence[str], seconds: float) -> Printed:
    try:
        ended = subprocess.run(  # noqa: S603  our own program, by a Python or image that the caller names
            command,
            input=PROGRAM.read_text(encoding="utf-8"),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        return Printed(NOT_THERE, f"{command[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Printed(TOO_SLOW, f"no end after {seconds:.0f} s")
    return Printed(ended.returncode, ended.stderr + ended.stdout)
