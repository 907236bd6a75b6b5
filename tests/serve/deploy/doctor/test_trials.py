"""The all-reduce trials: a real sum over two processes, and hangs and breaks that a double of PyTorch makes."""

import sys
from pathlib import Path

import pytest

from serve.deploy import profile as profiles
from serve.deploy.doctor import links, trials
from serve.deploy.profile import Profile, Variable
from serve.deploy.reading import NOT_THERE, TOO_SLOW, Reading
from tests.stack.running import ROOT

PROFILE = profiles.load_named("rtx-pro-2000-x4")

DOUBLE = """
import os, time
from pathlib import Path
from . import distributed
__version__ = "double"

class Tensor:
    def __init__(self, value): self.value = value
    def min(self): return self.value
    def max(self): return self.value

def full(shape, value, device): return Tensor(value)
"""
DISTRIBUTED = """
import os, time
from pathlib import Path

def FileStore(path, ranks): return path

def init_process_group(backend, store, rank, world_size):
    Path(os.environ["PIDS"], str(os.getpid())).touch()
    if os.environ["FAULT"] == "breaks" and rank == 1:
        raise RuntimeError("CUDA driver version is insufficient")

def all_reduce(tensor):
    fault = os.environ["FAULT"]
    if fault == "breaks" or fault == "hangs" or fault == "peers hang" and os.environ.get("NCCL_P2P_DISABLE") != "1":
        time.sleep(600)
    tensor.value = 2.5 if fault == "sums wrongly" else 3.0
"""


def peers() -> Profile:
    """The profile with peer-to-peer left on."""
    env = {name: variable for name, variable in PROFILE.env.items() if name != "NCCL_P2P_DISABLE"}
    return PROFILE.model_copy(update={"env": env})


def faulty(folder: Path, fault: str) -> trials.Prefix:
    (folder / "torch").mkdir()
    (folder / "torch/__init__.py").write_text(DOUBLE)
    (folder / "torch/distributed.py").write_text(DISTRIBUTED)
    (folder / "pids").mkdir()
    own = {"PYTHONPATH": str(folder), "PIDS": str(folder / "pids"), "FAULT": fault}
    return lambda variables: trials.by_python(Path(sys.executable))(variables | own)


def running(folder: Path) -> list[int]:
    return [int(path.name) for path in (folder / "pids").iterdir() if Path(f"/proc/{path.name}").exists()]


def test_a_hang_of_peers_is_told_apart_and_the_environment_that_avoids_it_named(tmp_path: Path) -> None:
    printed = trials.run(peers(), faulty(tmp_path, "peers hang"), "gloo", 10)
    assert [result.code for result in printed.values()] == [TOO_SLOW, 0]
    assert "rank 0 had joined, without a sum; rank 1 had joined, without a sum" in printed[links.key({})].text
    found = links.all_reduce(peers(), Reading(commands=printed))
    assert found.found == "hangs, and ends with NCCL_P2P_DISABLE=1"
    assert not running(tmp_path)


def test_what_always_hangs_is_tried_in_every_environment_and_leaves_no_process(tmp_path: Path) -> None:
    printed = trials.run(peers(), faulty(tmp_path, "hangs"), "gloo", 4)
    assert list(printed) == [links.key(trial) for trial in links.TRIALS]
    assert {result.code for result in printed.values()} == {TOO_SLOW}
    assert links.all_reduce(peers(), Reading(commands=printed)).found == "hangs, whatever was tried"
    assert list((tmp_path / "pids").iterdir())
    assert not running(tmp_path)


def test_a_profile_without_peers_is_not_tried_twice(tmp_path: Path) -> None:
    printed = trials.run(PROFILE, faulty(tmp_path, "peers hang"), "gloo", 20)
    assert list(printed) == [links.key({})]
    assert not printed[links.key({})].code


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("breaks", "rank 1 broke: RuntimeError: CUDA driver version is insufficient"),
        ("sums wrongly", "a sum of 1 and 2 came out as 2.5 to 2.5"),
    ],
)
def test_what_breaks_or_sums_wrongly_is_no_hang_and_not_tried_again(tmp_path: Path, fault: str, says: str) -> None:
    printed = trials.run(peers(), faulty(tmp_path, fault), "gloo", 60)
    assert [result.code for result in printed.values()] == [1]
    found = links.all_reduce(peers(), Reading(commands=printed))
    assert says in found.found
    assert found.found.startswith("broke: ")
    assert not running(tmp_path)


def test_a_python_that_is_not_there_or_has_no_pytorch_says_so(tmp_path: Path) -> None:
    gone = trials.run(peers(), lambda variables: [str(tmp_path / "python"), "-"])
    assert gone[links.key({})].code == NOT_THERE
    without = trials.run(peers(), trials.by_python(Path(sys.executable)), "gloo", 20)
    assert "No module named 'torch'" in links.all_reduce(peers(), Reading(commands=without)).found


def test_the_engine_s_image_gets_no_network_and_no_privileges_and_the_profile_s_environment() -> None:
    command = trials.by_image("polydraft-engine:box")({"NCCL_P2P_DISABLE": "1", "NCCL_SOCKET_IFNAME": "lo"})
    line = " ".join(command)
    assert line.startswith("docker run --pull never --rm --interactive --gpus all --network none ")
    assert "--cap-drop ALL --security-opt no-new-privileges" in line
    assert line.endswith(
        "--entrypoint python3 --env NCCL_P2P_DISABLE=1 --env NCCL_SOCKET_IFNAME=lo polydraft-engine:box -"
    )


def test_the_profile_s_own_environment_comes_first() -> None:
    stated = PROFILE.model_copy(update={"env": {"NCCL_SOCKET_IFNAME": Variable(value="eth0", why="a test's")}})
    seen: list[dict[str, str]] = []

    def prefix(variables: dict[str, str]) -> list[str]:
        seen.append(variables)
        return ["true"]

    trials.run(stated, prefix)
    assert seen == [{"NCCL_SOCKET_IFNAME": "eth0"}]


@pytest.mark.engine
def test_two_processes_really_sum() -> None:
    """Over gloo, on the CPU, with the engine's own PyTorch; NCCL takes the same program on a box with GPUs."""
    python = ROOT / ".venv-engine/bin/python"
    if not python.exists():
        pytest.skip(f"no engine at {python}: run `make setup`")
    printed = trials.run(PROFILE, trials.by_python(python), "gloo", 120)
    (result,) = printed.values()
    assert not result.code, result.text
    assert result.text.splitlines()[-1].startswith("2 ranks summed 3 times 4 MiB over gloo ")
