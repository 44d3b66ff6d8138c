# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Hubs that cannot prove who they are: what the user is told, and that nothing is sent."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dotscience_jupyter.sync import Connection, OfflineError, Patience, SyncError

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


def certificate(folder: Path, days: int, name: x509.GeneralName) -> Path:
    """A certificate that nobody signed, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a hub")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=10))
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "hub.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


@contextmanager
def server(pem: Path | None, heard: list[bytes], answer: bytes = ANSWER) -> Iterator[int]:
    """Something that answers; with a certificate it is what speaks TLS."""
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                heard.append(connection.recv(10_000))
                if answer:
                    connection.sendall(answer)
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def ask(url: str) -> dict[str, object]:
    connection = Connection(url, "the key", Patience(attempts=1))
    try:
        return connection.json("GET", "/api/v1/user")
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("days", "name", "is_known", "words"),
    [
        (-1, HERE, True, ["not valid now", "expired", "renew"]),
        (10, x509.DNSName("hub.example.org"), True, ["for another name", "127.0.0.1"]),
        (10, HERE, False, ["could not prove who it is", "SSL_CERT_FILE"]),
    ],
    ids=["expired", "another name", "unknown authority"],
)
def test_what_is_wrong_with_a_certificate_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    name: x509.GeneralName,
    is_known: bool,
    words: list[str],
) -> None:
    pem = certificate(tmp_path, days, name)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    heard: list[bytes] = []
    with server(pem, heard) as port, pytest.raises(SyncError) as error:
        ask(f"https://127.0.0.1:{port}")
    assert not isinstance(error.value, OfflineError)  # to try again would be of no use
    assert error.value.code == "untrusted"
    for each in [*words, "nothing was sent"]:
        assert each in error.value.message
    assert "_ssl.c" not in error.value.message
    assert heard == []


def test_an_authority_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, 10, HERE)
    heard: list[bytes] = []
    with server(pem, heard) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
        with pytest.raises(SyncError, match=r"gone\.pem' now, which cannot be read"):
            ask(f"https://127.0.0.1:{port}")
        assert heard == []
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert ask(f"https://127.0.0.1:{port}") == {}
    assert b"Bearer the key" in heard[0]


def test_http_and_https_are_mixed_up(tmp_path: Path) -> None:
    pem, plain = certificate(tmp_path, 10, HERE), b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with server(pem, []) as port, pytest.raises(OfflineError, match="begin with https://"):
        ask(f"http://127.0.0.1:{port}")
    with server(None, [], plain) as port, pytest.raises(SyncError) as error:
        ask(f"https://127.0.0.1:{port}")
    assert error.value.code == "untrusted"
    assert "begin with http://" in error.value.message


def test_a_connection_that_is_cut_while_it_is_secured_is_tried_again() -> None:
    with server(None, [], b"") as port, pytest.raises(OfflineError) as error:
        ask(f"https://127.0.0.1:{port}")
    assert error.value.code == "offline"
