"""Fixtures of the wire's tests: a loop in a thread, two engine doubles, a router before them."""

from collections.abc import Iterator

import httpx2
import pytest

from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row
from tests.serve import double


@pytest.fixture(params=[True, False], ids=["direct", "plain"])
def client(
    request: pytest.FixtureRequest, loop: double.Loop, body: double.Engine, mtp: double.Engine
) -> Iterator[httpx2.Client]:
    """A client of a router with lanes `body` and `mtp`, whose table prefers `mtp` for Chinese and `body` otherwise."""
    lanes = (Lane("body", body.url), Lane("mtp", mtp.url, "mtp", 2))
    table = (
        Row("zh", "*", (Candidate("mtp", 2.5, 90.0), Candidate("body", None, 60.0))),
        Row("*", "*", (Candidate("body"), Candidate("mtp"))),
    )
    with (
        double.router(loop, double.settings(lanes, table), direct=request.param) as url,
        httpx2.Client(base_url=url, timeout=20) as running,
    ):
        double.until(lambda: running.get("/readyz").json()["lanes"] == {"body": True, "mtp": True})
        yield running
