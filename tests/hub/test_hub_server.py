# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A hub as a process: its start, TLS, proxies, its end, kill -9, several on one database."""

from __future__ import annotations

import http.client
import ipaddress
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hub_world import CHEAP, PASSWORD, RunningHub, basic, hub, hub_process, until

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.app import Hub, HubServer
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.firstadmin import first_admin


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hub")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(cert_file), str(key_file)


def test_nothing_configured_gives_a_hub_and_shows_the_password_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOTSCIENCE_ADMIN_PASSWORD", raising=False)
    data = tmp_path / "hub"
    with started(data) as (process, line):
        told = json.loads(line)
        assert told["url"].startswith("http://127.0.0.1:")
        running = RunningHub(told["url"], data)
        assert running.call("GET", "/health").status == 200
        refused = running.call("GET", "/api/v1/user", ("admin", told["password"]))
        assert (refused.status, refused.json()["code"]) == (401, "one_time_password")
        given = {"user": "admin", "password": told["password"]}
        key = running.call("POST", "/api/v1/login", body=given).json()["key"]
        assert running.call("GET", "/api/v1/user", key).json()["admin"]
        # it was good for that once; and to be replaced, by who has it and the key
        again = running.call("POST", "/api/v1/login", body=given)
        assert (again.status, again.json()["code"]) == (401, "one_time_password")
        new = {"password": told["password"], "new": "a lasting one"}
        assert running.call("PUT", "/api/v1/user/password", key, new).status == 204
        assert running.call("GET", "/api/v1/user", ("admin", "a lasting one")).json()["admin"]
        assert process.poll() is None
    assert (data.stat().st_mode & 0o777) == 0o700
    assert told["password"] not in (tmp_path / "log").read_text()
    services = Services.open(Config(data=data, hasher=CHEAP))
    assert first_admin(services) is None
    assert [each.user.name for each in services.identity.list_users()] == ["admin"]
    services.close()


def test_a_start_that_fails_makes_no_admin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOTSCIENCE_ADMIN_PASSWORD", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program = Hub(ip="127.0.0.1", port=taken.getsockname()[1], data=str(tmp_path / "hub"))
        with pytest.raises(ApiError, match="cannot listen"):
            program.serve(lambda url, password: None)
    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    assert services.identity.list_users() == []
    services.close()


def test_a_password_that_nobody_has_used_is_made_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DOTSCIENCE_ADMIN_PASSWORD", raising=False)
    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    identity = services.identity
    # somebody who is no admin does not stand in the way of one
    identity.create_user("alice", "alice's own")
    first = first_admin(services)
    assert first and identity.get_user("admin").admin
    # another process that starts with this one does not take the password away
    assert first_admin(services) is None and identity.authenticate_password("admin", first)
    later = datetime.now(UTC) + timedelta(seconds=61)
    monkeypatch.setattr(identity.one_time, "_clock", lambda: later)
    second = first_admin(services)
    assert second and second != first
    assert identity.authenticate_password("admin", first) is None
    admin = identity.authenticate_password("admin", second)
    assert admin is not None
    identity.log_in(admin, "laptop")
    later += timedelta(days=1)
    assert first_admin(services) is None and identity.authenticate_password("admin", second)
    # what is not used is told of
    monkeypatch.setenv("DOTSCIENCE_ADMIN_PASSWORD", "from outside")
    assert first_admin(services) is None and "is set, but not used" in caplog.text
    caplog.clear()
    identity.set_password("admin", "from outside")
    assert first_admin(services) is None and not caplog.text
    services.close()


def test_a_given_password_takes_the_place_of_one_that_nobody_has_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DOTSCIENCE_ADMIN_PASSWORD", raising=False)
    services = Services.open(Config(data=tmp_path / "hub", hasher=CHEAP))
    assert first_admin(services)
    monkeypatch.setenv("DOTSCIENCE_ADMIN_PASSWORD", "from outside")
    assert first_admin(services) is None
    admin = services.identity.authenticate_password("admin", "from outside")
    assert admin is not None
    services.identity.one_time.refuse(admin.id)  # it is as good as any
    services.close()
    other = Services.open(Config(data=tmp_path / "other", hasher=CHEAP))
    other.identity.create_user("admin", "no admin's")
    assert first_admin(other) is None and "has no admin" in caplog.text
    assert not other.identity.get_user("admin").admin
    other.close()


