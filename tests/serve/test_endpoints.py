"""The endpoints beside chat: each in its own shape, its errors too, and the official clients of both APIs agree."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from serve.routing.lane import Lane
from tests.serve import double
from tests.serve.double import Engine, Exchange, metric, until

ENGLISH = "Please tell me what a computer program is."
CHINESE = "请告诉我什么是计算机程序。"
TURNS = [{"role": "user", "content": CHINESE}]
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "metadata": {"model": "demo"}, "model": "demo"}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [],
    "model": "demo",
    "stop_reason": None,
}
SAID = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
USAGE = {"input_tokens": 5, "output_tokens": 15, "total_tokens": 20}


async def respond(exchange: Exchange) -> None:
    """Answer each endpoint as vLLM does, in few words."""
    content = {
        "/v1/responses": [_response(), *_response_events()],
        "/v1/messages": [_message(), *_message_events()],
        "/v1/messages/count_tokens": [{"input_tokens": 7}],
        "/tokenize": [{"count": 1, "max_model_len": 9, "tokens": [5]}],
        "/detokenize": [{"prompt": "hello"}],
    }[exchange.path]
    if not exchange.payload.get("stream"):
        return await exchange.whole(content[0])
    await exchange.start_stream()
    for event in content[1:]:
        raw = json.dumps(event, separators=(",", ":"))
        await exchange.chunk(f"event: {event['type']}\ndata: {raw}\n\n".encode())
    return await exchange.send(b"0\r\n\r\n")


def _response() -> dict[str, Any]:
    text = {"type": "output_text", "text": "hello", "annotations": []}
    return {**RESPONSE, "status": "completed", "output": [{**SAID, "content": [text]}], "usage": USAGE}


def _response_events() -> list[dict[str, Any]]:
    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    delta = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0}
    return [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {**delta, "sequence_number": 1, "delta": "hel"},
        {**delta, "sequence_number": 2, "delta": "lo"},
        {"type": "response.completed", "sequence_number": 3, "response": _response()},
    ]


def _message() -> dict[str, Any]:
    return {**MESSAGE, "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn", "usage": USAGE}


def _message_events() -> list[dict[str, Any]]:
    delta = {"type": "content_block_delta", "index": 0}
    return [
        {"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 5, "output_tokens": 0}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {**delta, "delta": {"type": "text_delta", "text": "hel"}},
        {**delta, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
        {"type": "message_stop"},
    ]


@pytest.fixture(autouse=True)
def answering(body: Engine, mtp: Engine) -> None:
    body.behaviour = mtp.behaviour = respond


@pytest.fixture
def claude(client: httpx2.Client) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=str(client.base_url), api_key="none", max_retries=0) as official:
        yield official


@pytest.fixture
def official(client: httpx2.Client) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0) as running:
        yield running


GENERATING = [
    pytest.param("/v1/responses", {"input": CHINESE}, id="responses"),
    pytest.param("/v1/messages", {"messages": TURNS, "max_tokens": 9}, id="messages"),
]
COUNTING = [
    pytest.param("/v1/messages/count_tokens", {"messages": TURNS}, id="count_tokens"),
    pytest.param("/tokenize", {"prompt": "hello"}, id="tokenize"),
    pytest.param("/tokenize", {"messages": TURNS}, id="tokenize a chat"),
    pytest.param("/detokenize", {"tokens": [5]}, id="detokenize"),
]


@pytest.mark.parametrize(("path", "payload"), GENERATING)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_is_routed_by_language_and_answered_byte_for_byte(
    client: httpx2.Client, mtp: Engine, path: str, payload: dict[str, Any], stream: bool
) -> None:
    sent = {**payload, "model": "demo", **({"stream": True} if stream else {})}
    routed, direct = client.post(path, json=sent), httpx2.post(mtp.url + path, json=sent)
    assert (routed.headers["x-polydraft-lane"], routed.headers["x-polydraft-reason"]) == ("mtp", "measured")
    assert routed.headers["x-polydraft-language"] == "zh-Hans"
    assert (routed.content, routed.headers["content-type"]) == (direct.content, direct.headers["content-type"])
    assert mtp.got[0].payload == sent, "nothing is added that this endpoint doesn't know"


@pytest.mark.parametrize(("path", "payload"), GENERATING)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_model_is_called_as_the_client_called_it(
    client: httpx2.Client, mtp: Engine, path: str, payload: dict[str, Any], stream: bool
) -> None:
    sent = {**payload, "model": "demo@mtp", **({"stream": True} if stream else {})}
    routed, direct = client.post(path, json=sent).text, httpx2.post(mtp.url + path, json=sent).text
    compact = '"model":"demo"' if stream else '"model": "demo"'
    place = f"}},{compact}" if path == "/v1/responses" and stream else compact
    if path == "/v1/responses" and not stream:
        place = f"}}, {compact}"
    assert place in direct
    assert routed == direct.replace(place, place.replace('"demo"', '"demo@mtp"'))
    assert mtp.got[0].payload["model"] == "demo"


@pytest.mark.parametrize(("path", "payload"), GENERATING)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_is_counted_but_not_measured(client: httpx2.Client, path: str, payload: dict[str, Any], stream: bool) -> None:
    client.post(path, json={**payload, "stream": stream})
    keys = {"lane": "mtp", "language": "zh-Hans"}
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", **keys, end="complete") == 1)
    text = client.get("/metrics").text
    assert metric(text, "polydraft_unmeasured_requests_total", **keys) == 1
    assert metric(text, "polydraft_completion_tokens_total", **keys) == USAGE["output_tokens"]
    assert metric(text, "polydraft_prompt_tokens_total", **keys) == USAGE["input_tokens"]
    assert metric(text, "polydraft_num_spec_steps_total", **keys) == 0


@pytest.mark.parametrize(("path", "payload"), COUNTING)
def test_tokens_are_counted_by_any_engine_and_are_no_measurement(
    client: httpx2.Client, body: Engine, path: str, payload: dict[str, Any]
) -> None:
    routed = client.post(path, json={**payload, "model": "demo"})
    assert routed.content == httpx2.post(body.url + path, json=payload).content
    assert (routed.headers["x-polydraft-lane"], routed.headers["x-polydraft-reason"]) == ("body", "any")
    assert body.got[0].payload == {**payload, "model": "demo"}
    forced = client.post(path, json={**payload, "model": "demo@mtp"})
    assert (forced.headers["x-polydraft-lane"], forced.headers["x-polydraft-reason"]) == ("mtp", "forced")
    until(lambda: metric(client.get("/metrics").text, "polydraft_requests_total", end="complete") == 2)
    text = client.get("/metrics").text
    assert metric(text, "polydraft_requests_total", lane="body", language="und", reason="any", end="complete") == 1
    assert metric(text, "polydraft_unmeasured_requests_total") == 0


def test_counting_goes_to_whichever_engine_is_up(client: httpx2.Client, body: Engine) -> None:
    body.healthy = False
    until(lambda: not client.get("/readyz").json()["lanes"]["body"])
    routed = client.post("/tokenize", json={"prompt": "hello"})
    assert (routed.status_code, routed.headers["x-polydraft-lane"]) == (200, "mtp")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize(
    ("raw", "status", "kind"),
    [
        (b"{", 400, "invalid_request_error"),
        (b'{"model":7,"messages":[{"role":"user","content":"x"}]}', 400, "invalid_request_error"),
        (b'{"model":"other","messages":[{"role":"user","content":"x"}]}', 404, "not_found_error"),
        (b'"' + b"x" * (33 * 2**20) + b'"', 413, "request_too_large"),
    ],
    ids=["not JSON", "wrong type", "unknown model", "too large"],
)
def test_refuses_in_anthropics_shape(client: httpx2.Client, path: str, raw: bytes, status: int, kind: str) -> None:
    response = client.post(path, content=raw)
    assert response.status_code == status
    assert set(response.json()) == {"type", "error"}
    assert (response.json()["type"], response.json()["error"]["type"]) == ("error", kind)
    assert isinstance(response.json()["error"]["message"], str)


def test_a_wrong_method_or_path_below_messages_is_in_anthropics_shape(client: httpx2.Client) -> None:
    assert client.get("/v1/messages").json()["type"] == "error"
    assert client.post("/v1/messages/batches").json()["error"]["type"] == "not_found_error"
    assert "type" not in client.get("/v1/messagesque").json()


def test_without_an_engine_anthropics_clients_are_told_so(client: httpx2.Client, body: Engine, mtp: Engine) -> None:
    body.healthy = mtp.healthy = False
    until(lambda: client.get("/readyz").status_code == 503)
    response = client.post("/v1/messages", json={"messages": TURNS, "max_tokens": 9})
    assert (response.status_code, response.json()["error"]["type"]) == (503, "overloaded_error")
    assert int(response.headers["retry-after"]) > 0


def test_anthropics_client_gets_messages(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": "demo", "max_tokens": 9, "messages": TURNS}
    whole = claude.messages.create(**asked)
    assert [block.text for block in whole.content if block.type == "text"] == ["hello"]
    with claude.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == "hello"
        assert stream.get_final_message().usage.output_tokens == USAGE["output_tokens"]
    assert claude.messages.count_tokens(model="demo", messages=asked["messages"]).input_tokens == 7


def test_anthropics_client_raises_what_the_router_refuses(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="models are demo"):
        claude.messages.create(model="other", max_tokens=9, messages=[{"role": "user", "content": "x"}])


def test_anthropics_beta_client_adds_a_query_and_is_served_too(claude: anthropic.Anthropic, mtp: Engine) -> None:
    asked: Any = {"model": "demo", "max_tokens": 9, "messages": TURNS}
    assert claude.beta.messages.create(**asked).usage.output_tokens == USAGE["output_tokens"]
    assert mtp.got[0].path == "/v1/messages"


def test_openais_client_gets_responses(official: openai.OpenAI) -> None:
    assert official.responses.create(model="demo", input=CHINESE).output_text == "hello"
    events = list(official.responses.create(model="demo", input=CHINESE, stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "hello"
    assert events[-1].type == "response.completed"


async def break_off(exchange: Exchange) -> None:
    """Send the first two events of a stream, and reset the connection."""
    events = (_response_events() if exchange.path == "/v1/responses" else _message_events())[:2]
    await exchange.start_stream()
    for event in events:
        await exchange.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    exchange.writer.transport.abort()


def test_a_stream_that_breaks_makes_anthropics_client_raise(claude: anthropic.Anthropic, mtp: Engine) -> None:
    mtp.behaviour = break_off
    asked: Any = {"model": "demo", "max_tokens": 9, "messages": TURNS}
    with pytest.raises(anthropic.APIError, match="broke off"), claude.messages.stream(**asked) as stream:
        list(stream.text_stream)


def test_a_stream_that_breaks_makes_openais_client_raise(
    client: httpx2.Client, official: openai.OpenAI, mtp: Engine
) -> None:
    mtp.behaviour = break_off
    with pytest.raises(openai.APIError, match="broke off"):
        list(official.responses.create(model="demo", input=CHINESE, stream=True))
    raw = client.post("/v1/responses", json={"input": CHINESE, "stream": True}).text
    last = raw.split("\n\n")[-2]
    assert last.startswith("event: error\ndata: ")
    event = json.loads(last.partition("data: ")[2])
    assert (event["type"], event["sequence_number"], event["code"]) == ("error", 2, "engine_failed")


@pytest.mark.parametrize(
    ("payload", "endpoint"),
    [
        ({"input": CHINESE, "instructions": "Be short."}, "responses"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": CHINESE}]}]}, "responses"),
        ({"system": "Be short.", "messages": TURNS}, "messages"),
        ({"messages": TURNS, "thinking": {"type": "enabled", "budget_tokens": 2048}}, "messages"),
        ({"messages": TURNS, "stop_sequences": ["x"]}, "messages"),
        ({"messages": TURNS}, "chat"),
        ({"prompt": "今天的天气很好，我们去公园散步吧。"}, "completions"),
    ],
)
def test_route_explains_every_shape(client: httpx2.Client, payload: dict[str, Any], endpoint: str) -> None:
    explained = client.post("/v1/route", json=payload).json()
    assert (explained["endpoint"], explained["lane"], explained["language"]) == (endpoint, "mtp", "zh-Hans")


def stores(name: str) -> double.Behaviour:
    """An engine that holds one response."""

    async def behave(exchange: Exchange) -> None:
        if exchange.path.partition("?")[0].removesuffix("/cancel") == f"/v1/responses/{name}":
            return await exchange.whole({**_response(), "id": name})
        if exchange.path == "/v1/responses":
            return await exchange.whole({**_response(), "of": name})
        return await exchange.whole({"error": {"message": "not found", "code": 404}}, 404)

    return behave


@pytest.fixture
def storing(client: httpx2.Client, body: Engine, mtp: Engine) -> httpx2.Client:
    body.behaviour, mtp.behaviour = stores("resp_body"), stores("resp_mtp")
    return client


@pytest.mark.parametrize("lane", ["body", "mtp"])
def test_a_stored_response_comes_from_the_engine_that_holds_it(storing: httpx2.Client, lane: str) -> None:
    got = storing.get(f"/v1/responses/resp_{lane}")
    assert (got.json()["id"], got.headers["x-polydraft-lane"]) == (f"resp_{lane}", lane)
    assert got.headers["x-polydraft-reason"] == "held"
    assert storing.post(f"/v1/responses/resp_{lane}/cancel").json()["id"] == f"resp_{lane}"


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_what_goes_on_from_a_response_goes_where_that_is(storing: httpx2.Client, text: str) -> None:
    """Whatever lane its language would take."""
    for lane in ("body", "mtp"):
        answer = storing.post("/v1/responses", json={"input": text, "previous_response_id": f"resp_{lane}"})
        assert (answer.json()["of"], answer.headers["x-polydraft-reason"]) == (f"resp_{lane}", "held")
    explained = storing.post("/v1/route", json={"input": text, "previous_response_id": "resp_mtp"}).json()
    assert (explained["lane"], explained["reason"]) == ("mtp", "held")


def test_an_unknown_response_is_refused_in_the_engines_words(storing: httpx2.Client) -> None:
    got = storing.get("/v1/responses/resp_none")
    assert (got.status_code, got.json()) == (404, {"error": {"message": "not found", "code": 404}})


@pytest.mark.parametrize("path", ["a.b", "..%2f..%2fhealth", "a%20b", "x" * 129, "a%0d%0ahost:x", "a/b"])
def test_what_cannot_be_a_responses_id_reaches_no_engine(
    storing: httpx2.Client, body: Engine, mtp: Engine, path: str
) -> None:
    assert storing.get(f"/v1/responses/{path}").status_code == 404
    assert (body.got, mtp.got) == ([], [])


def test_the_query_of_a_stored_response_reaches_its_engine(storing: httpx2.Client, mtp: Engine) -> None:
    storing.get("/v1/responses/resp_mtp?include%5B%5D=a&starting_after=2&stream=%0D%0Ax")
    assert mtp.got[-1].path == "/v1/responses/resp_mtp?starting_after=2&stream=%0D%0Ax"


def test_one_engine_is_not_asked_whether_it_holds_a_response(loop: double.Loop, body: Engine) -> None:
    body.behaviour = stores("resp_1")
    lanes = (Lane("body", body.url), Lane("mtp", body.url, "mtp", 2))
    with double.router(loop, double.settings(lanes)) as url, httpx2.Client(base_url=url) as plain:
        until(lambda: plain.get("/readyz").status_code == 200)
        plain.get("/v1/responses/resp_1")
        assert [exchange.path for exchange in body.got] == ["/v1/responses/resp_1"]


@pytest.mark.parametrize(("path", "payload"), GENERATING)
def test_an_engine_with_several_lanes_is_told_which(
    loop: double.Loop, body: Engine, path: str, payload: dict[str, Any]
) -> None:
    lanes = (Lane("body", body.url), Lane("mtp", body.url, "mtp", 2))
    with double.router(loop, double.settings(lanes)) as url, httpx2.Client(base_url=url) as plain:
        until(lambda: plain.get("/readyz").status_code == 200)
        plain.post(path, json={**payload, "model": "demo@mtp"})
        plain.post("/tokenize", json={"prompt": "x"})
    assert body.got[0].payload["vllm_xargs"] == {"lane": "mtp", "draft_tokens": 2}
    assert body.got[1].payload == {"prompt": "x", "model": "demo"}


@pytest.mark.parametrize(("path", "payload"), [*GENERATING, *COUNTING])
def test_ids_are_carried_through(client: httpx2.Client, body: Engine, mtp: Engine, path: str, payload: Any) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}
    response = client.post(path, json=payload, headers={"x-request-id": "mine", **trace})
    assert response.headers["x-request-id"] == "mine"
    (exchange,) = [*body.got, *mtp.got]
    assert {name: exchange.headers[name] for name in trace} == trace
    assert exchange.headers["x-request-id"] == "mine"
