"""A router with keys over a real socket: who is let in, what a key never reaches, and that a changed file counts."""

import asyncio
import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from serve.bench import measure
from serve.bench.plan import Plan
from serve.bench.prompts import Prompt
from serve.errors import ConfigError
from serve.gate.router import reach
from serve.routing import language
from serve.security import keyfile, keys
from tests.serve import double
from tests.serve.double import Engine, Exchange, metric, until
from tests.serve.security.conftest import CHAT, PAYLOAD, Keyed, Start, ask, post, with_keys

OPEN = ["/healthz", "/readyz"]
CLOSED = [
    "/v1/models",
    "/v1/models/demo",
    "/version",
    "/metrics",
    "/v1/responses/resp_1",
    "/nowhere",
    "/docs",
    "/healthz/",
]
POSTS = [
    CHAT,
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/tokenize",
    "/v1/route",
]


@pytest.mark.parametrize("path", CLOSED)
def test_reading_anything_but_health_needs_a_key(keyed: Keyed, path: str) -> None:
    with keyed.client() as stranger, keyed.client(authorization=f"Bearer {keyed.key}") as alice:
        assert stranger.get(path).status_code == 401
        assert alice.get(path).status_code != 401


@pytest.mark.parametrize("path", OPEN)
def test_probes_need_none(keyed: Keyed, path: str) -> None:
    with keyed.client() as stranger:
        assert stranger.get(path).status_code == 200


@pytest.mark.parametrize("path", POSTS)
def test_a_request_without_a_key_reaches_no_engine(keyed: Keyed, body: Engine, path: str) -> None:
    with keyed.client() as stranger:
        refused = stranger.post(path, json=PAYLOAD)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert len(refused.headers["x-request-id"]) == 32
    assert body.got == []


def test_the_refusal_has_the_shape_of_the_paths_api(keyed: Keyed) -> None:
    with keyed.client() as stranger:
        openais, anthropics = stranger.post(CHAT, json={}).json(), stranger.post("/v1/messages", json={}).json()
    assert set(openais["error"]) == {"message", "type", "param", "code"}
    assert openais["error"]["code"] == "invalid_api_key"
    assert (anthropics["type"], anthropics["error"]["type"]) == ("error", "authentication_error")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {}"},
        {"authorization": "bearer {}"},
        {"x-api-key": "{}"},
        {"x-api-key": "{}", "authorization": "Bearer something else"},
    ],
    ids=["bearer", "lower case", "x-api-key", "the one of two"],
)
def test_a_key_is_taken_in_either_header(keyed: Keyed, headers: dict[str, str]) -> None:
    with keyed.client(**{name: value.format(keyed.key) for name, value in headers.items()}) as alice:
        assert alice.post(CHAT, json=PAYLOAD).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "authorization: Bearer ",
        "authorization: Bearer {key}x",
        "authorization: Bearer {cut}",
        "authorization: Basic {key}",
        "authorization: {key}",
        "x-api-key: {digest}",
        "x-api-key: {key} {key}",
        "x-api-key: \xff",
        "cookie: x-api-key={key}",
        "connection: x-api-key\r\nx-api-key: nothing",
    ],
)
def test_anything_else_is_not(keyed: Keyed, body: Engine, header: str) -> None:
    digest = keyed.file.read_text().strip().rpartition(":")[2]
    heard = ask(keyed.url, post(CHAT, header.format(key=keyed.key, cut=keyed.key[:-1], digest=digest)))
    assert heard.statuses == [401]
    assert body.got == []


@pytest.mark.parametrize(
    "target",
    [
        "/v1/models?key={}",
        "/%68ealthz",
        "/healthz/../v1/models",
        "//healthz",
        "http://127.0.0.1/healthz",
        "/HEALTHZ",
        "/healthz;a",
    ],
)
def test_no_spelling_of_a_path_gets_round_the_door(keyed: Keyed, target: str) -> None:
    raw = f"GET {target.format(keyed.key)} HTTP/1.1\r\nhost: a\r\n\r\n".encode()
    assert ask(keyed.url, raw).statuses == [401]


def test_a_large_payload_without_a_key_gets_its_answer_and_the_connection_lives_on(keyed: Keyed) -> None:
    with keyed.client() as stranger:
        for _ in range(3):
            assert stranger.post(CHAT, content=b"x" * 2**22).status_code == 401
        assert stranger.get("/healthz").status_code == 200


def test_metrics_may_be_opened(start: Start, keyed: Keyed) -> None:
    with start(keys_file=keyed.file, open_metrics=True) as url:
        assert httpx2.get(f"{url}/metrics").status_code == 200
        assert httpx2.get(f"{url}/version").status_code == 401


