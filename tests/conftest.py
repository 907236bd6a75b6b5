"""Fixtures of all tests with engine doubles: a loop in a thread, and two engines on it. And a Docker engine."""

from collections.abc import Iterator

import pytest

from tests import docker_engine
from tests.serve import double


@pytest.fixture(scope="session")
def loop() -> Iterator[double.Loop]:
    running = double.Loop()
    yield running
    running.close()


@pytest.fixture
def body(loop: double.Loop) -> Iterator[double.Engine]:
    with double.engine(loop) as engine:
        yield engine


@pytest.fixture
def mtp(loop: double.Loop) -> Iterator[double.Engine]:
    with double.engine(loop) as engine:
        yield engine


@pytest.fixture(scope="session")
def daemon() -> Iterator[None]:
    """A Docker engine that answers, and the images' base; without one the test is skipped, with the reason."""
    try:
        with docker_engine.running():
            docker_engine.base()
            yield
    except docker_engine.Missing as why:
        pytest.skip(f"NO CONTAINER RUNS: {why}")
