"""Where a router without keys may listen, and which hosts and pages it answers."""

import pytest

from serve.errors import ConfigError
from serve.security import exposure


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::1%lo"])
def test_loopback_needs_no_keys(address: str) -> None:
    exposure.check_binding(address, keyed=False, anywhere=False)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1", ""])
def test_any_other_address_needs_keys_or_to_be_told(address: str) -> None:
    with pytest.raises(ConfigError, match="POLYDRAFT_KEYS_FILE") as refusal:
        exposure.check_binding(address, keyed=False, anywhere=False)
    assert "\n" not in str(refusal.value)
    exposure.check_binding(address, keyed=True, anywhere=False)
    exposure.check_binding(address, keyed=False, anywhere=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:8000", "192.168.1.5:8000", "[::1]", "[::1]:8000", "localhost", "LOCALHOST:80",
        "gb10:8000",
        "app.localhost", "box.local", "host.docker.internal", "gb10.default.svc", "box.local.", "chosen.example:443",
    ],
)  # fmt: skip
def test_addresses_and_names_that_nobody_can_register_are_harmless(host: str) -> None:
    assert exposure.is_harmless(host.encode(), ("chosen.example",))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "evillocal.com", "",
        ":80",
        "chosen.example.evil.com", "a b", "evil.example\r\nx: y", "user@localhost", "[::1", "[evil]", "localhost:port",
        "127.0.0.1:8000:9", "localhost/evil.example",
    ],
)  # fmt: skip
def test_any_other_host_is_not(host: str) -> None:
    assert not exposure.is_harmless(host.encode(), ("chosen.example",))


@pytest.mark.parametrize(
    "page",
    [
        "127.0.0.1", "127.9.9.9:3000", "192.168.1.5:8000", "10.0.0.1", "172.31.0.1", "169.254.1.1", "[::1]:3000",
        "[fd00::1]", "[fe80::1]", "localhost:3000", "gb10", "box.local", "chosen.example:443",
    ],
)  # fmt: skip
def test_pages_on_this_machine_or_network_are_near(page: str) -> None:
    assert exposure.is_near(page.encode(), ("chosen.example",))


@pytest.mark.parametrize(
    "page",
    [
        "203.0.113.5", "203.0.113.5.:80", "8.8.8.8:8000", "172.32.0.1", "[2001:db8::1]", "[::ffff:8.8.8.8]", "0.0.0.0",
        "evil.example", "", "user@localhost",
    ],
)  # fmt: skip
def test_a_page_at_a_public_address_is_a_stranger(page: str) -> None:
    assert not exposure.is_near(page.encode(), ("chosen.example",))


@pytest.mark.parametrize(
    ("origin", "host"),
    [(b"http://localhost:3000", b"localhost:3000"), (b"https://evil.example", b"evil.example"), (b"null", b"")],
)
def test_an_origin_has_a_host(origin: bytes, host: bytes) -> None:
    assert exposure.host_of(origin) == host
