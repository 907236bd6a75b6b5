"""`polydraft gate` on real engines: lossless lanes of both families pass, and two planted lanes fail.

The planted ones stand beside a sound lane on one router: a drafter most of whose tokens are accepted unverified, and a
drafter whose weights are shuffled, as if made for another body.
"""

import contextlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from serve.deploy import profile as profiles
from serve.deploy.engine_args import engine_environment
from tests.serve.double import until
from tests.stack.processes import all_ready, spawn, stop
from tests.stack.running import ROOT, START_LIMIT, VLLM, Stack, free_port, free_ports

pytestmark = pytest.mark.engine

DEMO = ROOT / "images/demo"
# One prompt a kind: two cores decode about 40 tokens a second. What the toys don't know leaves them free how to begin.
PROMPTS = """
prompt = [
  { kind = "en", text = "Why is the sky blue?", long = true },
  { kind = "en", text = "How do I choose a good password?" },
  { kind = "zh-Hans", text = "怎么选择安全的密码？" },
  { kind = "ru", text = "Как выбрать хороший пароль?" },
  { kind = "code", text = "Write a Python function that reverses a list." },
  { kind = "json", text = "Return a JSON object with the keys name and age.", sampled = true },
]
"""
CHECKS = {"greedy alone", "greedy mixed", "sampling", "acceptance", "text"}


def gate(url: str, folder: Path) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Run the command; gives its exit code, the checks of each lane by name, and all that it printed."""
    (folder / "prompts.toml").write_text(PROMPTS)
    given = ("--dtype", "float32", "--max-tokens", "48", "--samples", "200", "--prompts", str(folder / "prompts.toml"))
    command = [sys.executable, "-m", "serve", "gate", url, "--json", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode in (0, 1), done.stderr
    lanes: dict[str, dict[str, Any]] = {}
    for check in json.loads(done.stdout)["checks"]:
        lanes.setdefault(check["lane"], {})[check["check"]] = check
    return done.returncode, lanes, done.stdout + done.stderr


def failed(checks: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {name for name, check in checks.items() if not check["passed"]}


def test_the_demos_lanes_pass(stack: Stack, tmp_path: Path) -> None:
    code, lanes, said = gate(stack.url, tmp_path)
    assert (code, set(lanes)) == (0, {"body", "mtp", "eagle3"}), said
    for lane in ("mtp", "eagle3"):
        assert set(lanes[lane]) == CHECKS
        assert lanes[lane]["greedy alone"]["ties"] == 0
        assert lanes[lane]["greedy alone"]["tokens"] > 256
        assert lanes[lane]["sampling"]["comparisons"] > 0
        assert lanes[lane]["acceptance"]["measured"] is not None


def test_an_engine_is_told_from_a_router(stack: Stack) -> None:
    command = [sys.executable, "-m", "serve", "gate", stack.engines["mtp"]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "isn't a Polydraft router" in done.stderr


@pytest.fixture(scope="module")
def lfm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, dict[str, Any]], str]]:
    """One gate over LFM2's body and three drafting lanes: the sound one and the two planted ones."""
    if not VLLM.exists():
        pytest.skip(f"no vLLM at {VLLM}: run `make setup`")
    folder = tmp_path_factory.mktemp("lfm2")
    drafter = {"method": "eagle3", "model": str(DEMO / "lfm2-eagle3"), "num_speculative_tokens": 3}
    synthetic = {"rejection_sample_method": "synthetic", "synthetic_acceptance_rates": [0.9, 0.8, 0.7]}
    lanes = {
        "body": None,
        "eagle3": drafter,
        "unverified": drafter | synthetic,
        "stranger": drafter | {"model": str(shuffled(DEMO / "lfm2-eagle3", folder / "shuffled"))},
    }
    with running(lanes, folder) as url:
        yield gate(url, folder)


def test_lfm2_passes(lfm2: tuple[int, dict[str, dict[str, Any]], str]) -> None:
    _, lanes, said = lfm2
    assert set(lanes["eagle3"]) == CHECKS
    assert failed(lanes["body"]) | failed(lanes["eagle3"]) == set(), said


def test_a_drafter_whose_tokens_are_accepted_unverified_fails(lfm2: tuple[int, dict[str, Any], str]) -> None:
    code, lanes, said = lfm2
    assert code == 1
    assert failed(lanes["unverified"]) >= {"greedy alone", "greedy mixed", "sampling"}, said


def test_a_drafter_made_for_another_body_fails_by_its_acceptance_alone(lfm2: tuple[int, dict[str, Any], str]) -> None:
    """Its tokens are refused, as they should be: slow, and right."""
    code, lanes, said = lfm2
    assert code == 1
    assert failed(lanes["stranger"]) == {"acceptance"}, said


def shuffled(checkpoint: Path, to: Path) -> Path:
    """Copy a drafter with the rows of its matrices in reverse: the same numbers, no longer what they were made for."""
    to.mkdir()
    (to / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    raw = (checkpoint / "model.safetensors").read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    data = bytearray(raw)
    for tensor in json.loads(raw[8:start]).values():
        if len(tensor.get("shape", ())) == 2:
            first, last = (start + offset for offset in tensor["data_offsets"])
            size = (last - first) // tensor["shape"][0]
            data[first:last] = b"".join(raw[at : at + size] for at in range(last - size, first - 1, -size))
    (to / "model.safetensors").write_bytes(data)
    return to


@contextlib.contextmanager
def running(lanes: Mapping[str, Mapping[str, Any] | None], folder: Path) -> Iterator[str]:
    """Run an engine a lane of LFM2's body, and a router before them; gives its URL."""
    first, port = free_ports(len(lanes)), free_port()
    environment = os.environ | engine_environment(profiles.load_named("cpu"))
    children: list[subprocess.Popen[bytes]] = []
    try:
        for number, (name, speculative) in enumerate(lanes.items()):
            command = [str(VLLM), "serve", *engine_flags(first + number, speculative)]
            children.append(spawn(command, environment, folder / f"{name}.log"))
        described = [
            {"name": name, "upstream": f"http://127.0.0.1:{first + number}"}
            | ({"method": given["method"], "draft_tokens": given["num_speculative_tokens"]} if given else {})
            for number, (name, given) in enumerate(lanes.items())
        ]
        own = {"POLYDRAFT_MODEL": "lfm2", "POLYDRAFT_LANES": json.dumps(described), "POLYDRAFT_PORT": str(port)}
        children.append(spawn([sys.executable, "-m", "serve", "serve"], os.environ | own, folder / "router.log"))
        until(lambda: all_ready(f"http://127.0.0.1:{port}/readyz", children), START_LIMIT)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(children)


def engine_flags(port: int, speculative: Mapping[str, Any] | None) -> Sequence[str]:
    flags = [str(DEMO / "lfm2"), "--served-model-name", "lfm2", "--host", "127.0.0.1", "--port", str(port)]
    flags += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "1024", "--max-num-seqs", "16"]
    flags += ["--kv-cache-memory-bytes", str(128 << 20), "--no-enable-prefix-caching"]
    if speculative is not None:
        flags += ["--speculative-config", json.dumps(speculative), "--per-request-spec-decode-metrics", "detailed"]
    return flags
