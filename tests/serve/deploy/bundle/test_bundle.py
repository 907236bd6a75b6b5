"""Secrets and prompts are planted wherever they could come from, and none may be in the archive."""

import json
import os
import re
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from serve import __main__ as command_line
from serve import access_log
from serve.deploy.bundle import redact
from serve.errors import ConfigError
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.outcome import Acceptance, Outcome
from serve.routing.policy import Decision
from serve.security import keyfile, keys
from tests.serve import double

PROMPT = "Why does my employer Contoso owe me forty thousand marks"
ANSWER = "Because clause seven of your contract says so"
HUB = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01"
KEY = "sk-proj-4fK2mWq8LxVt0aZ9bYc7"
PLANTED = {
    "OpenAI's kind of key": KEY,
    "the hub's token": HUB,
    "a password": "correct-horse-battery",
    "a key in a header": "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG",
    "a prompt": PROMPT,
    "an answer": ANSWER,
    "a key's middle": "MIIEvQIBADANBgkqhkiG9w0",
}
ENGINE = f"""\
(APIServer pid=17) INFO 11-22 15:08:32 [api_server.py:1] vLLM API server version 0.33.0
(APIServer pid=17) INFO 11-22 15:08:32 [utils.py:2] non-default args: {{'api_key': ['{KEY}'], 'port': 8000}}
(APIServer pid=17) INFO 11-22 15:08:33 [logger.py:3] Received request chatcmpl-1: prompt: '{PROMPT}', params: n=1
(APIServer pid=17) INFO 11-22 15:08:34 [logger.py:4] Generated response chatcmpl-1: output: '{ANSWER}'
(EngineCore pid=18) ERROR 11-22 15:08:35 [core.py:5] ValueError: {PROMPT} is too long
(EngineCore pid=18) ERROR 11-22 15:08:36 [core.py:6] OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB
INFO:     127.0.0.1:50000 - "POST /v1/chat/completions HTTP/1.1" 200 OK
Traceback (most recent call last):
  File "/opt/vllm/lib/python3.12/site-packages/vllm/v1/engine/core.py", line 7, in run
    raise ValueError("{PROMPT}")
ValueError: {PROMPT}
{PROMPT}
HF_TOKEN={HUB}
(APIServer pid=17) WARNING 11-22 15:08:37 [hub.py:8] using HF_TOKEN={HUB} and password: {PLANTED["a password"]}
(APIServer pid=17) INFO 11-22 15:08:38 [x.py:9] Authorization: Bearer {PLANTED["a key in a header"]}
(APIServer pid=17) INFO 11-22 15:08:39 [x.py:9] connecting to valkeys://ledger:{PLANTED["a password"]}@ledger:6379/0
(APIServer pid=17) INFO 11-22 15:08:40 [x.py:9] -----BEGIN PRIVATE KEY-----{PLANTED["a key's middle"]}
"""
GIVEN_AWAY = {
    'ValueError: could not read "Write me a CUDA kernel for Contoso merger"': "merger",
    "RuntimeError: Die Kernel-Frage an Frau Meier, Kontonummer 1234": "Meier",
    "INFO 11-23 chat_utils: failed for user 'tell me about my HIV test'": "HIV",
    "WARNING 11-23 tool parser could not parse my diagnosis is cancer": "cancer",
    'INFO: 127.0.0.1 - "GET /v1/models/my%20secret%20diagnosis HTTP/1.1" 404': "diagnosis",
    "INFO 11-23 vllm serve --api-key mysecretkey123": "mysecretkey123",
    # The same where the line's shape is one that is kept.
    "INFO 11-23 15:08:40 [api_server.py:1] it didn't fit 'my zoster' and \"my psoriasis": "zoster|psoriasis",
    "INFO 11-23 15:08:40 [api_server.py:1] vllm serve --api-key firstkey4711 nextkey4712 --port 1": "key471",
    "INFO 11-23 15:08:40 [chat_utils.py:1] failed for my lumbago": "lumbago",
    "(EngineCore pid=1) ERROR 11-23 15:08:40 [core.py:1] RuntimeError: driver of Frau Schulze": "Schulze",
    "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB for Herr Krause": "Krause",
    'INFO:     127.0.0.1:5 - "GET /v1/gastritis HTTP/1.1" 404 Not Found': "gastritis",
    "my arthritis ValueError: no": "arthritis",
}
"""Lines with what of each mustn't get out."""
ENGINE += "".join(f"{line}\n" for line in GIVEN_AWAY)
ROUTER = "\n".join(
    [
        json.dumps({"request_id": "a", "path": "/v1/chat/completions", "status": 200, "prompt": PROMPT}),
        json.dumps({"request_id": "b", "path": f"/{PROMPT}", "status": 404, "end": "rejected", "duration_s": None}),
        json.dumps({"messages": [{"role": "user", "content": PROMPT}]}),
        PROMPT,
    ]
)


