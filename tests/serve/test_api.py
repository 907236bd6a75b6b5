"""The HTTP surface: what it refuses and how, what it explains, and that a refused request never reaches an engine."""

import json
import socket
import time
from typing import Any

import httpx2
import openai
import pytest

from serve.routing.lane import Lane
from serve.settings import Settings
from tests.serve import double
from tests.serve.double import Engine, metric, until

ENGLISH = [{"role": "user", "content": "Please tell me what a computer program is."}]
CHINESE = [{"role": "user", "content": "请告诉我什么是计算机程序。"}]
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/responses", "/v1/route"])
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"hello", 400, id="not JSON"),
        pytest.param(b"[]", 400, id="not an object"),
        pytest.param(b"{}", 400, id="neither messages nor prompt"),
        pytest.param(b'{"messages":[],"prompt":[]}', 400, id="empty"),
        pytest.param(b'{"messages":7,"prompt":7}', 400, id="wrong types"),
        pytest.param(b'{"messages":' + b"[" * 50_000, 400, id="too deep"),
        pytest.param(b'{"messages":"' + b"x" * (33 * 2**20) + b'"}', 413, id="33 MiB"),
    ],
)
def test_bad_input_is_refused_in_openais_shape(
    client: httpx2.Client, body: Engine, mtp: Engine, path: str, raw: bytes, status: int
) -> None:
    spent = 1.0
    for _ in range(5):  # processor time of client and router, since the machine has other work; the best of some
        started = time.process_time()
        response = client.post(path, content=raw)
        if (spent := min(spent, time.process_time() - started)) < 0.05:
            break
    error = response.json()["error"]
    assert response.status_code == status
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert spent < 0.05
    assert (body.got, mtp.got) == ([], [])


def test_a_payload_of_unknown_length_is_cut_off_at_the_limit(client: httpx2.Client, body: Engine) -> None:
    response = client.post(CHAT, content=(b"x" * 2**20 for _ in range(40)))
    assert (response.status_code, body.got) == (413, [])


