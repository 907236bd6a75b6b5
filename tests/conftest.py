"""What all tests share: no time limit on a made-up example, engine doubles on a loop in a thread, a Docker engine."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import docker_engine
from tests.serve import double
from tests.stack.one_engine import served  # noqa: F401  # one for all folders, since a start takes a minute
from tests.stack.running import stack  # noqa: F401  # the same

# A shell has what it starts in the background ignore Ctrl-C, which all below inherit; and some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what else the machine does.
settings.register_profile("no time limit", deadline=None)
settings.load_profile("no time limit")


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
