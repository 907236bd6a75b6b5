"""Runs code in the engine's environment, which the tests' own must not mix with, and without a C++ compiler at hand."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-engine" / "bin" / "python"
INSIDE = Path(__file__).parent / "inside"
# What vLLM calls besides itself, as on a machine with nothing but Debian's base system.
BASE_TOOLS = ("lscpu", "sh", "uname")


class Task(TypedDict):
    """One engine: the keyword arguments of `vllm.LLM`, and batches of prompts with their sampling parameters."""

    engine: dict[str, Any]
    batches: Sequence[dict[str, Any]]


class Answer(TypedDict):
    """Token ids of each prompt of each batch, what was measured of each, and vLLM's own counters."""

    batches: list[list[list[int]]]
    measured: list[list[dict[str, Any] | None]]
    metrics: dict[str, float]


class Inside:
    """Runs the scripts beside this file in the engine's environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tools = folder / "bin"
        tools.mkdir()
        for name in BASE_TOOLS:
            (tools / name).symlink_to(Path("/usr/bin") / name)
        self.environment = {
            "PATH": str(tools),
            "HOME": os.environ["HOME"],
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            # Engine, executor and worker in one process: an import of vLLM costs more than all of these tests.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_NO_USAGE_STATS": "1",
        }

    def run(self, script: str, given: str = "") -> Any:
        """What the script wrote as JSON; its last lines are the failure's text if it fails."""
        result = self.folder / f"{script}.json"
        done = subprocess.run(
            [PYTHON, INSIDE / f"{script}.py", result],
            input=given,
            capture_output=True,
            text=True,
            env=self.environment,
            check=False,
        )
        assert done.returncode == 0, f"{script} failed: {done.stderr[-3000:]}"
        return json.loads(result.read_text())

    def generate(self, tasks: Sequence[Task]) -> list[Answer]:
        """One answer an engine; the engines run one after the other."""
        answers: list[Answer] = self.run("generate", json.dumps(tasks))
        return answers


@pytest.fixture(scope="session")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Inside:
    if not PYTHON.exists():
        pytest.fail(f"no engine in {PYTHON.parents[1]}: run `python3 images/engine/setup_cpu.py .venv-engine`")
    return Inside(tmp_path_factory.mktemp("engine"))
