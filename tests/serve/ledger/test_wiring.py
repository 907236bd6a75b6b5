"""The policy that learns in a running router, before engine doubles of which one drafts and is the faster."""

import contextlib
import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from serve.errors import ConfigError
from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row
from tests.serve import double

CHAT = {"messages": [{"role": "user", "content": "Why is the sky blue, and the sea?"}]}
TABLE = (Row("*", "*", (Candidate("body"), Candidate("mtp"))),)


def generating(seconds: float, steps: int | None) -> double.Behaviour:
    """Answer 41 tokens that took so long; drafted in so many steps, or by the body."""
    metrics: dict[str, Any] = {**double.METRICS, "generation_time_ms": seconds * 1000}
    if steps:
        metrics["speculative_decoding"] = {
            "acceptance_histogram": [0, steps],
            "num_spec_steps": steps,
            "num_accepted_draft_tokens": steps,
            "num_draft_tokens": 2 * steps,
        }
    usage = {"prompt_tokens": 5, "completion_tokens": 41, "total_tokens": 46}

    async def answer(exchange: double.Exchange) -> None:
        message = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
        await exchange.whole({"id": "x", "choices": [message], "usage": usage, "metrics": metrics})

    return answer


@contextlib.contextmanager
def learning(loop: double.Loop, body: double.Engine, mtp: double.Engine, **more: Any) -> Iterator[httpx2.Client]:
    """A client of a router whose table prefers the body, while its drafting lane takes half of its time."""
    body.behaviour, mtp.behaviour = generating(1.0, None), generating(0.5, 20)
    lanes = (Lane("body", body.url), Lane("mtp", mtp.url, "mtp", 2))
    settings = double.settings(lanes, TABLE, **{"policy": "apply", "seed": 1, **more})
    with double.router(loop, settings) as url, httpx2.Client(base_url=url, timeout=20) as client:
        double.until(lambda: client.get("/readyz").json()["lanes"] == {"body": True, "mtp": True})
        yield client


def lessons(client: httpx2.Client, number: int, **labels: str) -> None:
    """Wait until so many requests have been told to the ledger: an outcome follows the answer's last byte."""
    double.until(lambda: double.metric(client.get("/metrics").text, "polydraft_lessons_total", **labels) == number)


def ask(client: httpx2.Client, number: int) -> list[str]:
    return [client.post("/v1/chat/completions", json=CHAT).headers["x-polydraft-lane"] for _ in range(number)]


def test_finds_the_faster_lane_and_shows_the_table_that_it_decided_from(
    loop: double.Loop, body: double.Engine, mtp: double.Engine
) -> None:
    with learning(loop, body, mtp) as client:
        lanes = ask(client, 60)
        lessons(client, 60)
        shown = client.post("/v1/route", json=CHAT).json()
        metrics = client.get("/metrics").text
    assert lanes[-30:].count("mtp") >= 25
    assert set(lanes) == {"body", "mtp"}
    assert (shown["lane"], shown["reason"], shown["learned"]["applied"]) == ("mtp", "learned", True)
    estimates = {each["lane"]: each for each in shown["learned"]["estimates"]}
    assert estimates["mtp"]["decode_rate"] == pytest.approx(80, rel=0.1)
    assert estimates["mtp"]["acceptance_length"] == pytest.approx(2.0, abs=0.1)
    assert estimates["mtp"]["low"] < estimates["mtp"]["decode_rate"] < estimates["mtp"]["high"]
    learned = double.metric(metrics, "polydraft_lessons_total", lesson="learned")
    assert learned == 60 - double.metric(metrics, "polydraft_lessons_total", lesson="warming") > 50


def test_observing_changes_nothing_but_the_log(
    loop: double.Loop, body: double.Engine, mtp: double.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "polydraft.access"), learning(loop, body, mtp, policy="observe") as client:
        for _ in range(5):
            client.post("/v1/chat/completions", json=CHAT, headers={"x-polydraft-lane": "mtp"})
            client.post("/v1/chat/completions", json=CHAT, headers={"x-polydraft-lane": "body"})
        lessons(client, 10)
        assert set(ask(client, 10)) == {"body"}
        double.until(lambda: len(caplog.records) >= 20)
    line = json.loads(caplog.records[-1].getMessage())
    assert (line["lane"], line["learned_best"], line["applied"]) == ("body", "mtp", False)
    assert line["estimated_rates"]["mtp"] > line["estimated_rates"]["body"]
    assert sum(line["propensities"].values()) == pytest.approx(1.0)


def test_without_it_nothing_is_learned(loop: double.Loop, body: double.Engine, mtp: double.Engine) -> None:
    with learning(loop, body, mtp, policy="static") as client:
        assert set(ask(client, 10)) == {"body"}
        assert client.post("/v1/route", json=CHAT).json()["learned"] is None
        assert double.metric(client.get("/metrics").text, "polydraft_lessons_total") == 0


