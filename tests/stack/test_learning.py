"""The policy that learns, on real engines and with nothing to begin from: it finds each language's lane by itself."""

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from serve.bench.prompts import DEMO, load
from serve.deploy import profile as profiles
from tests.serve.double import metric, until
from tests.stack.processes import all_ready, spawn, stop
from tests.stack.running import Stack, free_port

pytestmark = pytest.mark.engine

_ANSWERS = 80  # a language, 160 in all
_LAST = 25
PROMPTS = {
    language: [prompt.text for prompt in prompts]
    for language, prompts in itertools.groupby(load(DEMO), key=lambda prompt: prompt.language)
}
BEST = {"en": "eagle3", "zh-Hans": "mtp"}


@pytest.fixture
def learning(stack: Stack, tmp_path: Path) -> Iterator[httpx2.Client]:
    """A second router before the same engines, without a table."""
    port = free_port()
    environment = os.environ | profiles.load_named("cpu").router_environment(stack.engines)
    del environment["POLYDRAFT_TABLE"]
    environment |= {
        "POLYDRAFT_PORT": str(port),
        "POLYDRAFT_POLICY": "apply",
        "POLYDRAFT_LEDGER": str(tmp_path / "ledger.sqlite"),
        "POLYDRAFT_SEED": "1",
    }
    router = spawn([sys.executable, "-m", "serve", "serve"], environment, tmp_path / "router.log")
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: all_ready(f"{url}/readyz", [router]), 60)
        with httpx2.Client(base_url=url, timeout=120) as client:
            yield client
    finally:
        stop([router])


def test_finds_within_200_requests_that_english_and_chinese_want_different_drafters(learning: httpx2.Client) -> None:
    taken: dict[str, list[str]] = {language: [] for language in BEST}
    for number in range(_ANSWERS):
        for language, lanes in taken.items():
            text = PROMPTS[language][number % len(PROMPTS[language])]
            payload = {"messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 40}
            response = learning.post("/v1/chat/completions", json=payload)
            assert response.status_code == 200, response.text
            lanes.append(response.headers["x-polydraft-lane"])
    for language, best in BEST.items():
        assert taken[language][-_LAST:].count(best) >= _LAST - 4, (language, taken[language])
    learned = metric(learning.get("/metrics").text, "polydraft_lessons_total", lesson="learned")
    assert learned > 2 * _ANSWERS - 15