@pytest.mark.parametrize(
    ("model", "header", "status", "code", "lists"),
    [
        pytest.param("gpt-4", None, 404, "model_not_found", "demo, demo@body, demo@mtp", id="unknown model"),
        pytest.param("demo@turbo", None, 404, "model_not_found", "demo@mtp", id="unknown lane in the model's name"),
        pytest.param("", None, 404, "model_not_found", "demo", id="empty model"),
        pytest.param("demo", "turbo", 400, "lane_not_found", "body, mtp", id="unknown lane in the header"),
        pytest.param("demo@mtp", "body", 400, "lane_conflict", "ask for one", id="two lanes at once"),
    ],
)
def test_an_unknown_model_or_lane_is_told_what_exists(
    client: httpx2.Client, body: Engine, model: str, header: str | None, status: int, code: str, lists: str
) -> None:
    headers = {} if header is None else {"x-polydraft-lane": header}
    response = client.post(CHAT, json={"messages": ENGLISH, "model": model}, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert lists in error["message"]
    assert body.got == []


@pytest.mark.parametrize(
    ("model", "headers"),
    [
        pytest.param("demo@mtp", {}, id="model's name"),
        pytest.param("demo", {"x-polydraft-lane": "mtp"}, id="header"),
        pytest.param("demo@mtp", {"x-polydraft-lane": "mtp"}, id="both, agreeing"),
    ],
)
def test_a_lane_can_be_forced(client: httpx2.Client, mtp: Engine, model: str, headers: dict[str, str]) -> None:
    response = client.post(CHAT, json={"messages": ENGLISH, "model": model}, headers=headers)
    assert (response.headers["x-polydraft-lane"], response.headers["x-polydraft-reason"]) == ("mtp", "forced")
    assert mtp.got[0].payload["model"] == "demo"


@pytest.mark.parametrize("parameter", [{"min_p": 0.1}, {"logit_bias": {"3": 1}}], ids=["min_p", "logit_bias"])
def test_what_a_drafting_engine_refuses_goes_to_the_body(
    client: httpx2.Client, body: Engine, parameter: dict[str, Any]
) -> None:
    response = client.post(CHAT, json={"messages": CHINESE, **parameter})
    assert (response.headers["x-polydraft-lane"], response.headers["x-polydraft-reason"]) == ("body", "sampling")
    assert len(body.got) == 1
    forced = client.post(CHAT, json={"messages": CHINESE, "model": "demo@mtp", **parameter})
    assert (forced.status_code, forced.json()["error"]["param"]) == (400, next(iter(parameter)))


def test_route_explains_and_generates_nothing(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    at = {"body": body.url.removeprefix("http://"), "mtp": mtp.url.removeprefix("http://")}
    explained = client.post("/v1/route", json={"messages": CHINESE}).json()
    assert explained == {
        "lane": "mtp",
        "engine": at["mtp"],
        "engines": {at["mtp"]: True},
        "language": "zh-Hans",
        "task": "prose",
        "endpoint": "chat",
        "thinking": explained["thinking"],
        "reason": "measured",
        "candidates": [
            {"lane": "mtp", "ready": True, "engine": at["mtp"], "acceptance_length": 2.5, "decode_rate": 90.0},
            {"lane": "body", "ready": True, "engine": at["body"], "acceptance_length": None, "decode_rate": 60.0},
        ],
        "learned": None,
    }
    assert (body.got, mtp.got) == ([], [])


def test_route_tells_what_a_request_would_get_now(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    mtp.healthy = False
    until(lambda: not client.get("/readyz").json()["lanes"]["mtp"])
    explained = client.post("/v1/route", json={"messages": CHINESE}).json()
    assert (explained["lane"], explained["reason"]) == ("body", "fallback")
    body.healthy = False
    until(lambda: client.get("/readyz").status_code == 503)
    explained = client.post("/v1/route", json={"messages": CHINESE}).json()
    assert (explained["lane"], explained["reason"]) == ("mtp", "measured")
    assert [candidate["ready"] for candidate in explained["candidates"]] == [False, False]


def test_without_an_engine_a_request_is_told_to_come_back(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    body.healthy = mtp.healthy = False
    until(lambda: client.get("/readyz").status_code == 503)
    assert client.get("/healthz").status_code == 200
    response = client.post(CHAT, json={"messages": ENGLISH})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "lane_not_ready")
    assert int(response.headers["retry-after"]) > 0
    body.healthy = True
    until(lambda: client.get("/readyz").status_code == 200)
    assert client.post(CHAT, json={"messages": ENGLISH}).status_code == 200


def test_the_official_client_lists_and_finds_models(client: httpx2.Client) -> None:
    official = openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0)
    assert [model.id for model in official.models.list()] == ["demo", "demo@body", "demo@mtp"]
    assert official.models.retrieve("demo@mtp").id == "demo@mtp"
    with pytest.raises(openai.NotFoundError, match="models are demo"):
        official.models.retrieve("gpt-4")


def test_version_names_the_router_and_the_engines(client: httpx2.Client) -> None:
    until(lambda: None not in client.get("/version").json()["vllm"].values())
    assert client.get("/version").json()["vllm"] == {"body": "0.0.double", "mtp": "0.0.double"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", CHAT, 405),
        ("POST", "/metrics", 405),
        ("GET", "/docs", 404),
    ],
)
def test_wrong_paths_and_methods_answer_in_openais_shape(
    client: httpx2.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_nothing_that_a_client_sends_becomes_a_label(client: httpx2.Client) -> None:
    client.post(CHAT, json={"messages": [{"role": "user", "content": "x"}], "model": "evil"})
    client.post(CHAT, json={"messages": ENGLISH}, headers={"x-polydraft-lane": "evil", "accept-language": "evil"})
    client.post(CHAT, json={"messages": ENGLISH, "task": "evil", "language": "evil"})
    assert "evil" not in client.get("/metrics").text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("req-1.A_b", True), ("a b\tc", False), ("x" * 65, False), ("", False)],
    ids=["harmless", "spaces", "too long", "empty"],
)
def test_a_harmless_request_id_is_carried_through(client: httpx2.Client, body: Engine, sent: str, kept: bool) -> None:
    response = client.post(CHAT, json={"messages": ENGLISH}, headers={"x-request-id": sent})
    assert (response.headers["x-request-id"] == sent) is kept
    assert body.got[0].headers["x-request-id"] == response.headers["x-request-id"]


def test_authorization_and_cookies_stay_with_the_router(client: httpx2.Client, body: Engine) -> None:
    client.post(CHAT, json={"messages": ENGLISH}, headers={"authorization": "Bearer secret", "cookie": "a=b"})
    assert not {"authorization", "cookie"} & set(body.got[0].headers)


