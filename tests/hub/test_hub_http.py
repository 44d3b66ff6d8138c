# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hub over HTTP: errors, limits, uploads that stream, clients that go away."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hub_world import Answer, RunningHub, basic, hub, until

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub import app
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.handlers.base import HubHandler
from dotscience_jupyter.hub.handlers.uploading import UploadHandler
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.snapshots.embedded.editing import Edit

cuts: list[int] = []


class PutFile(UploadHandler):
    """Stores a file, as the real endpoints for files do."""

    needs: ClassVar[dict[str, Need]] = {"PUT": Need.WRITE, "GET": Need.READ}

    async def put(self, project: str) -> None:
        file = await self.upload.finish()

        def work(project: Project) -> str:
            edit = Edit("big.bin", file)
            return project.write([edit], author="x", message="m", type="upload").id

        self.finish({"commit": await self.in_project(work), "size": self.upload.size})

    async def get(self, project: str) -> None:
        async with self.opened() as opened:
            with opened.open("HEAD", "big.bin") as file:
                await self.stream(iter(lambda: file.read(1 << 20) or None, None))

    async def cut(self) -> None:
        file = await self.upload.finish()
        cuts.append(len(file.read()))


class Broken(HubHandler):
    """Fails in the ways in which a handler can fail."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.PUBLIC}

    async def get(self, how: str) -> None:
        if how == "bug":
            raise KeyError("secret of the inside")
        if how == "busy":
            raise ApiError(503, "busy", "Try again.", "only for the log")
        if how == "slow":
            await self.run(time.sleep, 1.0)
            self.finish({"done": True})
        if how == "half":
            self.write(b"x" * 100)
            await self.flush()
            raise KeyError("in the middle")


class Undeclared(HubHandler):
    """Says nothing of what it needs."""

    async def get(self) -> None:
        self.finish({})


@pytest.fixture
def more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    """A hub that has the handlers above as well."""
    routes = [
        (r"/test/put/(?P<project>[^/]+)", PutFile),
        (r"/test/broken/(?P<how>.+)", Broken),
        (r"/test/undeclared", Undeclared),
    ]
    monkeypatch.setattr(app, "ROUTES", [*app.ROUTES, *routes])
    with hub(tmp_path, max_body=64 << 20) as started:
        yield started


def problem(answer: Answer) -> tuple[int, str]:
    body = answer.json()
    assert set(body) <= {"code", "message", "details"} and body["message"]
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.status, body["code"]


@contextmanager
def connection(running: RunningHub) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", running.port), 30) as opened:
        yield opened


def send(running: RunningHub, request: bytes) -> bytes:
    """Send raw bytes; return all that is answered."""
    with connection(running) as opened:
        opened.sendall(request)
        answer = b""
        while part := opened.recv(65536):
            answer += part
        return answer


# -- errors ------------------------------------------------------------------------------------


def test_errors_are_problems(more: RunningHub) -> None:
    assert problem(more.call("GET", "/no/such")) == (404, "not_found")
    assert problem(more.call("POST", "/no/such", body={})) == (404, "not_found")
    assert problem(more.call("DELETE", "/api/v1/user")) == (405, "method_not_allowed")
    assert problem(more.call("GET", "/api/v1/user")) == (401, "unauthenticated")
    assert problem(more.call("GET", "/test/undeclared", more.admin_auth)) == (500, "internal")
    assert problem(more.call("GET", "/test/broken/busy")) == (503, "busy")
    alice = more.user("alice")
    for body in (b"", b"nonsense", b"[]", b'{"nam":"x"}', b'{"name":1}', b'"\xff"'):
        answer = more.call("POST", "/api/v1/projects", alice, body)
        assert problem(answer) == (400, "invalid_request")
    for query in ("limit=-1", "limit=x", "offset=1e3", "offset=" + "9" * 50):
        id_ = more.call("GET", "/api/v1/projects", alice)
        assert id_.status == 200
        answer = more.call("GET", f"/api/v1/audit?{query}", more.admin_auth)
        assert problem(answer) == (400, "invalid_request")


def test_a_bug_tells_nothing_but_where_to_look(
    more: RunningHub, caplog: pytest.LogCaptureFixture
) -> None:
    answer = more.call("GET", "/test/broken/bug")
    assert problem(answer) == (500, "internal")
    assert b"secret" not in answer.body and b"Traceback" not in answer.body
    fault = answer.json()["details"]
    assert any(fault in record.getMessage() and record.exc_info for record in caplog.records)


def test_who_comes_at_a_bad_time_is_told_when_to_come_again(more: RunningHub) -> None:
    answer = more.call("GET", "/test/broken/busy")
    assert answer.headers["Retry-After"] == "1"
    assert b"only for the log" not in answer.body


def test_an_answer_that_breaks_off_does_not_look_whole(more: RunningHub) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        more.call("GET", "/test/broken/half")


def test_nothing_on_the_way_keeps_an_answer_and_no_page_may_read_it(more: RunningHub) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = more.call("GET", "/api/v1/user", more.user("alice"), headers=headers)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert "ornado" not in str(answer.headers)
    preflight = {**headers, "Access-Control-Request-Method": "POST"}
    answer = more.call("OPTIONS", "/api/v1/projects", headers=preflight)
    assert answer.status == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


# -- who asks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic bm9jb2xvbg==",
        "Basic " + "A" * 10_000,
        "Bearer",
        "Bearer dsk_wrong",
        "Bearer " + "x" * 1000,
        "Digest username=x",
        basic("admin", "not it either"),
        basic("admin", "dsk_wrong"),
        basic("a\0b", "x" * 5000),
    ],
)
def test_wrong_credentials_get_401_slowly(more: RunningHub, header: str) -> None:
    started = time.monotonic()
    answer = more.call("GET", "/api/v1/user", headers={"Authorization": header})
    assert problem(answer) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="dotscience"'
    assert time.monotonic() - started > 0.25


def test_keys_and_passwords_get_in(more: RunningHub) -> None:
    name, key = more.user("alice")
    for auth in ((name, key), key, (name, "correct horse"), ("ALICE", key)):
        answer = more.call("GET", "/api/v1/user", auth)
        assert (answer.status, answer.json()) == (200, {"name": "alice", "admin": False})
    answer = more.call("GET", "/api/v1/user", headers={"Authorization": f"bEARER  {key} "})
    assert answer.status == 200


def test_guessing_is_stopped(more: RunningHub) -> None:
    more.user("alice")
    statuses = [
        more.call("POST", "/api/v1/login", body={"user": "alice", "password": f"guess {n}"})
        for n in range(7)
    ]
    assert [answer.status for answer in statuses[:5]] == [401] * 5
    assert problem(statuses[5]) == (429, "too_many_attempts")
    assert int(statuses[5].headers["Retry-After"]) >= 0
    # a key still works
    assert more.call("GET", "/api/v1/user", more.user("alice")).status == 200


def test_one_client_that_asks_too_often_waits(tmp_path: Path) -> None:
    with hub(tmp_path, rate=1.0, burst=20.0) as started:
        alice, bob = started.user("alice"), started.user("bob")
        answers = [started.call("GET", "/api/v1/user", alice) for _ in range(25)]
        assert [answer.status for answer in answers[:20]] == [200] * 20
        assert problem(answers[-1]) == (429, "too_many_requests")
        assert int(answers[-1].headers["Retry-After"]) == 1
        assert started.call("GET", "/api/v1/user", bob).status == 200
        # the health of the hub may be asked for at any rate
        assert {started.call("GET", "/health").status for _ in range(40)} == {200}
        wrong = [started.call("GET", "/nowhere").status for _ in range(40)]
        assert 429 in wrong


# -- uploads -----------------------------------------------------------------------------------


def test_a_body_streams_to_disk_and_back(more: RunningHub) -> None:
    alice, id_ = more.user("alice"), more.project("alice", "p")
    data = os.urandom(20 << 20)
    answer = more.call("PUT", f"/test/put/{id_}", alice, data)
    assert answer.status == 200 and answer.json()["size"] == len(data)
    assert more.call("GET", f"/test/put/{id_}", alice).body == data
    assert os.listdir(more.data / "projects" / id_ / "tmp") == []


def test_a_chunked_body_and_an_absolute_target(more: RunningHub) -> None:
    alice, id_ = more.user("alice"), more.project("alice", "p")
    head = (
        f"PUT http://other.example:99/test/put/{id_} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {basic(*alice)}\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n"
    )
    answer = send(more, head.encode() + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert more.call("GET", f"/test/put/{id_}", alice).body == b"hello world"
    answer = send(
        more, b"GET HTTP://other.example HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 404")


def test_a_refused_upload_is_answered_not_cut(more: RunningHub) -> None:
    id_ = more.project("alice", "p")
    data = os.urandom(7 << 20)
    for auth, status in ((None, 401), (more.user("mallory"), 404), ("dsk_wrong", 401)):
        answer = more.call("PUT", f"/test/put/{id_}", auth, data)
        assert answer.status == status and answer.json()["code"]
    assert problem(more.call("DELETE", f"/test/put/{id_}", body=data))[0] == 405
    with hub_services(more).projects.open(hub_services(more).projects.get(id_)) as project:  # type: ignore[arg-type]
        assert project.records.counts() == (0, 0)


def hub_services(running: RunningHub) -> Any:
    assert running.services is not None
    return running.services


def test_what_is_too_large_is_refused_before_it_is_sent(more: RunningHub) -> None:
    alice, id_ = more.user("alice"), more.project("alice", "p")
    head = (
        f"PUT /test/put/{id_} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(*alice)}\r\n"
        f"Content-Length: {65 << 20}\r\nConnection: close\r\n\r\n"
    )
    answer = send(more, head.encode())
    assert answer.startswith(b"HTTP/1.1 413") and b"too_large" in answer
    # where only small bodies are understood
    head = f"POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nContent-Length: {5 << 20}\r\n\r\n"
    assert send(more, head.encode()).startswith(b"HTTP/1.1 400")
    assert more.call("GET", "/api/v1/user", alice).status == 200


def test_a_body_without_a_length_ends_at_the_limit(more: RunningHub) -> None:
    alice, id_ = more.user("alice"), more.project("alice", "p")
    part = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
    with connection(more) as opened, pytest.raises((ConnectionError, EOFError)):
        opened.sendall(
            f"PUT /test/put/{id_} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(*alice)}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        for _ in range(70):
            opened.sendall(part)
        opened.sendall(b"0\r\n\r\n")
        if not opened.recv(100).startswith(b"HTTP/1.1 200"):
            raise EOFError
    assert more.call("GET", f"/test/put/{id_}", alice).status == 404


def test_a_body_that_breaks_off_can_be_kept_and_leaves_nothing(more: RunningHub) -> None:
    alice, id_ = more.user("alice"), more.project("alice", "p")
    cuts.clear()
    with connection(more) as opened:
        opened.sendall(
            f"PUT /test/put/{id_} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(*alice)}\r\n"
            f"Content-Length: {3 << 20}\r\n\r\n".encode()
        )
        opened.sendall(b"y" * (2 << 20))
        time.sleep(0.3)
    until(lambda: cuts)
    assert cuts == [2 << 20]
    assert more.call("GET", f"/test/put/{id_}", alice).status == 404
    until(lambda: not hub_services(more).active)
    assert os.listdir(more.data / "projects" / id_ / "tmp") == []


def test_clients_that_go_away_at_any_moment_leave_nothing_open(more: RunningHub) -> None:
    alice, id_ = more.user("alice"), more.project("alice", "p")
    assert more.call("PUT", f"/test/put/{id_}", alice, b"first").status == 200
    services = hub_services(more)
    before = open_files()
    head = (
        f"PUT /test/put/{id_} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(*alice)}\r\n"
        f"Content-Length: {3 << 20}\r\n\r\n"
    ).encode()
    for number in range(40):
        with connection(more) as opened:
            opened.sendall(head[: len(head) - number % 3] if number % 4 else head)
            if number % 2:
                opened.sendall(b"z" * (number << 10))
            time.sleep(number / 4000)
    until(lambda: not services.active)
    until(lambda: len(open_files()) <= len(before))
    assert os.listdir(more.data / "projects" / id_ / "tmp") == []
    assert more.call("GET", f"/test/put/{id_}", alice).body == b"first"


def open_files() -> list[str]:
    """Sockets and files without a name that this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [name for name in found if name.startswith("socket:") or name.endswith("(deleted)")]


