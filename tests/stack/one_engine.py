"""One real engine with two lanes, and a router before it: what tests share that need an engine to compare with."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serve.deploy import profile as profiles
from serve.deploy.engine_args import engine_environment
from tests.serve.double import until
from tests.stack.processes import all_ready, spawn, stop
from tests.stack.running import ROOT, START_LIMIT, VLLM, free_port

DRAFTER = {"method": "eagle3", "model": str(ROOT / "images/demo/gemma4-eagle3"), "num_speculative_tokens": 3}
_BASE = [
    *("serve", str(ROOT / "images/demo/gemma4"), "--served-model-name", "demo", "--host", "127.0.0.1"),
    *("--dtype", "float32", "--enforce-eager", "--max-model-len", "1024", "--max-num-seqs", "16"),
    *("--kv-cache-memory-bytes", str(128 << 20), "--no-enable-prefix-caching", "--language-model-only"),
    *("--enable-per-request-metrics", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    # Granite marks a thought by plain words, which a toy can be made to write, by a pattern that binds thoughts too.
    *("--reasoning-parser", "granite"),
]
_BOUND = {"enable_in_reasoning": True}
_TERSE = {**_BOUND, "backend": "xgrammar", "disable_any_whitespace": True}
"""JSON without spaces: a toy that may write some writes nothing else until its answer has to end."""

PLAIN = [*_BASE, "--structured-outputs-config", json.dumps(_BOUND)]
FLAGS = [
    *(*_BASE, "--structured-outputs-config", json.dumps(_TERSE)),
    *("--per-request-spec-decode-metrics", "detailed"),
    *("--additional-config", json.dumps({"polydraft": {"drafters": {"eagle3": DRAFTER}}})),
]
STORING = {"VLLM_ENABLE_RESPONSES_API_STORE": "1"}


@dataclass(frozen=True)
class Served:
    """A router, and the one engine behind it."""

    router: str
    engine: str


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Served]:
    """Run both; their logs are in the folder."""
    port, engine_port = free_port(), free_port()
    engine = f"http://127.0.0.1:{engine_port}"
    lanes = [
        {"name": "body", "upstream": engine},
        {"name": "eagle3", "upstream": engine, "method": "eagle3", "draft_tokens": 3},
    ]
    own = {"POLYDRAFT_MODEL": "demo", "POLYDRAFT_LANES": json.dumps(lanes), "POLYDRAFT_PORT": str(port)}
    environment = os.environ | engine_environment(profiles.load_named("cpu")) | STORING
    children = [spawn([str(VLLM), *FLAGS, "--port", str(engine_port)], environment, folder / "engine.log")]
    try:
        children.append(spawn([sys.executable, "-m", "serve", "serve"], os.environ | own, folder / "router.log"))
        until(lambda: all_ready(f"http://127.0.0.1:{port}/readyz", children), START_LIMIT)
        yield Served(f"http://127.0.0.1:{port}", engine)
    finally:
        stop(children)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if not VLLM.exists():
        pytest.skip(f"no vLLM at {VLLM}: run `make setup`")
    with running(tmp_path_factory.mktemp("one-engine")) as both:
        yield both