@contextmanager
def started(data: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "dotscience_jupyter.cli", "hub", "start", "--json"]
    with (data.parent / "log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--port", "0", "--data", str(data), *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()
            process.stdout.close()


def test_a_hub_survives_kill_9(tmp_path: Path) -> None:
    data = tmp_path / "hub"
    with hub_process(data) as running:
        alice = running.user("alice")
        made: list[str] = []

        def work() -> None:
            for number in range(1000):
                body = {"name": f"p{number}"}
                with suppress(OSError):
                    answer = running.call("POST", "/api/v1/projects", alice, body)
                    if answer.status == 201:
                        made.append(answer.json()["id"])
                        continue
                return

        thread = threading.Thread(target=work)
        thread.start()
        until(lambda: len(made) > 5)
        running.kill()
        thread.join()
    services = Services.open(Config(data=data, hasher=CHEAP))
    # what was answered is there; one more may have been done and not answered
    there = {info.id for info in services.projects.all()}
    assert set(made) <= there and len(there) <= len(made) + 1
    for id_ in there:
        info = services.projects.get(id_)
        assert info is not None
        with services.projects.open(info) as project:
            assert project.records.counts() == (0, 0)
    assert services.audit.verify()[0] == []
    services.close()


def test_requests_end_before_the_hub_does(tmp_path: Path) -> None:
    with hub_process(tmp_path / "hub") as running:
        alice, id_ = running.user("alice"), running.project("alice", "p")
        assert running.process is not None
        # who only keeps a connection is not waited for
        kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        kept.request("GET", "/api/v1/user", headers={"Authorization": basic(*alice)})
        kept.getresponse().read()
        # a password takes a while: many of them are under way when the signal comes
        with ThreadPoolExecutor(8) as pool:
            asked = [
                pool.submit(
                    running.call,
                    "POST",
                    "/api/v1/login",
                    None,
                    {"user": "alice", "password": PASSWORD},
                )
                for _ in range(8)
            ]
            time.sleep(0.1)
            running.process.send_signal(signal.SIGTERM)
            statuses = []
            for each in asked:
                with suppress(OSError):  # came after the door was shut
                    statuses.append(each.result().status)
        assert statuses and set(statuses) == {201}
        assert running.process.wait(20) == 0
        kept.close()
        with pytest.raises(OSError):
            running.call("GET", f"/api/v1/projects/{id_}")


def test_tls_and_logs_of_json(tmp_path: Path, certificate: tuple[str, str]) -> None:
    cert, key = certificate
    options = ("--certfile", cert, "--keyfile", key, "--log-format", "json")
    with started(tmp_path / "hub", *options) as (_, line):
        url = json.loads(line)["url"]
        assert url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=cert)
        with urllib.request.urlopen(f"{url}/health", context=context, timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        port = int(url.rsplit(":", 1)[1])
        # plain HTTP and versions of TLS that are broken get nothing
        plain = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with pytest.raises((OSError, http.client.HTTPException)):
            plain.request("GET", "/health")
            plain.getresponse()
        plain.close()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(("127.0.0.1", port), 10) as raw,
            pytest.raises((ssl.SSLError, OSError)),
        ):
            old.wrap_socket(raw)
    lines = [json.loads(each) for each in (tmp_path / "log").read_text().splitlines()]
    requests = [each for each in lines if each.get("path") == "/health"]
    assert requests[0]["status"] == 200 and requests[0]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"storage": "zfs://tank/hub"}, "invalid_request"),
        ({"storage": "s3://bucket", "storage_endpoint": "host:80"}, "invalid_request"),
        ({"db": "nonsense"}, "invalid_request"),
        ({"data": "/proc/nothing/here"}, "unwritable"),
    ],
)
def test_what_cannot_be_had_is_refused_in_words(
    tmp_path: Path, settings: dict[str, str], code: str
) -> None:
    given = {"data": str(tmp_path / "hub"), **settings}
    with pytest.raises(ApiError) as error:
        Hub(**given).services()
    assert error.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_bad_certificate_is_refused_before_anything_is_made(
    tmp_path: Path, certificate: tuple[str, str]
) -> None:
    for cert, key in (("/nowhere", "/nowhere"), (certificate[0], certificate[0])):
        given = Hub(data=str(tmp_path / "hub"), certfile=cert, keyfile=key)
        with pytest.raises(ApiError) as error:
            given.tls()
        assert error.value.code == "bad_certificate"
    assert not (tmp_path / "hub").exists()
    assert Hub().tls() is None


def test_a_port_that_is_taken_is_said_in_words(running: RunningHub) -> None:
    assert running.services is not None
    with pytest.raises(ApiError) as error:
        HubServer(running.services).listen("127.0.0.1", running.port)
    assert error.value.code == "address_in_use"


def test_a_proxy_is_believed_only_if_it_is_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a client says of its own address must not free it from the limits."""
    caplog.set_level("INFO", "dotscience.hub")
    with hub(tmp_path) as running:
        running.call("GET", "/health", headers={"X-Forwarded-For": "9.9.9.9"})
        assert running.server is not None
        running.server._server.trusted_downstream = ["127.0.0.1"]
        running.call("GET", "/health", headers={"X-Forwarded-For": "8.8.8.8, 127.0.0.1"})
    told = [record.address for record in caplog.records if hasattr(record, "address")]
    assert "9.9.9.9" not in told and "8.8.8.8" in told


def test_two_processes_on_one_postgresql_serve_one_hub(tmp_path: Path, hub_postgresql: str) -> None:
    # one of them is this process: a start takes seconds
    with (
        hub(tmp_path, db=hub_postgresql) as one,
        hub_process(tmp_path / "hub", "--db", hub_postgresql) as two,
    ):
        alice = one.user("alice")
        id_ = one.project("alice", "p")
        assert two.call("GET", f"/api/v1/projects/{id_}", alice).json()["name"] == "p"
        taken = two.call("POST", "/api/v1/projects", alice, {"name": "p"})
        assert taken.status == 409
        key = two.call("GET", "/api/v1/keys", alice).json()["items"][0]["id"]
        assert two.call("DELETE", f"/api/v1/keys/{key}", alice).status == 204
        assert one.call("GET", "/api/v1/user", alice).status == 401