def test_a_client_that_stops_reading_holds_up_only_itself(more: RunningHub) -> None:
    alice, id_ = more.user("alice"), more.project("alice", "p")
    more.call("PUT", f"/test/put/{id_}", alice, os.urandom(30 << 20))
    with connection(more) as opened:
        opened.sendall(
            f"GET /test/put/{id_} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {basic(*alice)}\r\n\r\n".encode()
        )
        opened.recv(1000)
        for _ in range(5):
            assert more.call("GET", "/api/v1/user", alice).status == 200
        assert hub_services(more).active
    until(lambda: not hub_services(more).active)


def test_memory_stays_flat_while_a_large_body_comes(more: RunningHub) -> None:
    alice, id_ = more.user("alice"), more.project("alice", "p")
    more.call("PUT", f"/test/put/{id_}", alice, os.urandom(1 << 20))
    before = peak()

    class Zeros:
        left = 60 << 20

        def read(self, count: int = -1) -> bytes:
            count = min(self.left, 65536)
            self.left -= count
            return bytes(count)

    asked = http.client.HTTPConnection("127.0.0.1", more.port, timeout=60)
    headers = {"Authorization": basic(*alice), "Content-Length": str(60 << 20)}
    asked.request("PUT", f"/test/put/{id_}", Zeros(), headers)  # type: ignore[arg-type]
    answer = asked.getresponse()
    assert json.loads(answer.read())["size"] == 60 << 20
    asked.close()
    assert peak() - before < 40 << 20


def peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# -- slow ones ---------------------------------------------------------------------------------


def test_slow_requests_do_not_hold_up_others(more: RunningHub) -> None:
    threads = [
        threading.Thread(target=more.call, args=("GET", "/test/broken/slow")) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    assert more.call("GET", "/health").status == 200
    assert time.monotonic() - started < 0.8
    for thread in threads:
        thread.join()
