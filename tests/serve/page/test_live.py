"""The page's paths over real sockets: the stream of what is new, its bounds, and what a click asks for."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from serve.page import files, live
from serve.page.view import View
from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row
from serve.security import keyfile, keys
from tests.serve import double
from tests.serve.double import Engine, Loop, metric, until

CHAT = "/v1/chat/completions"
CHINESE = {"messages": [{"role": "user", "content": "请用中文告诉我什么是计算机程序。"}]}
ENGLISH = {"messages": [{"role": "user", "content": "Please tell me what a computer program is."}]}
TABLE = (
    Row("zh", "*", (Candidate("mtp", 2.5, 90.0), Candidate("body", None, 60.0)), "a box of the kind, 2026-11-22"),
    Row("*", "*", (Candidate("body"), Candidate("mtp"))),
)


def lanes(body: Engine, mtp: Engine) -> tuple[Lane, ...]:
    return Lane("body", body.url), Lane("mtp", mtp.url, "mtp", 2)


@pytest.fixture
def url(loop: Loop, body: Engine, mtp: Engine) -> Iterator[str]:
    with double.router(loop, double.settings(lanes(body, mtp), TABLE)) as running:
        until(lambda: httpx2.get(f"{running}/readyz").json()["lanes"] == {"body": True, "mtp": True})
        yield running


@contextlib.contextmanager
def listening(url: str) -> Iterator[Iterator[dict[str, Any]]]:
    with httpx2.stream("GET", f"{url}/v1/live", timeout=20) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield (json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: "))


def test_says_what_is_and_then_what_is_new(url: str) -> None:
    httpx2.post(url + CHAT, json=CHINESE)
    with listening(url) as events:
        first = next(events)
        assert first["model"] == "demo"
        assert [lane["name"] for lane in first["lanes"]] == ["body", "mtp"]
        assert [each["lane"] for each in first["decisions"]] == ["mtp"]
        httpx2.post(url + CHAT, json=ENGLISH)
        new = next(event for event in events if event["decisions"])
    assert [each["language"] for each in new["decisions"]] == ["en"]
    assert new["requests"] == 2


def test_a_key_that_is_taken_away_ends_what_it_opened(loop: Loop, body: Engine, mtp: Engine, tmp_path: Path) -> None:
    file, key = tmp_path / "keys", keys.mint()
    keyfile.add(file, keys.made("alice", key))
    keyfile.add(file, keys.made("bob", keys.mint()))
    with double.router(loop, double.settings(lanes(body, mtp), TABLE, keys_file=file)) as running:
        head = {"authorization": f"Bearer {key}"}
        with httpx2.stream("GET", f"{running}/v1/live", headers=head, timeout=20) as response:
            lines = (line for line in response.iter_lines() if line.startswith("data: "))
            next(lines)
            next(lines)
            keyfile.remove(file, "alice")
            assert len(list(itertools.islice(lines, 10))) < 10  # it ends by itself


def test_engines_are_asked_what_they_hold_while_somebody_looks(loop: Loop, body: Engine, mtp: Engine) -> None:
    mtp.metrics = b'polydraft:engine_memory_bytes{place="cpu"} 1610612736\nvllm:kv_cache_usage_perc{engine="0"} 0.25\n'
    wanted = double.settings(lanes(body, mtp), TABLE, planned_memory_gib={mtp.url: 1.55})
    with double.router(loop, wanted) as running:
        until(lambda: httpx2.get(f"{running}/readyz").json()["lanes"] == {"body": True, "mtp": True})
        assert body.scrapes == mtp.scrapes == 0
        with listening(running) as events:
            told = next(event for event in events if event["engines"][1]["holding"])
        stock, ours = told["engines"]

        def forgotten() -> bool:
            with listening(running) as events:
                return next(events)["engines"][1]["holding"] is None

        until(forgotten)  # what an engine said before is old by now
    assert (stock["planned"], stock["holding"]) == (None, {"places": [], "kv_used": None, "kv_room": None})
    assert ours["planned"] == 1.55
    assert ours["holding"]["kv_used"] == 0.25
    assert ours["holding"]["places"] == [{"name": "cpu", "engine": 1.5, "used": None, "total": None}]


def test_numbers_are_those_of_the_metrics(url: str) -> None:
    for payload in (CHINESE, CHINESE, ENGLISH):
        httpx2.post(url + CHAT, json=payload)
    with listening(url) as events:
        state = next(events)
    text = httpx2.get(f"{url}/metrics").text
    for row in state["languages"]:
        for lane, cell in row["cells"].items():
            labels = {"lane": lane, "language": row["language"]}
            assert cell["requests"] == metric(text, "polydraft_requests_total", **labels)
            if cell["measured"]:
                mean = metric(text, "polydraft_decode_rate_sum", **labels) / cell["measured"]
                assert cell["rate"]["value"] == pytest.approx(mean, abs=0.001)
    mtp = next(lane for lane in state["lanes"] if lane["name"] == "mtp")
    steps = metric(text, "polydraft_num_spec_steps_total", lane="mtp")
    accepted = metric(text, "polydraft_num_accepted_draft_tokens_total", lane="mtp")
    assert mtp["length"] == pytest.approx(1 + accepted / steps, abs=0.001)


def test_a_decision_is_explained_with_the_numbers_it_was_made_from(url: str) -> None:
    httpx2.post(url + CHAT, json=CHINESE)
    explained = httpx2.get(f"{url}/v1/live/decisions/1").json()
    assert explained["candidates"] == [
        {"lane": "mtp", "acceptance_length": 2.5, "decode_rate": 90.0},
        {"lane": "body", "acceptance_length": None, "decode_rate": 60.0},
    ]
    assert (explained["steps"], explained["drafted"], explained["accepted"]) == (6, 12, 8)
    assert "计算机" not in json.dumps(explained, ensure_ascii=False)


def test_with_the_policy_that_learns_a_decision_shows_what_was_believed(loop: Loop, body: Engine, mtp: Engine) -> None:
    wanted = double.settings(lanes(body, mtp), TABLE, policy="apply", exploration=0.0)
    with double.router(loop, wanted) as url:
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 200)
        for _ in range(6):
            httpx2.post(url + CHAT, json=CHINESE)
        learned = httpx2.get(f"{url}/v1/live/decisions/6").json()["learned"]
        cell = httpx2.get(f"{url}/v1/live/cells/zh-Hans/mtp").json()
    assert {each["lane"] for each in learned["estimates"]} == {"body", "mtp"}
    assert sum(each["share"] for each in learned["estimates"]) == pytest.approx(1, abs=0.001)
    [asked] = cell["cells"]
    assert asked["requests"] == 6
    assert asked["estimate"]["low"] < asked["estimate"]["decode_rate"] < asked["estimate"]["high"]


def test_a_cell_says_how_its_drafts_fared(url: str) -> None:
    httpx2.post(url + CHAT, json=CHINESE)
    cell = httpx2.get(f"{url}/v1/live/cells/zh-Hans/mtp").json()
    assert (cell["per_position"], cell["steps"]) == ([5, 3], 6)
    assert cell["length"]["value"] == pytest.approx(1 + 8 / 6, abs=0.001)
    assert cell["length"]["low"] is None
    assert len(cell["history"]) == 1
    assert cell["source"] == "a box of the kind, 2026-11-22"
    assert cell["table"] == [
        {"lane": "mtp", "acceptance_length": 2.5, "decode_rate": 90.0},
        {"lane": "body", "acceptance_length": None, "decode_rate": 60.0},
    ]


def test_a_row_says_which_lane_a_request_would_get_now(url: str, mtp: Engine) -> None:
    httpx2.post(url + CHAT, json=ENGLISH)
    with listening(url) as events:
        state = next(events)
        assert {row["language"]: row["next"] for row in state["languages"]} == {"en": "body", "zh": "mtp"}
        mtp.healthy = False
        until(lambda: httpx2.get(f"{url}/readyz").json()["lanes"]["mtp"] is False)
        now = [next(events), next(events)][1]
    assert {row["language"]: row["next"] for row in now["languages"]} == {"en": "body", "zh": "body"}


def test_engines_say_how_long_an_answer_may_be(url: str) -> None:
    with listening(url) as events:
        until(lambda: [each["max_model_len"] for each in next(events)["engines"]] == [300_000, 300_000])


def test_one_fault_does_not_stop_every_page(caplog: pytest.LogCaptureFixture) -> None:
    told: list[int] = []

    def state() -> dict[str, Any]:
        told.append(len(told))
        if 1 <= told[-1] <= 3:
            raise RuntimeError("a fault made on purpose")
        return {"told": told[-1]}

    async def read() -> list[bytes]:
        streams = live.Live(View((), time.time), state, interval=0.01)
        events = streams.listen()
        return [await asyncio.wait_for(anext(events), 5) for _ in range(3)]

    blocks = asyncio.run(read())
    assert [b'"told":%d' % number in block for number, block in zip((0, 4, 5), blocks, strict=True)] == [True] * 3
    assert sum("made on purpose" in str(record.exc_info) for record in caplog.records) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/v1/live/decisions/0",
        "/v1/live/decisions/7",
        "/v1/live/decisions/-1",
        "/v1/live/decisions/٣",
        "/v1/live/decisions/99999999999999999999",
        "/v1/live/cells/xx/mtp",
        "/v1/live/cells/zh/none",
        "/page/nothing.js",
        "/page/..%2Froutes.py",
    ],
)
def test_what_is_not_there_is_a_404(url: str, path: str) -> None:
    refused = httpx2.get(url + path)
    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "path_not_found"


def test_every_file_of_the_page_has_the_strict_headers(url: str) -> None:
    for name in ["", *(f"page/{name}" for name in files.load())]:
        answer = httpx2.get(f"{url}/{name}")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = httpx2.get(f"{url}/{name}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_the_page_is_small_and_asks_for_nothing_from_elsewhere() -> None:
    shipped = files.load()
    assert sum(len(file.content) for file in shipped.values()) < 150_000
    html = shipped[files.INDEX].content.decode()
    assert "//" not in html
    assert "style=" not in html
    assert "onclick" not in html
    ours = [name for name in shipped if name.endswith(".js") and "uPlot" not in name]
    for name in ours:
        text = shipped[name].content.decode()
        assert max(map(len, text.splitlines())) <= 120
        assert not any(
            word in text for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "://")
        )


def test_what_others_wrote_is_shipped_as_they_published_it() -> None:
    shipped = files.load()
    published = {
        "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
        "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    }  # of the package uplot 1.6.32, dist/
    assert {name: hashlib.sha256(shipped[name].content).hexdigest() for name in published} == published


def test_only_so_many_pages_may_be_open(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LISTENERS", 2)
    with listening(url) as first, listening(url) as second:
        next(first), next(second)
        refused = httpx2.get(f"{url}/v1/live")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
    until(lambda: _opens(url))


def _opens(url: str) -> bool:
    with httpx2.stream("GET", f"{url}/v1/live") as response:
        return response.status_code == 200


def test_head_gives_the_head_alone(url: str) -> None:
    assert httpx2.head(f"{url}/v1/live", timeout=3).headers["content-type"].startswith("text/event-stream")


def test_an_open_page_does_not_hold_a_stop_up(loop: Loop, body: Engine, mtp: Engine) -> None:
    ended = threading.Event()

    def read(url: str) -> None:
        with contextlib.suppress(httpx2.HTTPError), listening(url) as events:
            for _ in events:
                pass
        ended.set()

    with double.router(loop, double.settings(lanes(body, mtp), drain_timeout=20)) as url:
        threading.Thread(target=read, args=(url,), daemon=True).start()
        time.sleep(1.5)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 5
    assert ended.wait(5)


def test_one_setting_switches_it_off(loop: Loop, body: Engine, mtp: Engine) -> None:
    with double.router(loop, double.settings(lanes(body, mtp), page=False)) as url:
        for path in ("/", "/page/main.js", "/v1/live", "/v1/session", "/v1/live/decisions/1"):
            refused = httpx2.get(url + path)
            assert refused.status_code == 404
            paths = refused.json()["error"]["message"].split("paths are ")[1].rstrip(".").split(", ")
            assert {"/v1/chat/completions", "/v1/models", "/readyz"} <= set(paths)
            assert not {"/", "/v1/live"} & set(paths)
