"""`polydraft serve` and `polydraft keys` as processes: where a router listens, and what stops its start in one line."""

import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from serve import __main__ as command_line
from serve import server
from serve.errors import ConfigError
from tests.serve.double import until
from tests.stack.running import ROOT, free_port

COMMAND = [sys.executable, "-m", "serve"]


def environment(**more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("POLYDRAFT_")}
    lanes = json.dumps([{"name": "body", "upstream": "http://127.0.0.1:1"}])
    return {**own, "POLYDRAFT_MODEL": "demo", "POLYDRAFT_LANES": lanes, **more}


def refusal(**more: str) -> str:
    done = subprocess.run([*COMMAND, "serve"], cwd=ROOT, env=environment(**more), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


@dataclass(frozen=True)
class Command:
    """`polydraft keys`, in this process."""

    patch: pytest.MonkeyPatch
    printed: pytest.CaptureFixture[str]

    def __call__(self, *words: str, said: str = "") -> tuple[int, str, str]:
        self.patch.setattr(sys, "argv", ["polydraft", "keys", *words])
        self.patch.setattr(sys, "stdin", io.StringIO(said))
        with pytest.raises(SystemExit) as end:
            command_line.main()
        return int(end.value.code or 0), *self.printed.readouterr()


@pytest.fixture
def polydraft_keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@contextmanager
def running(**more: str) -> Iterator[str]:
    """Run a router; gives where it is reached on loopback."""
    port = free_port()
    own = environment(POLYDRAFT_PORT=str(port), **more)
    with subprocess.Popen(
        [*COMMAND, "serve"], cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as router:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _reachable(url), 30)
            yield url
        finally:
            router.send_signal(signal.SIGTERM)
            router.communicate(timeout=20)


def _reachable(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthz").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_keys_it_listens_on_loopback_alone(host: str) -> None:
    said = refusal(POLYDRAFT_HOST=host, POLYDRAFT_PORT=str(free_port()))
    assert "polydraft keys add" in said
    assert "127.0.0.1" in said


def test_a_container_can_be_told_otherwise() -> None:
    with running(POLYDRAFT_HOST="0.0.0.0", POLYDRAFT_WITHOUT_KEYS="anywhere") as url:
        assert httpx2.get(f"{url}/version").status_code == 200


def test_with_a_key_from_the_command_line_it_listens_anywhere(polydraft_keys: Command, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    key = polydraft_keys("add", "alice", "--file", str(file))[1].strip()
    with running(POLYDRAFT_HOST="0.0.0.0", POLYDRAFT_KEYS_FILE=str(file)) as url:
        assert httpx2.get(f"{url}/version").status_code == 401
        assert httpx2.get(f"{url}/version", headers={"x-api-key": key}).status_code == 200


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"POLYDRAFT_KEYS_FILE": "/nonexistent"}, "/nonexistent"),
        ({"POLYDRAFT_TLS_CERT_FILE": "/nonexistent"}, "both TLS_CERT_FILE and TLS_KEY_FILE"),
        ({"POLYDRAFT_TLS_CERT_FILE": "/nonexistent", "POLYDRAFT_TLS_KEY_FILE": "/nonexistent"}, "/nonexistent"),
        ({"POLYDRAFT_ENGINE_KEY_FILE": "/nonexistent"}, "the key in /nonexistent"),
        ({"POLYDRAFT_WITHOUT_KEYS": "everywhere"}, "POLYDRAFT_WITHOUT_KEYS"),
        ({"POLYDRAFT_ALLOWED_HOSTS": '["http://box.example"]'}, "POLYDRAFT_ALLOWED_HOSTS"),
        ({"POLYDRAFT_MAX_CONNECTIONS": "100000000"}, "ulimit"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_setting_of_no_use_stops_the_start(more: dict[str, str], says: str) -> None:
    assert says in refusal(POLYDRAFT_PORT=str(free_port()), **more)


def test_the_command_keeps_keys_and_prints_one_once(polydraft_keys: Command, tmp_path: Path) -> None:
    file = str(tmp_path / "keys")
    code, key, _ = polydraft_keys("add", "alice", "--file", file)
    assert (code, key[:3], key[-1:]) == (0, "pd-", "\n")
    assert polydraft_keys("add", "bob", "--stdin", "--file", file, said=key.strip()[::-1]) == (0, "", "")
    assert polydraft_keys("list", "--file", file) == (0, "alice\nbob\n", "")
    assert key.strip() not in Path(file).read_text()
    assert polydraft_keys("remove", "alice", "--file", file) == (0, "", "")
    assert polydraft_keys("list", "--file", file) == (0, "bob\n", "")
    code, out, said = polydraft_keys("add", "carol", "--stdin", "--file", file, said="password\n")
    assert (code, out, said.count("\n"), "password" in said) == (2, "", 1, False)


def test_what_is_accepted_sends_at_once() -> None:
    with (
        server.listener(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_as_many_files_are_allowed_as_connections_need(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 5000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: allowed.append(limits))
    server.allow_files(400)
    assert allowed == []
    server.allow_files(2000)
    assert allowed == [(4128, 5000)]
    with pytest.raises(ConfigError, match="set it to 2436"):
        server.allow_files(3000)
