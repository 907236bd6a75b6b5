"""Logging in to the page: a cookie instead of the key, of use to nobody else's page, and gone with its key."""

import json
import logging
from pathlib import Path

import httpx2
import pytest

from serve.security import keyfile, keys
from serve.security.sessions import LIFETIME, Sessions, cookie_of
from tests.serve.double import Engine, until
from tests.serve.security.conftest import CHAT, PAYLOAD, Keyed, Start, with_keys

ALICE = keys.made("alice", "a-key-that-is-long-enough-0123456789")


def cookie(value: str, host: bytes = b"box:8000") -> list[tuple[bytes, bytes]]:
    return [(b"host", host), (b"cookie", f"a=b; polydraft_session_8000={value}; c=d".encode())]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_session_lasts_until_its_time_its_key_or_its_log_out_ends_it() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    value = sessions.open(ALICE)
    assert sessions.holder(cookie(value), [ALICE]) == "alice"
    assert sessions.holder(cookie(value), []) is None
    other = keys.made("alice", "another-key-that-is-long-enough-9876")
    assert sessions.holder(cookie(value), [other]) is None
    clock.now = LIFETIME
    assert sessions.holder(cookie(value), [ALICE]) is None
    value = sessions.open(ALICE)
    sessions.close(cookie(value))
    assert sessions.holder(cookie(value), [ALICE]) is None


def test_a_cookie_is_of_no_use_to_other_pages() -> None:
    sessions = Sessions(Clock())
    head = cookie(sessions.open(ALICE))
    assert sessions.holder([*head, (b"origin", b"http://box:8000")], [ALICE]) == "alice"
    assert sessions.holder([*head, (b"sec-fetch-site", b"same-origin")], [ALICE]) == "alice"
    for header in (
        (b"origin", b"http://box:9000"),
        (b"origin", b"null"),
        (b"sec-fetch-site", b"same-site"),
        (b"sec-fetch-site", b"cross-site"),
    ):
        assert sessions.holder([*head, header], [ALICE]) is None


def test_routers_of_one_host_have_cookies_of_their_own() -> None:
    """Browsers don't tell a host's ports apart: with one name the second log-in would end the first."""
    names = [cookie_of(host) for host in (b"box:8000", b"box:8001", b"box", b"[::1]:8000", b"[::1]")]
    assert names == [
        "polydraft_session_8000",
        "polydraft_session_8001",
        "polydraft_session",
        "polydraft_session_8000",
        "polydraft_session",
    ]
    sessions = Sessions(Clock())
    value = sessions.open(ALICE)
    assert sessions.holder(cookie(value, b"box:8001"), [ALICE]) is None
    assert sessions.holder(cookie(value, b"other:8000"), [ALICE]) == "alice"


def test_too_many_sessions_end_the_oldest() -> None:
    sessions = Sessions(Clock())
    first = sessions.open(ALICE)
    for _ in range(256):
        last = sessions.open(ALICE)
    assert sessions.holder(cookie(first), [ALICE]) is None
    assert sessions.holder(cookie(last), [ALICE]) == "alice"


def test_the_page_comes_without_a_key_and_what_it_shows_does_not(keyed: Keyed) -> None:
    with keyed.client() as stranger:
        for path in ("/", "/page/main.js", "/page/style.css", "/v1/session"):
            assert stranger.get(path).status_code == 200
        for path in ("/v1/live", "/v1/live/decisions/1", "/v1/live/cells/en/body", "/page", "/v1/session/"):
            assert stranger.get(path).status_code == 401
        assert stranger.get("/v1/session").json() == {"needed": True, "holder": None}


def test_a_log_in_opens_what_a_key_opens(keyed: Keyed, body: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "polydraft.access")
    with keyed.client() as page:
        answer = page.post("/v1/session", json={"key": keyed.key})
        assert answer.json() == {"needed": True, "holder": "alice"}
        given = answer.headers["set-cookie"].lower()
        assert "httponly" in given
        assert "samesite=strict" in given
        assert "secure" not in given
        assert keyed.key not in given
        assert page.get("/v1/models").status_code == 200
        assert page.post(CHAT, json=PAYLOAD).status_code == 200
        assert "cookie" not in body.got[-1].headers
        assert page.post(CHAT, json=PAYLOAD, headers={"origin": "http://evil.example"}).status_code == 401
        assert page.delete("/v1/session").status_code == 200
        assert page.get("/v1/models").status_code == 401
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "/v1/session" in logged
    assert keyed.key not in logged


@pytest.mark.parametrize(
    ("payload", "headers", "status"),
    [
        ({"key": "pd-wrong"}, {}, 401),
        ({"key": None}, {}, 400),
        ({}, {}, 400),
        ({"key": "x" * 5000}, {}, 413),
        ({"key": "right"}, {"origin": "http://evil.example"}, 401),
        ({"key": "right"}, {"sec-fetch-site": "cross-site"}, 401),
    ],
)
def test_a_log_in_that_fails_gives_no_cookie(
    keyed: Keyed, payload: dict[str, object], headers: dict[str, str], status: int
) -> None:
    if payload.get("key") == "right":
        payload = {"key": keyed.key}
    with keyed.client() as stranger:
        refused = stranger.post("/v1/session", json=payload, headers=headers)
    assert refused.status_code == status
    assert "set-cookie" not in refused.headers
    assert keyed.key not in json.dumps(refused.json())


def test_behind_a_proxy_that_speaks_https_the_cookie_is_secure_where_it_is_said_so(
    start: Start, tmp_path: Path
) -> None:
    claimed = {"x-forwarded-proto": "https"}
    for told in (False, True):
        folder = tmp_path / str(told)
        folder.mkdir()
        with with_keys(start, folder, behind_tls=told) as router, router.client() as page:
            answer = page.post("/v1/session", json={"key": router.key}, headers=claimed)
            assert ("secure" in answer.headers["set-cookie"].lower()) is told


def test_a_removed_key_ends_its_sessions(start: Start, tmp_path: Path) -> None:
    with with_keys(start, tmp_path) as router, router.client() as page:
        page.post("/v1/session", json={"key": router.key})
        assert page.get("/v1/models").status_code == 200
        keyfile.add(router.file, keys.made("bob", keys.mint()))
        keyfile.remove(router.file, "alice")
        until(lambda: page.get("/v1/models").status_code == 401)


def test_without_keys_nobody_logs_in(open_url: str) -> None:
    assert httpx2.get(f"{open_url}/v1/session").json() == {"needed": False, "holder": None}
    answer = httpx2.post(f"{open_url}/v1/session", json={"key": "anything"})
    assert (answer.json()["needed"], "set-cookie" in answer.headers) == (False, False)