def test_a_changed_file_counts_without_a_restart(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bobs = keys.mint()
    with with_keys(start, tmp_path) as keyed, keyed.client(authorization=f"Bearer {bobs}") as bob:
        alice = {"authorization": f"Bearer {keyed.key}"}
        assert bob.get("/version").status_code == 401
        keyfile.add(keyed.file, keys.made("bob", bobs))
        until(lambda: bob.get("/version").status_code == 200)
        keyed.file.write_text("not a file of keys")
        until(lambda: any("NOT reloaded" in record.getMessage() for record in caplog.records))
        assert bob.get("/version").status_code == bob.get("/version", headers=alice).status_code == 200
        keyed.file.write_text(keys.written([keys.made("bob", bobs)]))
        until(lambda: bob.get("/version", headers=alice).status_code == 401)
        assert bob.get("/version").status_code == 200


def test_a_key_reaches_no_engine_log_error_or_metric(
    keyed: Keyed, body: Engine, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = keys.mint()
    answers = []
    with caplog.at_level("DEBUG"), keyed.client() as client:  # httpx2 logs the URLs that it calls, keys and all
        for key in (keyed.key, wrong):
            for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
                for path in (CHAT, "/v1/messages", "/v1/route", "/nowhere", f"/v1/models/demo?key={key}"):
                    answers.append(client.post(path, json=PAYLOAD, headers=headers))
                answers.append(client.post(CHAT, content=b"{", headers=headers))
        answers.append(client.get("/metrics", headers={"x-api-key": keyed.key}))
    assert {answer.status_code for answer in answers} >= {200, 400, 401, 404}
    digest = keyed.file.read_text().strip().rpartition(":")[2]
    printed = capfd.readouterr()
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    told = [answer.text + str(answer.headers) for answer in answers]
    for secret in (keyed.key, wrong, digest):
        assert secret not in ours + printed.out + printed.err + "".join(told)
        assert all(secret not in str(exchange.headers) + str(exchange.payload) for exchange in body.got)
    assert len(body.got) > 0


def test_refusals_are_counted_and_logged(start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        with_keys(start, tmp_path) as keyed,
        caplog.at_level("INFO", logger="polydraft.access"),
        keyed.client() as stranger,
    ):
        stranger.post(f"{CHAT}?secret=1", json=PAYLOAD)
        until(lambda: len(caplog.records) == 1)
        text = stranger.get("/metrics", headers={"x-api-key": keyed.key}).text
    line = json.loads(caplog.records[0].getMessage())
    assert (line["method"], line["path"], line["status"], line["end"]) == ("POST", CHAT, 401, "rejected")
    assert metric(text, "polydraft_refused_requests_total", code="invalid_api_key") == 1


def test_official_clients_get_in_with_a_key_and_their_own_error_without(keyed: Keyed, body: Engine) -> None:
    async def message(exchange: Exchange) -> None:
        usage = {"input_tokens": 1, "output_tokens": 1}
        content = [{"type": "text", "text": "hello"}]
        more = {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
        answer = {"id": "m", "type": "message", "role": "assistant", "model": "demo", "content": content, **more}
        await (exchange.whole(answer) if exchange.path == "/v1/messages" else double.answer(exchange))

    body.behaviour = message
    question: Any = [{"role": "user", "content": "hello"}]
    for key in (keyed.key, "wrong"):
        with (
            openai.OpenAI(base_url=f"{keyed.url}/v1", api_key=key, max_retries=0) as theirs,
            anthropic.Anthropic(base_url=keyed.url, api_key=key, max_retries=0) as other,
        ):
            if key == keyed.key:
                assert theirs.chat.completions.create(model="demo", messages=question).choices
                assert other.messages.create(model="demo", max_tokens=5, messages=question).content
                continue
            with pytest.raises(openai.AuthenticationError):
                theirs.chat.completions.create(model="demo", messages=question)
            with pytest.raises(anthropic.AuthenticationError):
                other.messages.create(model="demo", max_tokens=5, messages=question)


def test_the_engines_own_key_is_sent_to_engines_alone(start: Start, body: Engine, tmp_path: Path) -> None:
    file = tmp_path / "engine"
    file.write_text("an-engines-own-key\n")
    with start(engine_key_file=file) as url:
        answer = httpx2.post(f"{url}{CHAT}", json=PAYLOAD, headers={"authorization": "Bearer mine"})
    assert answer.status_code == 200
    assert body.got[0].headers["authorization"] == "Bearer an-engines-own-key"
    assert "an-engines-own-key" not in str(answer.headers) + answer.text


def test_measuring_and_proving_bring_a_key_from_a_file(keyed: Keyed, body: Engine, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text(f"{keyed.key}\n")
    plan = Plan((Prompt("en", "hello"),), max_tokens=2)

    async def explained(credentials: dict[str, str]) -> dict[str, float]:
        async with reach(keyed.url, credentials) as router:
            return await router.promised("hello")

    def measured(credentials: dict[str, str]) -> measure.Run:
        known = language.load()
        return asyncio.run(measure.measure(keyed.url, plan, known, lambda done, total: None, credentials))

    assert measured(keyfile.bearer(file)).samples[0].tokens == double.USAGE["completion_tokens"]
    assert asyncio.run(explained(keyfile.bearer(file))) == {}
    for without in (lambda: measured(keyfile.bearer(None)), lambda: asyncio.run(explained({}))):
        with pytest.raises(ConfigError, match="401") as refusal:
            without()
        assert keyed.key not in str(refusal.value)


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff", b"line\nline"])
def test_a_file_without_one_key_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "mine"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=str(file)):
        keyfile.bearer(file)
