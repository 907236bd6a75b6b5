"""Models come into the cache, and are waited for, before the plan: by the hub's own client, from a hub on this machine.

It holds back a file as long as a test wants, and notes what it is asked.
"""

import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "images/engine/models.py"
BIN = ROOT / ".venv-engine/bin"
MODEL, COMMIT = "team/model", "0123456789abcdef0123456789abcdef01234567"
PINNED = f"{MODEL}@{COMMIT}"
FILES = {"config.json": b"{}", "one.safetensors": b"1" * 4096, "two.safetensors": b"2" * 8192}

pytestmark = pytest.mark.engine


class Hub:
    """A model hub with one model; the last of its files comes only once `open` is set."""

    def __init__(self) -> None:
        self.open, self.asked = threading.Event(), list[str]()
        hub = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked.append(self.path)
                hub._answer(self)

            do_HEAD = do_GET  # noqa: N815  http.server calls it so

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _answer(self, to: BaseHTTPRequestHandler) -> None:
        path = to.path.partition("?")[0]
        name = path.rpartition("/")[2]
        if path.startswith(f"/api/models/{MODEL}/tree/"):
            listed = [
                {"type": "file", "path": each, "size": len(text), "oid": _oid(text)} for each, text in FILES.items()
            ]
            return _send(to, json.dumps(listed).encode(), {"content-type": "application/json"})
        if path.startswith(f"/api/models/{MODEL}"):
            whole = {"id": MODEL, "sha": COMMIT, "siblings": [{"rfilename": each} for each in FILES]}
            return _send(to, json.dumps(whole).encode(), {"content-type": "application/json"})
        if name not in FILES or not path.startswith(f"/{MODEL}/"):
            return to.send_error(404)
        if to.command == "GET" and name == "two.safetensors":
            self.open.wait(60)
        return _send(to, FILES[name], {"etag": f'"{_oid(FILES[name])}"', "x-repo-commit": COMMIT})


def _oid(text: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest()


def _send(to: BaseHTTPRequestHandler, text: bytes, head: dict[str, str]) -> None:
    to.send_response(200)
    for name, value in {**head, "content-length": str(len(text))}.items():
        to.send_header(name, value)
    to.end_headers()
    if to.command == "GET":
        to.wfile.write(text)


@pytest.fixture
def hub() -> Iterator[Hub]:
    if not (BIN / "python").exists():
        pytest.skip("no .venv-engine: run `make setup`")
    made = Hub()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.open.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def start(hub: Hub, cache: Path, *command: str | Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "HF_HOME": str(cache), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def download(hub: Hub, cache: Path, named: str = PINNED) -> subprocess.Popen[str]:
    return start(hub, cache, BIN / "python", PROGRAM, "fetch", named)


def wait(hub: Hub, cache: Path, seconds: float, named: str = PINNED) -> subprocess.Popen[str]:
    return start(hub, cache, BIN / "python", PROGRAM, "wait", "--seconds", str(seconds), named)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code, and what it said."""
    said = process.communicate(timeout=60)[1]
    return process.returncode, said


def until(hub: Hub, name: str) -> None:
    deadline = time.monotonic() + 60
    while not any(path.partition("?")[0].endswith(name) for path in hub.asked):
        assert time.monotonic() < deadline, hub.asked
        time.sleep(0.1)


def fetched(hub: Hub, cache: Path) -> None:
    hub.open.set()
    code, said = ended(download(hub, cache))
    assert code == 0, said


def test_it_waits_until_the_last_file_is_there(hub: Hub, tmp_path: Path) -> None:
    waiting = wait(hub, tmp_path, 60)
    fetching = download(hub, tmp_path)
    until(hub, "two.safetensors")
    code, said = ended(wait(hub, tmp_path, 1))
    assert code == 1
    assert f"not complete after 1 s: {PINNED}: 2 of 3 files are there" in said
    assert waiting.poll() is None
    hub.open.set()
    assert ended(fetching)[0] == 0
    code, said = ended(waiting)
    assert code == 0
    assert f"in the cache: {PINNED}" in said


def test_what_lies_in_the_cache_is_neither_waited_nor_asked_for(hub: Hub, tmp_path: Path) -> None:
    fetched(hub, tmp_path)
    hub.asked.clear()
    assert ended(wait(hub, tmp_path, 0))[0] == 0
    assert ended(download(hub, tmp_path))[0] == 0
    assert hub.asked == [], "a commit's files can't have changed"


def test_a_model_without_a_commit_is_the_one_that_was_fetched(hub: Hub, tmp_path: Path) -> None:
    hub.open.set()
    code, said = ended(wait(hub, tmp_path, 0, MODEL))
    assert code == 1
    assert "its download hasn't begun" in said
    assert ended(download(hub, tmp_path, MODEL))[0] == 0
    assert ended(wait(hub, tmp_path, 0, MODEL))[0] == 0


def test_a_file_that_was_cut_short_isn_t_there(hub: Hub, tmp_path: Path) -> None:
    fetched(hub, tmp_path)
    (snapshot,) = tmp_path.glob(f"hub/models--*/snapshots/{COMMIT}")
    (snapshot / "one.safetensors").resolve().write_bytes(b"1")
    assert ended(wait(hub, tmp_path, 0))[0] == 1


def test_a_download_that_was_ended_goes_on_from_there(hub: Hub, tmp_path: Path) -> None:
    broken = download(hub, tmp_path)
    until(hub, "two.safetensors")
    while not any(tmp_path.glob(f"hub/models--*/snapshots/{COMMIT}/one.safetensors")):
        assert broken.poll() is None
        time.sleep(0.1)
    broken.send_signal(signal.SIGTERM)
    assert ended(broken)[0] == 143, "at once, though a file is on its way"
    hub.asked.clear()
    fetched(hub, tmp_path)
    again = {path.rpartition("/")[2] for path in hub.asked}
    assert "one.safetensors" not in again
    assert "two.safetensors" in again


def test_what_can_t_be_had_is_said_in_one_line(hub: Hub, tmp_path: Path) -> None:
    code, said = ended(download(hub, tmp_path, f"team/other@{COMMIT}"))
    assert code == 1
    assert said.startswith(f"polydraft models: team/other@{COMMIT}: ")
    assert said.count("\n") == 1


def test_without_a_hub_what_others_put_there_is_taken_as_it_is(hub: Hub, tmp_path: Path) -> None:
    fetched(hub, tmp_path)
    (listed,) = tmp_path.glob(f"hub/models--*/trees/{COMMIT}.json")
    listed.unlink()
    hub.url = "http://127.0.0.1:9"
    code, said = ended(download(hub, tmp_path))
    assert code == 0
    assert "taken as it lies in the cache: the hub doesn't answer" in said


def test_who_is_told_to_end_ends_at_once(hub: Hub, tmp_path: Path) -> None:
    waiting = wait(hub, tmp_path, 60)
    assert waiting.stderr is not None
    assert waiting.stderr.readline().startswith("polydraft models: waiting for")
    waiting.send_signal(signal.SIGTERM)
    assert ended(waiting)[0] == 143