@pytest.fixture
def archive(tmp_path: Path, loop: double.Loop, body: double.Engine) -> dict[str, str]:
    """What the command collects of a router with keys, and of logs with everything in them that mustn't get out."""
    logs, key_file, to = tmp_path / "logs", tmp_path / "key", tmp_path / "bundle.tar.gz"
    logs.mkdir()
    (logs / "engine.log").write_text(ENGINE)
    (logs / "router.log").write_text(ROUTER)
    (logs / "compose.log").write_text("".join(f"gb10-engine-1  | {line}\n" for line in ENGINE.splitlines()))
    (logs / "secrets.txt").write_text(PROMPT)  # no log
    minted = keys.mint()
    keyfile.add(tmp_path / "keys", keys.made("me", minted))
    key_file.write_text(minted)
    wanted = double.settings((Lane("body", body.url),), keys_file=tmp_path / "keys")
    with double.router(loop, wanted) as url:
        command = ["support-bundle", "cpu", "--output", str(to), "--url", url, "--logs", str(logs)]
        done = CliRunner().invoke(
            command_line.cli, [*command, "--key-file", str(key_file)], env={"HF_TOKEN": HUB}, catch_exceptions=False
        )
    assert done.exit_code == 0
    assert os.stat(to).st_mode & 0o777 == 0o600
    with tarfile.open(to) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        found = {name.removeprefix("polydraft/"): file.read().decode() for name, file in files.items() if file}
    assert minted not in "".join(found.values())
    return found


def test_nothing_that_was_planted_is_in_it(archive: dict[str, str]) -> None:
    everything = "\n".join(archive.values())
    assert {what for what, planted in PLANTED.items() if planted in everything} == set()
    assert "Contoso" not in everything


@pytest.mark.parametrize("line", GIVEN_AWAY)
def test_no_word_of_a_request_gets_out_by_a_line_s_shape(line: str, archive: dict[str, str]) -> None:
    assert not re.search(GIVEN_AWAY[line], "".join(archive.values()))


def test_a_secret_may_follow_its_name_after_a_blank() -> None:
    assert redact.secrets("vllm serve --api-key one two --port 8000") == "vllm serve --api-key <removed> --port 8000"
    assert redact.secrets("the password hunter2 was wrong") == "the password <removed> was wrong"


def test_what_helps_is_in_it(archive: dict[str, str]) -> None:
    assert json.loads(archive["versions.json"])["packages"]["aiohttp"]
    assert "[[bodies." in archive["profile.toml"]
    assert "prom/prometheus" in archive["pins.txt"]
    assert "KV cache" in archive["plan.txt"]
    assert json.loads(archive["doctor.json"])
    assert "polydraft_engine_up" in archive["metrics.txt"]
    assert json.loads(archive["readyz.json"])["lanes"] == {"body": True}
    engine = archive["logs/engine.log"]
    assert "vLLM API server version 0.33.0" in engine
    assert "[utils.py:2] non-default args: {<removed>" in engine
    assert "CUDA out of memory. Tried to allocate 2.00 GiB" in engine
    assert 'core.py", line 7, in run' in engine
    assert "ValueError: <removed>" in engine
    assert "POST /v1/chat/completions" in engine
    assert "gb10-engine-1  | (APIServer pid=17) INFO" in archive["logs/compose.log"]
    assert '"status":404' in archive["logs/router.log"]


def test_what_was_left_out_is_counted(archive: dict[str, str]) -> None:
    assert archive["logs/router.log"].splitlines()[-1].startswith("# 2 of 4 lines left out")


def test_a_router_that_does_not_answer_is_said_and_spoils_nothing(tmp_path: Path) -> None:
    to = tmp_path / "bundle.tar.gz"
    command = ["support-bundle", "cpu", "--output", str(to), "--url", "http://127.0.0.1:9"]
    assert CliRunner().invoke(command_line.cli, command, catch_exceptions=False).exit_code == 0
    with tarfile.open(to) as tar:
        file = tar.extractfile("polydraft/metrics.txt")
        assert file is not None
        assert file.read().startswith(b"not to be had: ")
    with pytest.raises(ConfigError, match=r"File exists.*--output"):
        CliRunner().invoke(command_line.cli, command, catch_exceptions=False)


def test_every_field_of_the_access_log_is_known(caplog: pytest.LogCaptureFixture) -> None:
    outcome = Outcome(
        request_id="r",
        endpoint="chat",
        cell=Cell("en", "prose", "chat", False),
        decision=Decision("mtp", "measured", ()),
        drafted=True,
        streamed=True,
        status=200,
        end="complete",
        duration=1.0,
        acceptance=Acceptance(6, 12, 8, (5, 3)),
    )
    caplog.set_level("INFO", "polydraft.access")
    access_log.observe(outcome)
    access_log.refused(404, "GET", "/x", "r")
    fields = {name for record in caplog.records for name in json.loads(record.getMessage())}
    assert fields
    assert fields <= redact.ACCESS_FIELDS


@given(st.text(alphabet=st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=1))
def test_a_line_of_no_known_shape_is_never_kept(text: str) -> None:
    said = redact.log([f"zq {text}"])
    assert "zq" not in said


@pytest.mark.parametrize(
    "text",
    ["prompt_tokens=15", "--max-num-batched-tokens 8192", "max-num-batched-tokens = 8192", '"completion_tokens": 7'],
)
def test_a_number_of_tokens_is_no_token(text: str) -> None:
    assert redact.secrets(text) == text
