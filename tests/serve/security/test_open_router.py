"""A router without keys: which hosts and pages it answers."""

import httpx2
import pytest

from tests.serve import double
from tests.serve.double import Engine
from tests.serve.security.conftest import CHAT, PAYLOAD, Start, ask, post


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:80", "gb10", "box.local"])
def test_addresses_and_private_names_are_answered(open_url: str, body: Engine, host: str) -> None:
    assert ask(open_url, post(host=host)).statuses == [200]


def test_a_page_of_the_very_host_that_is_asked_is_answered(open_url: str, body: Engine) -> None:
    heard = ask(open_url, post(CHAT, "origin: http://203.0.113.5:8000", host="203.0.113.5:8000"))
    assert heard.statuses == [200]


@pytest.mark.parametrize("more", [(), ("origin: http://localhost:3000",)], ids=["no page", "a page of this machine"])
def test_a_request_from_this_machine_is_answered(open_url: str, body: Engine, more: tuple[str, ...]) -> None:
    assert ask(open_url, post(CHAT, *more)).statuses == [200]


@pytest.mark.parametrize(
    ("host", "more"),
    [
        pytest.param("evil.example", (), id="a name that was made to lead here"),
        pytest.param("localhost", ("origin: https://evil.example",), id="a page from elsewhere"),
        pytest.param("localhost", ("origin: null",), id="a page from nowhere"),
        pytest.param("127.0.0.1:8000", ("origin: http://203.0.113.5",), id="a page at a public address"),
        pytest.param("203.0.113.5:8000", ("origin: http://203.0.113.6:8000",), id="at another public address"),
        pytest.param("evil.example:8000", ("origin: http://evil.example:8000",), id="both"),
        pytest.param("", (), id="no name"),
    ],
)
def test_what_a_strangers_page_can_send_is_refused(
    open_url: str, body: Engine, host: str, more: tuple[str, ...]
) -> None:
    heard = ask(open_url, post(CHAT, "content-type: text/plain", *more, host=host))
    assert heard.statuses == [421]
    assert heard.error["code"] == "unknown_host"
    assert body.got == []


def test_the_host_of_an_absolute_target_counts_as_well(open_url: str) -> None:
    heard = ask(open_url, b"GET http://evil.example/version HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert heard.statuses == [421]


def test_a_public_name_can_be_allowed(start: Start) -> None:
    with start(allowed_hosts=("Box.Example",)) as url:
        for host, status in (("box.example", 200), ("BOX.example:8000", 200), ("other.example", 421)):
            assert httpx2.get(f"{url}/version", headers={"host": host}).status_code == status


def test_with_keys_any_host_will_do(loop: double.Loop, keyed: object, open_url: str) -> None:
    key, url = keyed.key, keyed.url  # type: ignore[attr-defined]
    heard = ask(url, post(CHAT, f"x-api-key: {key}", "origin: https://app.example", host="api.example"))
    assert heard.statuses == [200]


def test_probes_are_answered_whatever_they_call_the_host(open_url: str) -> None:
    assert httpx2.get(f"{open_url}/readyz", headers={"host": "pod.example"}).status_code == 200


def test_the_router_hands_no_host_on(loop: double.Loop, open_url: str, body: Engine) -> None:
    httpx2.post(f"{open_url}{CHAT}", json=PAYLOAD, headers={"host": "box.local", "x-forwarded-host": "evil.example"})
    assert body.got[0].headers["host"] == body.url.removeprefix("http://")
    assert "x-forwarded-host" not in body.got[0].headers
