"""A router that asks for keys, and a client that writes bytes as no HTTP library would."""

import contextlib
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from serve.routing.lane import Lane
from serve.security import keyfile, keys
from tests.serve import double

CHAT = "/v1/chat/completions"
PAYLOAD = {"messages": [{"role": "user", "content": "Please tell me what a computer program is."}]}
RAW = json.dumps(PAYLOAD).encode()


Start = Callable[..., AbstractContextManager[str]]


@dataclass(frozen=True)
class Heard:
    """What came back on a connection: the bytes, whether the other side ended it, and after how many seconds."""

    raw: bytes
    closed: bool
    seconds: float

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.raw)]

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.raw.rpartition(b"\r\n\r\n")[2])["error"]
        return error


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        yield connection


def hear(connection: socket.socket, seconds: float = 10, until: bytes | None = None) -> Heard:
    """Read until the other side closes, `until` came, or nothing more comes for that long.

    After a whole answer a further one has a moment to come, which is what a smuggled request would get.
    """
    started, raw = time.monotonic(), b""
    with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
        while until is None or until not in raw:
            connection.settimeout(0.1 if _is_whole(raw) else seconds)
            try:
                more = connection.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return Heard(raw, True, time.monotonic() - started)
            raw += more
    return Heard(raw, False, time.monotonic() - started)


def _is_whole(raw: bytes) -> bool:
    head, end, content = raw.rpartition(b"HTTP/1.1 ")[2].partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return bool(end) and length is not None and len(content) == int(length[1])


def ask(url: str, raw: bytes, seconds: float = 5) -> Heard:
    """Write these bytes on a connection of their own, and hear what comes of it."""
    with connected(url) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(raw)
        return hear(connection, seconds)


def post(path: str = CHAT, *more: str, payload: bytes = RAW, host: str = "127.0.0.1") -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", f"content-length: {len(payload)}", *more, "", ""]
    return "\r\n".join(lines).encode("latin-1") + payload


@pytest.fixture(scope="package")
def one_engine(loop: double.Loop) -> Iterator[double.Engine]:
    with double.engine(loop) as engine:
        yield engine


@pytest.fixture
def body(one_engine: double.Engine) -> double.Engine:
    """The engine of every router here, as if it were new."""
    one_engine.got.clear()
    one_engine.behaviour = double.answer
    return one_engine


@pytest.fixture(scope="package", params=[True, False], ids=["direct", "plain"])
def start(request: pytest.FixtureRequest, loop: double.Loop, one_engine: double.Engine) -> Start:
    """Start a router with more settings; gives its base URL once its engine is up."""

    @contextmanager
    def starting(**more: Any) -> Iterator[str]:
        wanted = double.settings((Lane("body", one_engine.url),), **more)
        with double.router(loop, wanted, direct=request.param) as url:
            double.until(lambda: httpx2.get(f"{url}/readyz", verify=False).status_code == 200)
            yield url

    return starting


@pytest.fixture(scope="package")
def open_url(start: Start) -> Iterator[str]:
    """A router without keys."""
    with start() as url:
        yield url


@dataclass(frozen=True)
class Keyed:
    """A router that asks for keys: where it is, a key of alice's, the file it is kept in."""

    url: str
    key: str
    file: Path

    def client(self, **headers: str) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers=headers, timeout=20, verify=False)


@contextmanager
def with_keys(start: Start, folder: Path, **more: Any) -> Iterator[Keyed]:
    file, key = folder / "keys", keys.mint()
    keyfile.add(file, keys.made("alice", key))
    with start(keys_file=file, **more) as url:
        yield Keyed(url, key, file)


@pytest.fixture(scope="package")
def keyed(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """A router with keys that every test shares, so none may change them."""
    with with_keys(start, tmp_path_factory.mktemp("keys")) as router:
        yield router