def test_asking_for_an_explanation_tries_nothing(loop: double.Loop, body: double.Engine, mtp: double.Engine) -> None:
    with learning(loop, body, mtp, exploration=0.2) as client:
        ask(client, 40)
        lessons(client, 40)
        assert {client.post("/v1/route", json=CHAT).json()["lane"] for _ in range(40)} == {"mtp"}


def test_a_response_without_metrics_teaches_nothing_and_breaks_nothing(
    loop: double.Loop, body: double.Engine, mtp: double.Engine
) -> None:
    async def bare(exchange: double.Exchange) -> None:
        await exchange.whole({"id": "x", "choices": []})

    with learning(loop, body, mtp) as client:
        body.behaviour = mtp.behaviour = bare
        assert {client.post("/v1/chat/completions", json=CHAT).status_code for _ in range(10)} == {200}
        lessons(client, 10, lesson="unmeasured")


def test_goes_on_after_a_restart_from_what_was_learned(
    loop: double.Loop, body: double.Engine, mtp: double.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite"
    with learning(loop, body, mtp, ledger=str(path)) as client:
        ask(client, 40)
        lessons(client, 40)
        before = client.post("/v1/route", json=CHAT).json()["learned"]["estimates"]
    with learning(loop, body, mtp, ledger=str(path)) as client:
        after = client.post("/v1/route", json=CHAT).json()["learned"]["estimates"]
    rows = sqlite3.connect(path).execute("SELECT count(*) FROM moments WHERE kind = 'acceptance'").fetchone()
    assert rows == (1,)
    for old, new in zip(before, after, strict=True):
        assert new["decode_rate"] == pytest.approx(old["decode_rate"], rel=0.1)
        assert new["requests"] == pytest.approx(old["requests"], rel=0.01)


def test_a_ledger_that_cant_be_written_stops_the_start(
    loop: double.Loop, body: double.Engine, mtp: double.Engine, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match="POLYDRAFT_LEDGER"),
        learning(loop, body, mtp, ledger=str(tmp_path / "file" / "x")),
    ):
        pass


def test_says_it_if_what_keeps_the_ledger_dies(
    loop: double.Loop,
    body: double.Engine,
    mtp: double.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(*_: object) -> None:
        raise TypeError("unhashable")

    monkeypatch.setattr("serve.app.keep", broken)
    with learning(loop, body, mtp, ledger=str(tmp_path / "ledger.sqlite")) as client:
        double.until(lambda: "has died" in caplog.text)
        assert ask(client, 1) == ["body"]
    assert "TypeError: unhashable" in caplog.text


def test_prefers_what_is_learned_to_a_table_that_is_wrong(
    loop: double.Loop, body: double.Engine, mtp: double.Engine
) -> None:
    with learning(loop, body, mtp, exploration=0.0) as client:
        for lane in ("body", "mtp"):
            for _ in range(6):
                client.post("/v1/chat/completions", json=CHAT, headers={"x-polydraft-lane": lane})
        lessons(client, 12)
        assert set(ask(client, 10)) == {"mtp"}


def test_a_stored_response_in_another_language_corrects_the_turn_that_goes_on_from_it(
    loop: double.Loop, body: double.Engine, mtp: double.Engine
) -> None:
    said = "Gerne erkläre ich dir, wie das mit den beiden Modellen zusammenhängt und warum es so ist."
    output = [{"type": "message", "content": [{"type": "output_text", "text": said}]}]

    async def answer(exchange: double.Exchange) -> None:
        await exchange.whole({"id": "resp_1", "object": "response", "status": "completed", "output": output})

    question = {"input": "And why is the sea as blue as the sky above it?"}
    with learning(loop, body, mtp) as client:
        body.behaviour = mtp.behaviour = answer
        first = client.post("/v1/responses", json={"input": CHAT["messages"][0]["content"]})
        assert first.headers["x-polydraft-language"] == "en"
        onward = {**question, "previous_response_id": "resp_1"}
        double.until(lambda: client.post("/v1/responses", json=onward).headers["x-polydraft-language"] == "de")
        assert client.post("/v1/responses", json=question).headers["x-polydraft-language"] == "en"


def test_one_seed_sends_the_same_requests_to_the_same_lanes(
    loop: double.Loop, body: double.Engine, mtp: double.Engine
) -> None:
    runs = []
    for _ in range(2):
        with learning(loop, body, mtp, exploration=0.2, seed=7) as client:
            mtp.behaviour = generating(0.95, 20)
            lanes = []
            for number in range(1, 41):
                lanes += ask(client, 1)
                lessons(client, number)
        runs.append(lanes)
    assert runs[0] == runs[1]
    assert set(runs[0]) == {"body", "mtp"}
