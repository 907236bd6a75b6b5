"""Fixtures of all tests with engine doubles: a loop in a thread, and two engines on it."""

from collections.abc import Iterator

import pytest

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
