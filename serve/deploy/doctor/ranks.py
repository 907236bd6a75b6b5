"""Lets two ranks sum a tensor, and gives up after a while: the program of the all-reduce trial.

Runs by itself under any Python with PyTorch, the engine image's above all, and reads nothing but its arguments: backend
(`nccl`, or `gloo` where there is no GPU) and seconds. Exit code 0: the sum was right; 124: a rank hung, and was killed;
1: a rank broke, and said why.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

RANKS = 2
ROUNDS = 3
HUNG = 124
PATIENCE = 5.0
"""Seconds for a rank whose peer has broken."""


def main(backend: str, seconds: float) -> int:
    """Start the ranks, wait for them for so many seconds, and print one line about how it went."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        children = [start(rank, backend, folder) for rank in range(RANKS)]
        codes = wait(children, started + seconds)
        stages = [Path(folder, f"rank{rank}").read_text(encoding="utf-8") for rank in range(RANKS)]
    told = "; ".join(f"rank {rank} {stage}" for rank, stage in enumerate(stages))
    if None in codes:
        print(f"no end after {seconds:.0f} s: {told}")  # noqa: T201
        return HUNG
    print(told if any(codes) else f"{stages[0]}, {time.monotonic() - started:.1f} s in all")  # noqa: T201
    return int(any(codes))


def start(rank: int, backend: str, folder: str) -> int:
    """Start a rank as a process; PyTorch is loaded there, since CUDA doesn't survive a fork."""
    Path(folder, f"rank{rank}").write_text("hadn't loaded PyTorch", encoding="utf-8")
    child = os.fork()
    if child:
        return child
    try:
        reduce(rank, backend, folder)
    except BaseException as error:
        say(folder, rank, f"broke: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        os._exit(1)
    os._exit(0)


def reduce(rank: int, backend: str, folder: str) -> None:
    """Join the other rank and sum with it; each stage is written down, so that a hang shows where it is."""
    import torch  # type: ignore[import-not-found,unused-ignore]
    from torch import distributed  # type: ignore[import-not-found,unused-ignore]

    say(folder, rank, "hadn't joined")
    if backend == "nccl":
        torch.cuda.set_device(rank)
    store = distributed.FileStore(f"{folder}/store", RANKS)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=RANKS)
    say(folder, rank, "had joined, without a sum")
    for _ in range(ROUNDS):
        summed = torch.full((1 << 20,), float(rank + 1), device=f"cuda:{rank}" if backend == "nccl" else "cpu")
        distributed.all_reduce(summed)
        if float(summed.min()) != 3.0 or float(summed.max()) != 3.0:
            raise ValueError(f"a sum of 1 and 2 came out as {float(summed.min())} to {float(summed.max())}")
    version = ".".join(map(str, torch.cuda.nccl.version())) if backend == "nccl" else torch.__version__
    say(folder, rank, f"{RANKS} ranks summed {ROUNDS} times 4 MiB over {backend} {version}")


def say(folder: str, rank: int, stage: str) -> None:
    """Write down how far a rank has come."""
    beside = Path(folder, f"rank{rank}.new")
    beside.write_text(stage, encoding="utf-8")
    beside.replace(Path(folder, f"rank{rank}"))


def wait(children: list[int], deadline: float) -> list[int | None]:
    """Return the ranks' exit codes, None for one that had to be killed because it hadn't ended by the deadline.

    Once a rank has broken the other can only wait for it: it gets a few seconds, and counts as broken too.
    """
    codes: dict[int, int] = {}
    broken = False
    while len(codes) < len(children) and time.monotonic() < deadline:
        for child in children:
            if child not in codes and (status := os.waitpid(child, os.WNOHANG))[0]:
                codes[child] = os.waitstatus_to_exitcode(status[1])
        if any(codes.values()) and not broken:
            broken, deadline = True, min(deadline, time.monotonic() + PATIENCE)
        time.sleep(0.05)
    for child in children:
        if child not in codes:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return [codes.get(child, 1 if broken else None) for child in children]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
