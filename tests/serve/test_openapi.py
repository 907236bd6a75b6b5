"""The OpenAPI document is true: schemathesis asks what it says can be asked, and what it says can't."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from serve import api
from serve.openapi import Served, document
from serve.routing.lane import Lane
from serve.security import keyfile, keys
from tests.serve import double
from tests.serve.double import until

EXAMPLES = 25
PATHS = document(api.routes(), Served(["demo"], ["body"], []))["paths"]
ASKED = [
    pytest.param(method, path, mode, id=f"{method} {path}, {mode.value}")
    for path, item in PATHS.items()
    for method, operation in item.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or "requestBody" in operation
]
AT_ODDS = ("The header asks for lane", "can't be honoured on a lane with a drafter")
"""What is refused although each of its parts may be asked for, which a schema can't say."""


@dataclass(frozen=True)
class Described:
    """A router with a key, the key, and what it says of itself."""

    url: str
    key: str
    schema: Any
    document: dict[str, Any]


@pytest.fixture(scope="module", params=[True, False], ids=["direct", "plain"])
def described(
    request: pytest.FixtureRequest, loop: double.Loop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Described]:
    file, key = tmp_path_factory.mktemp("keys") / "keys", keys.mint()
    keyfile.add(file, keys.made("alice", key))
    with double.engine(loop) as body, double.engine(loop) as mtp:
        wanted = double.settings((Lane("body", body.url), Lane("mtp", mtp.url, "mtp", 2)), keys_file=file)
        with double.router(loop, wanted, direct=request.param) as url:
            until(lambda: httpx2.get(f"{url}/readyz").json()["lanes"] == {"body": True, "mtp": True})
            written = httpx2.get(f"{url}/openapi.json", headers={"x-api-key": key}).json()
            yield Described(url, key, schemathesis.openapi.from_dict(written), written)


@pytest.mark.parametrize(("method", "path", "mode"), ASKED)
def test_every_answer_is_one_of_the_documents(
    described: Described, method: str, path: str, mode: GenerationMode
) -> None:
    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(described.schema[path][method.upper()].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        headers = {"authorization": f"Bearer {described.key}"}
        response = case.call(base_url=described.url, headers=headers)
        may_be_refused = response.status_code == 400 and any(words in response.text for words in AT_ODDS)
        case.validate_response(
            response,
            headers=headers,
            # Keys are taken away below; schemathesis would leave in what the test puts in.
            excluded_checks=[ignored_auth, *([positive_data_acceptance] if may_be_refused else [])],
        )

    ask()


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for path, item in PATHS.items() for method in item], ids=str
)
def test_what_asks_for_a_key_is_said(described: Described, method: str, path: str) -> None:
    answer = httpx2.request(method, described.url + path.replace("{", "").replace("}", ""))
    wanted = described.document["paths"][path][method]["security"]
    assert (answer.status_code == 401) is bool(wanted)
    assert bool(wanted) is (path not in ("/healthz", "/readyz"))


def test_a_router_without_keys_says_so(loop: double.Loop) -> None:
    with double.router(loop, double.settings((Lane("body", "http://127.0.0.1:1"),))) as url:
        paths = httpx2.get(f"{url}/openapi.json").json()["paths"]
    for item in paths.values():
        for operation in item.values():
            assert operation["security"] == []
            assert "401" not in operation["responses"]


def test_metrics_that_are_open_are_said_to_be() -> None:
    paths = document(api.routes(), Served(["demo"], ["body"], ["/metrics"]))["paths"]
    assert paths["/metrics"]["get"]["security"] == []
    assert paths["/version"]["get"]["security"]


def test_other_methods_are_refused(described: Described) -> None:
    with httpx2.Client(base_url=described.url, headers={"x-api-key": described.key}) as client:
        for path, item in described.document["paths"].items():
            known = {method.upper() for method in item} | ({"HEAD"} if "get" in item else set())
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - known:
                assert client.request(method, path).status_code == 405, (method, path)