def test_the_access_log_has_one_line_a_request_and_no_prompt(
    client: httpx2.Client, mtp: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="polydraft.access"):
        client.post(CHAT, json={"messages": CHINESE})
        until(lambda: len(caplog.records) == 1)
    line = json.loads(caplog.records[0].getMessage())
    assert line["engine"] == mtp.url.removeprefix("http://")
    assert (line["lane"], line["language"], line["reason"], line["status"]) == ("mtp", "zh-Hans", "measured", 200)
    assert line["num_accepted_draft_tokens"] == double.SPECULATIVE["num_accepted_draft_tokens"]
    assert "计算机" not in caplog.text
    assert "hello" not in caplog.text


def test_engine_up_follows_the_health_check(client: httpx2.Client, mtp: Engine) -> None:
    assert metric(client.get("/metrics").text, "polydraft_engine_up", lane="mtp") == 1
    mtp.healthy = False
    until(lambda: metric(client.get("/metrics").text, "polydraft_engine_up", lane="mtp") == 0)


def test_a_rejected_request_is_logged_counted_and_can_be_found(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="polydraft.access"):
        response = client.post(CHAT, json={"messages": ENGLISH, "model": "gpt-4"}, headers={"x-request-id": "mine"})
        until(lambda: len(caplog.records) == 1)
    line = json.loads(caplog.records[0].getMessage())
    assert (line["request_id"], line["status"], line["end"], line["lane"]) == ("mine", 404, "rejected", None)
    assert response.headers["x-request-id"] == "mine"
    text = client.get("/metrics").text
    assert metric(text, "polydraft_requests_total", lane="none", language="und", reason="none", end="rejected") == 1


def test_a_request_that_finds_no_engine_is_told_its_lane(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    body.healthy = mtp.healthy = False
    until(lambda: client.get("/readyz").status_code == 503)
    response = client.post(CHAT, json={"messages": CHINESE})
    assert (response.status_code, response.headers["x-polydraft-lane"]) == (503, "mtp")
    assert metric(client.get("/metrics").text, "polydraft_requests_total", lane="mtp", end="rejected") == 1


def test_a_client_that_leaves_while_it_sends_is_no_fault(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b'{"messages": [')
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", end="aborted") == 1)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_model_whose_name_has_an_at_sign_can_still_be_forced(loop: double.Loop, body: Engine) -> None:
    wanted = Settings(model="org@model", lanes=(Lane("body", body.url),), probe_interval=0.05)
    with double.router(loop, wanted) as url, httpx2.Client(base_url=url) as plain:
        until(lambda: plain.get("/readyz").status_code == 200)
        for model in ("org@model", "org@model@body"):
            assert plain.post(CHAT, json={"messages": ENGLISH, "model": model}).status_code == 200
        assert plain.post(CHAT, json={"messages": ENGLISH, "model": "org@body"}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/v1/models/other", 404),
        ("POST", "/v1/route", 400),
        ("GET", "/nowhere", 404),
        ("GET", CHAT, 405),
        ("POST", CHAT, 400),
    ],
)
def test_every_answer_has_an_id_and_its_line_the_same(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture, method: str, path: str, status: int
) -> None:
    with caplog.at_level("INFO", logger="polydraft.access"):
        mine = client.request(method, path, headers={"x-request-id": "mine"})
        made = client.request(method, path, headers={"x-request-id": "not harmless"})
        if path != "/healthz":
            until(lambda: len(caplog.records) == 2)
            named = [json.loads(record.getMessage())["request_id"] for record in caplog.records]
            assert named == ["mine", made.headers["x-request-id"]]
    assert mine.status_code == made.status_code == status
    assert mine.headers["x-request-id"] == "mine"
    assert len(made.headers["x-request-id"]) == 32


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", "/v1/models/demo", "/version", "/metrics"])
def test_head_is_answered_as_get_without_its_content(client: httpx2.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", CHAT, "POST"), ("HEAD", CHAT, "POST"), ("DELETE", "/v1/models", "GET, HEAD")],
)
def test_a_wrong_method_is_told_the_right_ones(client: httpx2.Client, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/metrics/", "/v1/models/demo/", CHAT + "/"])
def test_no_path_leads_to_another(client: httpx2.Client, path: str) -> None:
    assert client.get(path, follow_redirects=False).status_code == 404
