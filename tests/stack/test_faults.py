"""Faults on real engines: two of them behind one router, left by clients, frozen, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from serve.deploy import profile as profiles
from serve.deploy.engine_args import engine_environment
from tests.serve.double import metric, until
from tests.serve.faults.test_restart import Balancer, Process, rolled
from tests.stack.one_engine import PLAIN
from tests.stack.processes import all_ready, spawn, stop
from tests.stack.running import START_LIMIT, VLLM, free_port
from tests.stack.test_fidelity import QUESTION, TURNS

pytestmark = pytest.mark.engine

SILENCE = 5
"""Seconds after which a silent engine is given up: busy engines, on two cores with much else to do, are slow."""
SHORT = {"SILENCE_TIMEOUT": str(SILENCE), "PROBE_INTERVAL": "0.2", "PROBE_TIMEOUT": "2"}
LONG = {"max_tokens": 900, "ignore_eos": True, "temperature": 0}
"""An answer that takes ten seconds or more."""
ENDLESS = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "string", "minLength": 3000}}}}
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": TURNS, **LONG}),
    "completions": ("/v1/completions", {"prompt": QUESTION, **LONG}),
    "responses": ("/v1/responses", {"input": QUESTION, "max_output_tokens": 900, "ignore_eos": True}),
    "messages": ("/v1/messages", {"messages": TURNS, "max_tokens": 900, **ENDLESS}),
}


@dataclass
class Engine:
    """An engine that can be killed and started again in its place."""

    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = os.environ | engine_environment(profiles.load_named("cpu"))
        self.process = spawn([str(VLLM), *PLAIN, "--port", str(self.port)], environment, self.log)

    def signal(self, number: signal.Signals) -> None:
        """Tell all of its processes."""
        assert self.process
        os.killpg(self.process.pid, number)

    def running(self) -> float:
        return metric(httpx2.get(f"{self.url}/metrics", timeout=60).text, "vllm:num_requests_running")


@dataclass(frozen=True)
class Pair:
    """A router whose lanes `first`, preferred, and `second` have an engine each."""

    url: str
    first: Engine
    second: Engine
    client: httpx2.Client

    def lanes(self) -> dict[str, bool]:
        lanes: dict[str, bool] = self.client.get("/readyz").json()["lanes"]
        return lanes

    def ready(self) -> int:
        """How many engines of the lane `only` are up."""
        count: int = self.client.get("/readyz").json()["engines"]["only"]["ready"]
        return count

    def ask(self) -> httpx2.Response:
        return self.client.post("/v1/chat/completions", json={"messages": TURNS, "max_tokens": 4})

    def official(self) -> Iterator[str]:
        """Give a long stream as the official client does."""
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=120)
        messages: Any = TURNS
        more = {"ignore_eos": True}
        chunks = client.chat.completions.create(
            model="demo", messages=messages, max_tokens=900, stream=True, extra_body=more
        )
        return (chunk.choices[0].delta.content or "" for chunk in chunks)

    def held(self) -> float:
        return metric(self.client.get("/metrics").text, "polydraft_in_flight_requests")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    if not VLLM.exists():
        pytest.skip(f"no vLLM at {VLLM}: run `make setup`")
    folder = tmp_path_factory.mktemp("pair")
    both = Engine(folder / "first.log"), Engine(folder / "second.log")
    for engine in both:
        engine.start()
    yield both
    stop([engine.process for engine in both if engine.process])


@contextmanager
def routed(engines: tuple[Engine, Engine], lanes: list[dict[str, Any]], folder: Path) -> Iterator[Pair]:
    """Run a router of these lanes before both engines."""
    port, (first, second) = free_port(), engines
    own = {"MODEL": "demo", "LANES": json.dumps(lanes), "PORT": str(port), **SHORT}
    environment = os.environ | {f"POLYDRAFT_{name}": value for name, value in own.items()}
    router = spawn([sys.executable, "-m", "serve", "serve"], environment, folder / "log")
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: all_ready(f"{url}/readyz", [router, *filter(None, (e.process for e in engines))]), START_LIMIT)
        with httpx2.Client(base_url=url, timeout=120) as client:
            yield Pair(url, first, second, client)
    finally:
        stop([router])


@pytest.fixture(scope="module")
def pair(engines: tuple[Engine, Engine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    first, second = engines
    lanes = [{"name": "first", "upstream": first.url}, {"name": "second", "upstream": second.url}]
    with routed(engines, lanes, tmp_path_factory.mktemp("router")) as running:
        yield running


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", ASKED)
def test_a_client_that_leaves_frees_the_engine_within_a_second(pair: Pair, name: str, stream: bool) -> None:
    path, payload = ASKED[name]
    with httpx2.Client(base_url=pair.url, timeout=120) as client:
        leave = _in_mid_stream if stream else _in_mid_answer
        leave(client, path, {**payload, "stream": stream}, pair.first)
    until(lambda: pair.first.running() == 0, 1)
    until(lambda: pair.held() == 0, 1)


def _in_mid_stream(client: httpx2.Client, path: str, payload: Mapping[str, Any], engine: Engine) -> None:
    with client.stream("POST", path, json=payload) as response:
        assert response.status_code == 200
        chunks = response.iter_bytes()
        assert next(chunks)
        until(lambda: engine.running() == 1, 20)


def _in_mid_answer(client: httpx2.Client, path: str, payload: Mapping[str, Any], engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.post, path, json=payload, timeout=httpx2.Timeout(60, read=4))
        until(lambda: engine.running() == 1, 3)
        with pytest.raises(httpx2.ReadTimeout):
            asked.result()


def test_a_rolling_restart_of_routers_loses_no_request(pair: Pair) -> None:
    lanes = json.dumps([{"name": "first", "upstream": pair.first.url}, {"name": "second", "upstream": pair.second.url}])
    routers = [Process(pair.first, POLYDRAFT_LANES=lanes, POLYDRAFT_DRAIN_DELAY="4") for _ in range(2)]
    results = rolled(routers, Balancer(routers, max_tokens=12))
    assert results.pop("right") > 20
    assert results == {}


def test_an_engine_that_freezes_is_given_up_after_the_limit_and_taken_back(pair: Pair) -> None:
    said = pair.official()
    next(said)
    pair.first.signal(signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(openai.APIError, match="stopped sending"):
            list(said)
        assert SILENCE - 1 < time.monotonic() - started < SILENCE + 3
        until(lambda: pair.lanes() == {"first": False, "second": True}, 20)
        assert pair.ask().headers["x-polydraft-lane"] == "second"
    finally:
        pair.first.signal(signal.SIGCONT)
    until(lambda: all(pair.lanes().values()), 30)
    until(lambda: pair.first.running() == 0, 30)  # what froze in it was aborted
    assert pair.ask().headers["x-polydraft-lane"] == "first"


def _all(engine: Engine) -> None:
    engine.signal(signal.SIGKILL)


def _its_core(engine: Engine) -> None:
    """Kill the process that computes alone: what speaks HTTP lives on for a while, and says what became of it."""
    assert engine.process
    children = Path(f"/proc/{engine.process.pid}/task/{engine.process.pid}/children").read_text().split()
    cores = [int(pid) for pid in children if "EngineCore" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(cores) == 1
    os.kill(cores[0], signal.SIGKILL)


@pytest.mark.parametrize("kill", [_all, _its_core], ids=["all of it", "its core"])
def test_an_engine_that_is_killed_raises_is_replaced_and_taken_back(pair: Pair, kill: Callable[[Engine], None]) -> None:
    said = pair.official()
    next(said)
    kill(pair.first)
    with pytest.raises(openai.APIError, match=r"[Ee]ngine"):
        list(said)
    replaced = pair.ask()
    assert (replaced.status_code, replaced.headers["x-polydraft-lane"]) == (200, "second")
    assert pair.held() == 0
    until(lambda: not pair.lanes()["first"], 20)  # else it might count as ready until somebody looks
    assert pair.first.process
    stop([pair.first.process])
    pair.first.start()
    until(lambda: all(pair.lanes().values()), START_LIMIT)
    back = pair.ask()
    assert (back.status_code, back.headers["x-polydraft-lane"]) == (200, "first")


def test_a_lane_loses_no_request_when_one_of_its_engines_is_killed_under_load(
    engines: tuple[Engine, Engine], tmp_path: Path
) -> None:
    lane = {"name": "only", "upstream": [engine.url for engine in engines]}
    with routed(engines, [lane], tmp_path) as fleet:
        until(lambda: fleet.ready() == 2, START_LIMIT)
        stopped = threading.Event()

        def ask(worker: int) -> Counter[tuple[int, str]]:
            answers: Counter[tuple[int, str]] = Counter()
            while not stopped.is_set():
                message = {"role": "user", "content": f"{QUESTION} {worker} {answers.total()}"}
                asked = {"messages": [message], "max_tokens": 48, "ignore_eos": True}
                answer = fleet.client.post("/v1/chat/completions", json=asked)
                answers[answer.status_code, answer.headers["x-polydraft-reason"]] += 1
            return answers

        with ThreadPoolExecutor(6) as pool:
            workers = [pool.submit(ask, worker) for worker in range(6)]
            try:
                until(lambda: min(engine.running() for engine in engines) >= 2, 60)
                fleet.first.signal(signal.SIGKILL)
                until(lambda: fleet.ready() == 1, 20)
                until(lambda: fleet.second.running() >= 4, 60)
            finally:
                stopped.set()
            answers = sum((worker.result() for worker in workers), start=Counter())
        assert set(answers) == {(200, "default")}
        assert answers.total() >= len(workers)  # each has its own after the engine was killed
        assert fleet.first.process
        stop([fleet.first.process])
        fleet.first.start()
        until(lambda: fleet.ready() == 2, START_LIMIT)
