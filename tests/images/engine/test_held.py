"""What an engine's processes hold, read where they run: no vLLM is needed for that."""

import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from polydraft_vllm import held

MIB = 2**20
HOLDS = "import subprocess, sys; kept = b'x' * (64 << 20); "
GRANDCHILD = f"{HOLDS} print('ready', flush=True); sys.stdin.read()"
CHILD = f"{HOLDS} subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"


@pytest.fixture
def child() -> Iterator[int]:
    """A process with 64 MiB, and its own child with as much."""
    command = [sys.executable, "-c", CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()


def test_counts_a_process_and_all_that_descend_from_it(child: int) -> None:
    family = held.family(child)
    assert len(family) == 2
    assert os.getpid() not in family
    assert family < held.family(os.getpid())
    assert 128 * MIB < sum(map(held.proportional, family)) < 200 * MIB


def test_a_process_that_has_ended_holds_nothing() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert held.proportional(process.pid) == 0


class Nvml:
    """NVML with two GPUs: whose memory is used on the first, in bytes by process; not `own`: it has no size."""

    class NVMLError_NotSupported(Exception):  # noqa: N801  NVML's own name
        """What it raises where a GPU shares the machine's memory."""

    def __init__(self, used: dict[int, int | None], *, own: bool) -> None:
        self.used, self.own, self.open = used, own, 0

    def nvmlInit(self) -> None:  # noqa: N802
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        if not self.own:
            raise self.NVMLError_NotSupported
        return SimpleNamespace(used=50 * MIB, total=100 * MIB)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:  # noqa: N802
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.used.items() if handle == 0]


FULL = [held.Place(f"gpu{at}", None, 50 * MIB, 100 * MIB) for at in (0, 1)]


@pytest.mark.parametrize(
    ("used", "own", "places"),
    [
        ({7: 30 * MIB, 9: 20 * MIB}, True, [held.Place("gpu0", 30 * MIB, 50 * MIB, 100 * MIB)]),
        ({9: 20 * MIB}, True, FULL),
        ({7: None}, True, FULL),
        ({7: 30 * MIB}, False, [held.Place("gpu0", 30 * MIB)]),
        ({7: None}, False, []),
    ],
    ids=["its own", "hidden by a container", "nobody's in particular", "in the machine's memory", "nothing known"],
)
def test_of_gpus_it_tells_what_nvml_knows(used: dict[int, int | None], own: bool, places: list[held.Place]) -> None:
    nvml = Nvml(used, own=own)
    assert list(held.on_gpus({7, 8}, [0, 1], nvml)) == places
    assert nvml.open == 0
