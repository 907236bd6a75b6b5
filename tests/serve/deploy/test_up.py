"""What `up` refuses before it starts anything, and what it prints. Tests on real engines are in tests/stack."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from serve.deploy import profile as profiles
from serve.deploy.engine_args import Address
from serve.deploy.up import Place, up
from serve.errors import ConfigError
from serve.security import keyfile, keys
from tests.serve.double import until
from tests.serve.security.test_tls import certify
from tests.stack.running import ROOT, free_port, free_ports


def test_engines_that_do_not_fit_are_never_started(tmp_path: Path) -> None:
    demo = profiles.load_named("cpu")
    assert demo.served.memory is not None
    heavy = demo.served.model_copy(
        update={
            "memory": demo.served.memory.model_copy(update={"weights_gib": 100_000.0}),
            "lanes": demo.served.lanes[:1],
        }
    )
    profile = demo.model_copy(update={"bodies": {"vanilla": heavy}})
    place = Place(tmp_path, Path(sys.executable), tmp_path / "logs", Address("127.0.0.1", free_port()), free_port())
    said: list[str] = []
    with pytest.raises(ConfigError, match=r"cpu doesn't fit: 1 engine would hold 100001\.5 GiB"):
        asyncio.run(up(profile, place, said.append))
    assert not said
    assert not place.logs.exists()


@pytest.mark.parametrize("keyed", [False, True], ids=["open", "with keys"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_the_printed_lines_work_with_keys_and_tls(tmp_path: Path, tls: bool, keyed: bool) -> None:
    vllm, key, environment = tmp_path / "vllm", keys.mint(), {**os.environ, "PYTHONPATH": str(ROOT)}
    vllm.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.serve.deploy.vllm_double "$@"\n')
    vllm.chmod(0o755)
    if keyed:
        keyfile.add(tmp_path / "keys", keys.made("alice", key))
        environment["POLYDRAFT_KEYS_FILE"] = str(tmp_path / "keys")
    if tls:
        made = certify(tmp_path, "box.example")
        environment |= {"POLYDRAFT_TLS_CERT_FILE": str(made.cert), "POLYDRAFT_TLS_KEY_FILE": str(made.key)}
    ports = ["--port", str(free_port()), "--engine-port", str(free_ports(3))]
    command = [sys.executable, "-m", "serve", "up", "cpu", *ports, "--vllm", str(vllm)]
    log = tmp_path / "said"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        until(lambda: "See it work" in log.read_text() or process.poll() is not None, 60)
        said = log.read_text()
        page = said.splitlines()[-1].removeprefix("See it work: ")
        assert httpx2.get(page, verify=False).text.startswith("<!doctype html>")
        assert f"{'https' if tls else 'http'}://127.0.0.1:{ports[1]} speaks OpenAI's API" in said
        lines = [line.strip() for line in said.splitlines() if line.strip().startswith("curl ")]
        assert len(lines) >= 2
        for line in lines:
            answered = subprocess.run(
                line, shell=True, capture_output=True, text=True, timeout=30, env={**os.environ, "KEY": key}, check=True
            )
            assert " 200 OK" in answered.stdout
            assert '"content": "hello"' in answered.stdout
        assert ("KEY=..." in said) is keyed
        assert key not in said
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_setting_of_no_use_stops_up_before_anything_starts(tmp_path: Path) -> None:
    environment = {**os.environ, "POLYDRAFT_TLS_CERT_FILE": str(tmp_path / "cert.pem")}
    command = [sys.executable, "-m", "serve", "up", "cpu"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "TLS_KEY_FILE" in ended.stderr
