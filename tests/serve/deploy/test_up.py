"""What `up` refuses before it starts anything. Stopping and serving are tested on real engines, in tests/stack."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from serve.deploy import profile as profiles
from serve.deploy.engine_args import Address
from serve.deploy.up import Place, up
from serve.errors import ConfigError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
