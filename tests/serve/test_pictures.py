"""Pictures and sounds in a payload: they reach the engine as they came, and cost and tell the router nothing."""

import base64
import json
import logging
import random
import time
from typing import Any

import httpx2
import pytest

from serve import intake
from serve.proxy import payload as payloads
from serve.proxy import vllm
from serve.routing import cell, language
from serve.routing.cell import Endpoint
from serve.routing.lane import Lane
from serve.routing.prefix import prefix_of
from tests.serve.double import Engine, until

SMALL, LARGE = 3_000, 5_000_000
"""Bytes of a picture; the large one is read aside, the small one at once."""
ASKED = "Qu'est-ce qu'on voit sur cette image, et pourquoi est-elle si sombre ?"
MOST_SECONDS = 0.1
"""CPU time that a payload with a large picture may cost, from its bytes to the engine's; a busy machine took 0.06."""


def picture(size: int) -> str:
    return base64.b64encode(random.Random(0).randbytes(size * 3 // 4)).decode()


def payload(kind: str, size: int) -> tuple[str, Endpoint, dict[str, Any]]:
    """A path, its endpoint, and a payload of this kind with something of `size` bytes to see or hear."""
    data = picture(size)
    url = f"data:image/png;base64,{data}"
    texts: dict[str, list[dict[str, Any]]] = {
        "image_url": [{"type": "text", "text": ASKED}, {"type": "image_url", "image_url": {"url": url}}],
        "two pictures": [*({"type": "image_url", "image_url": {"url": url}},) * 2, {"type": "text", "text": ASKED}],
        "input_audio": [
            {"type": "text", "text": ASKED},
            {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
        ],
        "video_url": [{"type": "video_url", "video_url": {"url": url}}, {"type": "text", "text": ASKED}],
    }
    if kind in texts:
        return "/v1/chat/completions", "chat", {"messages": [{"role": "user", "content": texts[kind]}]}
    if kind == "input_image":
        parts = [{"type": "input_text", "text": ASKED}, {"type": "input_image", "image_url": url, "detail": "auto"}]
        return "/v1/responses", "responses", {"input": [{"role": "user", "content": parts}]}
    source = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    shown: list[dict[str, Any]] = [{"role": "user", "content": [source, {"type": "text", "text": ASKED}]}]
    if kind == "in a tool's result":
        call = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "a", "content": [source]}
        shown = [
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]
    return "/v1/messages", "messages", {"messages": shown, "max_tokens": 9}


KINDS = ["image_url", "two pictures", "input_audio", "video_url", "input_image", "source", "in a tool's result"]


@pytest.mark.parametrize(
    ("size", "stream"),
    [(SMALL, True), (SMALL, False), (LARGE, True)],
    ids=["small, streamed", "small, whole", "large, streamed"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_parts_reach_the_engine_as_they_came_and_the_log_not_at_all(
    client: httpx2.Client, body: Engine, kind: str, size: int, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path, _, asked = payload(kind, size)
    response = client.post(path, json={"model": "demo@body", **asked, "stream": stream})
    assert (response.status_code, response.headers["x-polydraft-language"]) == (200, "fr")
    (got,) = body.got
    for field, value in asked.items():
        assert got.payload[field] == value
    assert got.raw.count(picture(size).encode()) == json.dumps(asked).count(picture(size))
    until(lambda: "polydraft.access" in {record.name for record in caplog.records})
    assert picture(size)[:64] not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_picture_costs_next_to_nothing(kind: str) -> None:
    """All that the router does with a payload, at its dearest: the model is renamed and the usage chunk asked for."""
    identify = language.load()
    _, endpoint, asked = payload(kind, LARGE)
    raw = json.dumps({**asked, "model": "demo@mtp", "stream": True}).encode()

    def work() -> float:
        started = time.process_time()
        read = intake.parsed(raw)
        payloads.check(read, endpoint)
        assert cell.classify(read, endpoint, identify).language == "fr"
        prefix_of(read)
        vllm.prepare(read, raw, endpoint, "demo", Lane("mtp", "http://x", "mtp", 2), shared=True)
        return time.process_time() - started

    assert min(work() for _ in range(5)) < MOST_SECONDS


def test_base64_is_no_depth_and_no_values() -> None:
    """A payload's limits are for what costs time to read: a picture of the largest size is one value."""
    _, _, asked = payload("image_url", 30_000_000)
    assert payloads.parse(json.dumps(asked).encode()) == asked
