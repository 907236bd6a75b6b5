"""How many tokens a forced lane drafts: fewer where its engine can be told, refused where not, learned by nobody."""

from typing import Any

import httpx2
import pytest

from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row
from tests.serve import double
from tests.serve.double import Engine, metric, until

MESSAGES = [{"role": "user", "content": "Please tell me what a computer program is."}]
MTP_FIRST = (Row("*", "*", (Candidate("mtp"),)),)


def shared(engine: Engine) -> tuple[Lane, ...]:
    return Lane("body", engine.url), Lane("mtp", engine.url, "mtp", 4)


@pytest.mark.parametrize(
    ("model", "asked", "told"),
    [("demo@mtp", 2, 2), ("demo@mtp", 4, 4), ("demo@body", 0, 0), ("demo", 2, 4)],
    ids=["fewer", "as many", "none", "not forced"],
)
def test_a_forced_lane_drafts_fewer_tokens_where_asked(
    loop: double.Loop, body: Engine, model: str, asked: int, told: int
) -> None:
    payload = {"messages": MESSAGES, "model": model, "vllm_xargs": {"draft_tokens": asked}}
    with double.router(loop, double.settings(shared(body), MTP_FIRST)) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/chat/completions", json=payload).status_code == 200
    assert body.got[0].payload["vllm_xargs"]["draft_tokens"] == told


@pytest.mark.parametrize(
    ("model", "asked", "why"),
    [
        *(("demo@mtp", asked, "a whole number from 1 to 4") for asked in (0, 5, -1, "2", 2.0, True, [2])),
        ("demo@body", 2, "it drafts nothing"),
    ],
    ids=str,
)
def test_a_number_that_cant_be_had_is_a_400(
    loop: double.Loop, body: Engine, model: str, asked: object, why: str
) -> None:
    payload = {"messages": MESSAGES, "model": model, "vllm_xargs": {"draft_tokens": asked}}
    with double.router(loop, double.settings(shared(body))) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        for path in ("/v1/chat/completions", "/v1/route"):
            error = client.post(path, json=payload).json()["error"]
            assert (error["code"], error["param"]) == ("lane_refuses", "vllm_xargs")
            assert why in error["message"]
    assert body.got == []


def test_an_engine_with_one_lane_cant_be_told(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    payload = {"messages": MESSAGES, "model": "demo@mtp", "vllm_xargs": {"draft_tokens": 1}}
    answer = client.post("/v1/chat/completions", json=payload)
    assert answer.status_code == 400
    assert "its engine has that lane alone" in answer.json()["error"]["message"]
    assert (body.got, mtp.got) == ([], [])


@pytest.mark.parametrize(("upstreams", "status"), [(("body", "mtp"), 200), (("mtp",), 400)], ids=["all", "not all"])
def test_every_engine_of_a_lane_must_be_one_that_can_be_told(
    loop: double.Loop, body: Engine, mtp: Engine, upstreams: tuple[str, ...], status: int
) -> None:
    urls = {"body": body.url, "mtp": mtp.url}
    lanes = (
        Lane("body", tuple(urls[each] for each in upstreams)),
        Lane("mtp", (body.url, mtp.url), "mtp", 4),
    )
    payload = {"messages": MESSAGES, "model": "demo@mtp", "vllm_xargs": {"draft_tokens": 2}}
    with double.router(loop, double.settings(lanes)) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/chat/completions", json=payload).status_code == status


def test_a_policy_learns_nothing_of_it(loop: double.Loop, body: Engine) -> None:
    wanted = double.settings(shared(body), policy="observe")
    with double.router(loop, wanted) as url, httpx2.Client(base_url=url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        for asked in (2, 4):
            payload: dict[str, Any] = {"messages": MESSAGES, "model": "demo@mtp"}
            client.post("/v1/chat/completions", json={**payload, "vllm_xargs": {"draft_tokens": asked}})
        until(lambda: metric(client.get("/metrics").text, "polydraft_lessons_total", lane="mtp") == 2)
        assert metric(client.get("/metrics").text, "polydraft_lessons_total", lesson="shortened") == 1
