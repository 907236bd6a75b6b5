"""Whatever a client sends, it gets an answer that isn't our fault, and the same one on both paths."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve import double
from tests.serve.faults.conftest import ENGLISH, Routed, routed

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner), max_leaves=12
)
MESSAGES = VALUES | st.just(ENGLISH) | st.lists(st.fixed_dictionaries({"role": st.text(max_size=9), "content": VALUES}))
FIELDS = {
    "model": st.sampled_from(["demo", "demo@mtp", "demo@x"]) | VALUES,
    "stream": st.booleans() | VALUES,
    "stream_options": st.sampled_from([{"include_usage": True}, {}]) | VALUES,
    "vllm_xargs": VALUES,
    "n": VALUES,
    "min_p": VALUES,
    "temperature": VALUES,
    "logit_bias": VALUES,
    "tools": VALUES,
    "response_format": VALUES,
    "system": VALUES,
}
PAYLOADS = st.fixed_dictionaries({"messages": MESSAGES}, optional=FIELDS)
ENDPOINTS = st.sampled_from(["/v1/chat/completions", "/v1/completions", "/v1/messages"])
OWN = ("x-request-id", "date")


@pytest.fixture(scope="module")
def both(loop: double.Loop) -> Iterator[tuple[Routed, Routed]]:
    with routed(loop, direct=True) as direct, routed(loop, direct=False) as plain:
        yield direct, plain


def answers(both: tuple[Routed, Routed], path: str, raw: bytes) -> list[httpx2.Response]:
    head = {"content-type": "application/json"}
    responses = [router.client.post(path, content=raw, headers=head) for router in both]
    for response in responses:
        assert response.status_code < 500
        if response.status_code >= 400:
            assert response.json()["error"]["message"]
    return responses


def agree(responses: list[httpx2.Response]) -> None:
    first, second = ({name: value for name, value in r.headers.items() if name not in OWN} for r in responses)
    assert first == second
    assert responses[0].status_code == responses[1].status_code
    assert responses[0].content == responses[1].content


FUZZ = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(ENDPOINTS, PAYLOADS)
def test_any_json(both: tuple[Routed, Routed], path: str, payload: dict[str, Any]) -> None:
    agree(answers(both, path, json.dumps(payload).encode()))


@FUZZ
@given(ENDPOINTS, st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes(both: tuple[Routed, Routed], path: str, raw: bytes) -> None:
    agree(answers(both, path, raw))


@FUZZ
@given(ENDPOINTS, PAYLOADS, st.data())
def test_json_with_a_byte_changed(
    both: tuple[Routed, Routed], path: str, payload: dict[str, Any], data: st.DataObject
) -> None:
    raw = bytearray(json.dumps(payload, ensure_ascii=False).encode(errors="replace"))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    agree(answers(both, path, bytes(raw)))
