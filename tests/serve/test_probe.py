"""The health check of the router's container: what it says of routers of every kind, run as the container runs it."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serve.routing.lane import Lane
from serve.security import keyfile, keys
from tests.serve import double
from tests.serve.double import Engine, until
from tests.serve.security.test_tls import certify
from tests.stack.running import ROOT, free_port


def probed(port: int, *more: str) -> int:
    command = [sys.executable, "-m", "serve.probe", str(port), *more]
    return subprocess.run(command, cwd=ROOT, timeout=20, check=False, capture_output=True).returncode


def secured(folder: Path, *, tls: bool, keyed: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if keyed:
        keyfile.add(folder / "keys", keys.made("alice", keys.mint()))
        settings["keys_file"] = folder / "keys"
    if tls:
        made = certify(folder, "box")
        settings |= {"tls_cert_file": made.cert, "tls_key_file": made.key}
    return settings


@pytest.mark.parametrize("keyed", [False, True], ids=["open", "with keys"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_says_whether_the_router_is_ready(
    loop: double.Loop, body: Engine, tmp_path: Path, tls: bool, keyed: bool
) -> None:
    wanted = double.settings((Lane("body", body.url),), **secured(tmp_path, tls=tls, keyed=keyed))
    with double.router(loop, wanted) as url:
        port = int(url.rpartition(":")[2])
        until(lambda: probed(port) == 0)
        body.healthy = False
        until(lambda: probed(port) == 1)


def test_nobody_there_is_not_ready() -> None:
    assert probed(free_port()) == 1


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_router_that_waits_for_its_engines_is_alive(
    loop: double.Loop, body: Engine, tmp_path: Path, tls: bool
) -> None:
    wanted = double.settings((Lane("body", body.url),), **secured(tmp_path, tls=tls, keyed=True))
    with double.router(loop, wanted) as url:
        body.healthy = False
        port = int(url.rpartition(":")[2])
        until(lambda: probed(port) == 1)
        assert probed(port, "--alive") == 0


def test_a_router_with_a_full_house_is_alive_and_not_ready(loop: double.Loop, body: Engine) -> None:
    wanted = double.settings((Lane("body", body.url),), max_connections=1)
    with double.router(loop, wanted) as url:
        port = int(url.rpartition(":")[2])
        until(lambda: probed(port) == 0)
        with socket.create_connection(("127.0.0.1", port)):
            until(lambda: probed(port) == 1)
            assert probed(port, "--alive") == 0


def test_a_router_whose_event_loop_hangs_is_not_alive() -> None:
    """The kernel takes the connection all the same, which is all that a probe by TCP sees."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        port = hung.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        assert probed(port, "--alive") == 1


def test_nobody_there_is_not_alive() -> None:
    assert probed(free_port(), "--alive") == 1
