"""What all tests share: no time limit on a made-up example, and fixtures of engine doubles on a loop in a thread."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.serve import double

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
