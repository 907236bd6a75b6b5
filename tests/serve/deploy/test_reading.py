"""Reading this very machine: files, commands, ports, disks, and what a web server answers."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serve import __main__ as command_line
from serve.deploy import profile as profiles
from serve.deploy.doctor import examine
from serve.deploy.machine import ram
from serve.deploy.reading import MEMINFO, NOT_THERE, ask, free_disk, port_taken, take


def test_files_and_patterns_are_read_and_missing_ones_left_out(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"group{number}").mkdir()
        (tmp_path / f"group{number}/type").write_text(f"kind {number}\n")
    reading = take([f"{tmp_path}/*/type", f"{tmp_path}/nothing"], [])
    assert reading.files == {f"{tmp_path}/group0/type": "kind 0\n", f"{tmp_path}/group1/type": "kind 1\n"}


def test_this_machine_s_memory_is_understood() -> None:
    found = ram(take([MEMINFO], []))
    assert found is not None
    assert 0 < found.available <= found.total


def test_commands_keep_their_exit_code_and_what_they_printed() -> None:
    reading = take([], ["sh -c 'echo out; echo err >&2; exit 3'", "polydraft-isnt-this"])
    assert reading.printed("sh -c 'echo out; echo err >&2; exit 3'").code == 3
    assert reading.printed("sh -c 'echo out; echo err >&2; exit 3'").text == "out\nerr\n"
    assert reading.printed("polydraft-isnt-this").code == NOT_THERE
    assert reading.printed("never run").code == NOT_THERE


def test_a_taken_port_says_why() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port_taken(port) == "Address already in use"
    assert not port_taken(port)


def test_the_disk_of_a_folder_that_is_yet_to_be_made_is_its_parent_s(tmp_path: Path) -> None:
    assert free_disk(str(tmp_path / "not/yet/there")) == pytest.approx(free_disk(str(tmp_path)), rel=0.01)


class Hub(BaseHTTPRequestHandler):
    """Knows one model that everybody may have, and one that a token opens."""

    def do_HEAD(self) -> None:
        open_to_all = self.path == "/open"
        allowed = open_to_all or self.headers.get("authorization") == "Bearer hf_right"
        self.send_response(307 if allowed else 401)
        self.send_header("location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(("token", "status"), [("", 401), ("hf_wrong", 401), ("hf_right", 307)])
def test_the_hub_s_answer_is_its_own_and_no_redirect_s(hub: str, token: str, status: int) -> None:
    nobody = "http://127.0.0.1:9/"
    assert asyncio.run(ask([f"{hub}/open", f"{hub}/gated", nobody], token)) == {
        f"{hub}/open": 307,
        f"{hub}/gated": status,
        nobody: 0,
    }


LOOKING = (
    "nvidia-smi --query-",
    "ps -eo ",
    "docker info ",
    "docker compose version ",
    "docker volume ls ",
    "nvidia-ctk --version",
    "lspci -vv",
)


@pytest.mark.parametrize("name", profiles.names())
def test_the_commands_only_look(name: str) -> None:
    assert all(command.startswith(LOOKING) for command in examine.commands(profiles.load_named(name)))


def test_the_command_s_exit_code_is_its_verdict() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = CliRunner().invoke(command_line.cli, ["doctor", "cpu", "--json", "--port", port])
    told = json.loads(ended.stdout)
    assert ended.exit_code == 1
    assert told["profile"] == "cpu"
    assert told["go"] is False
    assert (
        f"{port} (Address already in use)" in next(each for each in told["checks"] if each["check"] == "port")["found"]
    )
