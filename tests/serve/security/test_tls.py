"""TLS with real clients: a certificate of our own making, its renewal, and what isn't served."""

import http.client
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx2
import pytest

from serve.errors import ConfigError
from serve.security import tls
from serve.settings import Settings
from tests.serve.double import Engine, until
from tests.serve.security.conftest import CHAT, PAYLOAD, RAW, Start, hear, post
from tests.serve.test_settings import LANES


def certify(folder: Path, name: str, *, encrypted: bool = False) -> tls.Certificate:
    """Have OpenSSL make a certificate for 127.0.0.1, valid for a day."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("no openssl here to make a certificate with: apt-get install openssl")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "1"]
    secrecy = ["-passout", "pass:secret"] if encrypted else ["-nodes"]
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, *secrecy, *subject, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True
    )
    return tls.Certificate(cert, key)


def common_name(url: str) -> str:
    place = httpx2.URL(url)
    with socket.create_connection((place.host, place.port or 443), timeout=5) as connection:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(connection) as wrapped:
            der = wrapped.getpeercert(binary_form=True)
    assert der
    shown = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der, capture_output=True)
    return shown.stdout.decode().partition("CN = ")[2].strip()


def test_real_clients_talk_to_it_and_verify_it(start: Start, body: Engine, tmp_path: Path) -> None:
    made = certify(tmp_path, "first")
    trusting = ssl.create_default_context(cafile=str(made.cert))
    with start(tls_cert_file=made.cert, tls_key_file=made.key) as url:
        assert url.startswith("https://")
        with httpx2.Client(base_url=url, verify=trusting, timeout=20) as client:
            assert client.post(CHAT, json=PAYLOAD).json()["choices"]
            streamed = client.post(CHAT, json={**PAYLOAD, "stream": True})
            assert streamed.text.endswith("data: [DONE]\n\n")
            large = {**PAYLOAD, "user": "u" * 2**21}
            assert client.post(CHAT, json=large).status_code == 200
        curl = ["curl", "-sS", "--cacert", str(made.cert), "-d", RAW.decode(), f"{url}{CHAT}"]
        assert b"choices" in subprocess.run(curl, check=True, capture_output=True).stdout
        with httpx2.Client(base_url=url) as stranger, pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY"):
            stranger.get("/healthz")


def test_plain_http_and_old_tls_get_nothing(start: Start, body: Engine, tmp_path: Path) -> None:
    made = certify(tmp_path, "first")
    with start(tls_cert_file=made.cert, tls_key_file=made.key) as url:
        place = httpx2.URL(url)
        with socket.create_connection((place.host, place.port or 443), timeout=5) as connection:
            connection.sendall(post())
            assert b"200" not in hear(connection).raw
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        client = http.client.HTTPSConnection(place.host, place.port, context=old, timeout=5)
        with pytest.raises(ssl.SSLError):
            client.request("GET", "/healthz")
        client.close()
    assert body.got == []


def test_a_renewed_certificate_is_taken_and_a_bad_one_is_not(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    used, second = certify(tmp_path, "first"), certify(tmp_path, "second")
    with start(tls_cert_file=used.cert, tls_key_file=used.key) as url:
        assert common_name(url) == "first"
        shutil.copy(second.cert, used.cert)  # the key isn't this one's yet
        until(lambda: any("NOT reloaded" in record.getMessage() for record in caplog.records))
        assert common_name(url) == "first"
        shutil.copy(second.key, used.key)
        until(lambda: common_name(url) == "second")


def address(url: str) -> tuple[str, int]:
    place = httpx2.URL(url)
    return place.host, place.port or 443


def test_a_stalled_handshake_or_head_keeps_nobody_out_and_is_closed(start: Start, body: Engine, tmp_path: Path) -> None:
    made = certify(tmp_path, "first")
    context = ssl.create_default_context(cafile=str(made.cert))
    with start(tls_cert_file=made.cert, tls_key_file=made.key, head_timeout=0.5) as url:  # noqa: SIM117
        with (
            socket.create_connection(address(url), timeout=5) as silent,
            socket.create_connection(address(url), timeout=5) as begun,
            socket.create_connection(address(url)) as plain,
        ):
            begun.sendall(b"\x16\x03\x01\x02\x00\x01")
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as slow:
                slow.sendall(b"GET /version HT")
                assert httpx2.get(f"{url}/healthz", verify=context).status_code == 200
                assert hear(slow).statuses == [408]
            for stalled in (silent, begun):
                heard = hear(stalled, 4)
                assert heard.closed
                assert heard.seconds < 3


def test_handshakes_count_as_connections_and_make_room_again(start: Start, tmp_path: Path) -> None:
    made = certify(tmp_path, "first")
    context = ssl.create_default_context(cafile=str(made.cert))
    files, limits = {"tls_cert_file": made.cert, "tls_key_file": made.key}, {"head_timeout": 1, "max_connections": 3}
    with start(**files, **limits) as url:
        until(lambda: httpx2.get(f"{url}/healthz", verify=context).status_code == 200)
        held = [socket.create_connection(address(url), timeout=5) for _ in range(3)]
        until(lambda: httpx2.get(f"{url}/healthz", verify=context).status_code == 503, 2)
        until(lambda: httpx2.get(f"{url}/healthz", verify=context).status_code == 200, 20)
        for connection in held:
            assert hear(connection, 1).closed
            connection.close()


@pytest.mark.parametrize("case", ["no file", "rubbish", "another's key", "encrypted key"])
def test_files_of_no_use_stop_the_start_in_one_line(tmp_path: Path, case: str) -> None:
    made, other = certify(tmp_path, "first", encrypted=case == "encrypted key"), certify(tmp_path, "second")
    if case == "no file":
        made.cert.unlink()
    elif case == "rubbish":
        made.cert.write_text("rubbish")
    elif case == "another's key":
        shutil.copy(other.key, made.key)
    with pytest.raises(ConfigError, match=str(made.cert)) as refusal:
        tls.context(made)
    assert "\n" not in str(refusal.value)


def test_a_certificate_without_a_key_is_no_setting() -> None:
    with pytest.raises(ValueError, match="both TLS_CERT_FILE and TLS_KEY_FILE"):
        Settings(model="m", lanes=LANES, tls_cert_file="cert.pem")
