"""`polydraft serve` as a process: configured by the environment, it finishes what runs and ends with code 0."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.serve import double
from tests.serve.double import Engine, Exchange, until
from tests.stack.running import free_port

ROOT = Path(__file__).resolve().parents[2]


def reachable(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_running_answer_is_finished_before_the_router_ends(body: Engine, number: signal.Signals) -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.start_stream()
        for text in "abcdef":
            await exchange.event(double.delta(text))
            await asyncio.sleep(0.2)
        await exchange.end_stream()

    body.behaviour = slow
    port = free_port()
    environment = {
        **os.environ,
        "POLYDRAFT_MODEL": "demo",
        "POLYDRAFT_LANES": json.dumps([{"name": "body", "upstream": body.url}]),
        "POLYDRAFT_PORT": str(port),
        "POLYDRAFT_PROBE_INTERVAL": "0.1",
    }
    command = [sys.executable, "-m", "serve", "serve"]
    with (
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as router,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        until(lambda: reachable(client), 30)
        payload = {"messages": [{"role": "user", "content": "a secret question"}], "stream": True}
        with client.stream("POST", "/v1/chat/completions", json=payload) as response:
            chunks = response.iter_bytes()
            first = next(chunks)
            router.send_signal(number)
            whole = first + b"".join(chunks)
        printed, _ = router.communicate(timeout=20)
    assert whole.endswith(b"data: [DONE]\n\n")
    assert router.returncode == 0
    assert [json.loads(line)["end"] for line in printed.splitlines()] == ["complete"]
    assert "secret" not in printed
