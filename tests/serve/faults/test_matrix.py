"""Every fault in every phase, streamed and whole: what the client saw, what the engines saw, and that nothing is left.

The rule that the expectations follow: as long as the client has nothing, another lane answers; an engine that only says
nothing is not replaced, since another would take as long; a stream that has begun ends with an error event.
"""

import json
from typing import Any

import httpx2
import openai
import pytest

from tests.serve.double import until
from tests.serve.faults.conftest import ENGLISH, Routed
from tests.serve.faults.faults import FAULTS, PHASES, broken

STREAMED = [True, False]
IDS = ["streamed", "whole"]
STARTED = ("in the middle", "before the end", "after finish_reason")
"""Phases in which a stream's client has had something."""


def events(response: httpx2.Response) -> list[Any]:
    datas = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


def is_whole_answer(response: httpx2.Response, *, stream: bool) -> bool:
    if stream:
        return response.text.endswith("data: [DONE]\n\n") and "hel" in response.text
    return bool(response.json()["choices"][0]["message"]["content"] == "hello")


@pytest.mark.parametrize("stream", STREAMED, ids=IDS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", FAULTS)
def test_matrix(router: Routed, fault: str, phase: str, stream: bool) -> None:
    router.body.behaviour = broken(phase, fault)
    before = {end: router.ended(end) for end in ("complete", "failed")}
    response = router.chat(stream=stream)

    if stream and phase in STARTED:  # too late for anything but an error event
        assert response.status_code == 200
        assert response.headers["x-polydraft-lane"] == "body"
        *texts, error = events(response)
        assert [event["choices"][0]["delta"]["content"] for event in texts] == ["one", "two", "three"][: len(texts)]
        assert len(texts) == STARTED.index(phase) + 1
        assert error["error"]["code"] == ("engine_silent" if fault == "stall" else "engine_failed")
        assert len(router.mtp.got) == 0
        end = "failed"
    elif fault == "stall":
        assert (response.status_code, response.json()["error"]["code"]) == (504, "engine_silent")
        assert len(router.mtp.got) == 0
        end = "failed"
    else:
        assert response.status_code == 200
        assert (response.headers["x-polydraft-lane"], response.headers["x-polydraft-reason"]) == ("mtp", "fallback")
        assert is_whole_answer(response, stream=stream)
        assert len(router.mtp.got) == 1
        end = "complete"

    assert len(router.body.got) == 1
    until(lambda: router.body.got[0].closed.is_set() or router.body.got[0].writer.is_closing())
    router.settled()
    assert router.ended(end) == before[end] + 1


@pytest.mark.parametrize("stream", STREAMED, ids=IDS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_client_that_leaves(router: Routed, phase: str, stream: bool) -> None:
    router.body.behaviour = broken(phase, "stall")
    before = router.ended("aborted")
    payload = {"messages": ENGLISH, "stream": stream}
    with pytest.raises(httpx2.ReadTimeout):
        router.client.post("/v1/chat/completions", json=payload, timeout=0.2)
    until(lambda: router.body.got[0].closed.is_set(), 1)
    assert len(router.mtp.got) == 0
    router.settled()
    assert router.ended("aborted") == before + 1


@pytest.mark.parametrize("phase", STARTED)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_official_client_raises_in_mid_stream(router: Routed, fault: str, phase: str) -> None:
    router.body.behaviour = broken(phase, fault)
    said = router.official()
    assert next(said) == "one"
    with pytest.raises(openai.APIError, match="engine"):
        list(said)
