# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Credentials, remotes, addresses and the connection: what is written down, and what is told."""

from __future__ import annotations

import http.server
import io
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sync_world import quick

from dotscience_jupyter.records import Records, Workspace
from dotscience_jupyter.sync import (
    Connection,
    Credentials,
    HubProject,
    Last,
    Login,
    OfflineError,
    RefusedError,
    Remote,
    RemoteStore,
    Sync,
    SyncError,
    clean_url,
    find_project,
    is_address,
    is_exposed,
    list_projects,
    log_in,
    log_in_with_key,
)
from dotscience_jupyter.sync.lines import read_line


class Canned:
    """A server that answers what it is told to, one answer after the other."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        canned = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                canned.asked.append((self.command, self.path, dict(self.headers), body))
                status, headers, data = canned.answers.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do

            def log_message(self, *args: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def say(self, document: Any, status: int = 200, **headers: str) -> None:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers.append((status, {k.replace("_", "-"): v for k, v in headers.items()}, data))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def canned() -> Iterator[Canned]:
    made = Canned()
    try:
        yield made
    finally:
        made.close()


# -- credentials -----------------------------------------------------------------------------------


def test_keys_are_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "config" / "hubs.json"
    credentials = Credentials(path)
    assert credentials.all() == []
    assert credentials.remove("http://a") is None
    credentials.put(Login("https://b", "bob", "dsk_b"))
    credentials.put(Login("http://a", "alice", "dsk_a"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.user for each in credentials.all()] == ["alice", "bob"]
    assert credentials.get("https://b") == Login("https://b", "bob", "dsk_b")
    assert "dsk_b" not in repr(credentials.all())
    removed = credentials.remove("http://a")
    assert removed is not None
    assert removed.user == "alice"
    assert credentials.get("http://a") is None
    os.chmod(path, 0o640)
    with pytest.raises(SyncError, match="can be read by others"):
        credentials.all()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2, "hubs": {}}', '{"format": 1, "hubs": {"a": 1}}', "\xff"]
)
def test_a_damaged_file_of_keys_is_told_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hubs.json"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    credentials = Credentials(path)
    with pytest.raises(SyncError, match="cannot be read"):
        credentials.all()
    with pytest.raises(SyncError):
        credentials.put(Login("http://a", "a", "k"))
    assert path.read_bytes() == text.encode("latin-1")


def test_programs_that_log_in_at_once_all_count(tmp_path: Path) -> None:
    path = tmp_path / "hubs.json"
    threads = [
        threading.Thread(target=Credentials(path).put, args=(Login(f"http://h{n}", "u", "k"),))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Credentials(path).all()) == 8


# -- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTP://Hub.Example.org:80/", "http://hub.example.org"),
        ("https://hub.example.org:443/base//", "https://hub.example.org/base"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        (" http://localhost:1 ", "http://localhost:1"),
    ],
)
def test_an_address_has_one_form(text: str, expected: str) -> None:
    assert clean_url(text) == expected
    assert clean_url(expected) == expected


@pytest.mark.parametrize(
    "text",
    ["", "hub", "ftp://hub", "http://", "http://a:b@hub", "http://h?x=1", "http://h#x", "http://h:x",
     "http://h\n.org", "http://[::1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SyncError) as refused:
        clean_url(text)
    assert refused.value.code == "invalid_url"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40).map("http://".__add__) | st.text(max_size=40))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    try:
        found = clean_url(text)
    except SyncError:
        return
    assert clean_url(found) == found
    assert "@" not in found.split("/")[2]


def test_what_travels_in_the_clear_is_known() -> None:
    assert is_exposed("http://hub.example.org")
    for safe in (
        "https://hub.example.org",
        "http://localhost:1",
        "http://127.0.0.5",
        "http://[::1]",
    ):
        assert not is_exposed(safe)
    assert is_address("hub:a")
    assert is_address("https://a/b")
    assert not is_address("HEAD~1")


def test_projects_are_found_by_what_people_call_them(tmp_path: Path) -> None:
    items = [
        {"id": "id-1", "owner": "alice", "name": "demo"},
        {"id": "id-2", "owner": "bob", "name": "demo"},
        {"id": "id-3", "owner": "bob", "name": "with space/and slash"},
    ]
    with canned() as hub:
        credentials = Credentials(tmp_path / "hubs.json")
        credentials.put(Login(f"{hub.url}", "alice", "k"))
        for address, expected in (
            (f"{hub.url}/demo", "id-1"),
            (f"{hub.url}/alice/demo/", "id-1"),
            (f"{hub.url}/bob/demo", "id-2"),
            (f"{hub.url}/id-2", "id-2"),
            (f"{hub.url}/bob/with%20space%2Fand%20slash", "id-3"),
            ("hub:bob/with space/and slash", "id-3"),
            ("hub:demo", "id-1"),
        ):
            hub.say({"items": items})
            found = find_project(address, credentials=credentials, patience=quick())
            assert (found.url, found.project) == (hub.url, expected), address
        assert hub.asked[0][2]["Authorization"] == "Bearer k"
        hub.say({"items": items})
        with pytest.raises(SyncError) as refused:
            find_project("hub:none", credentials=credentials, patience=quick())
        assert refused.value.code == "not_found"
        hub.say({"items": items})
        hub.say({"id": "id-4", "owner": "alice", "name": "new"}, 201)
        made = find_project("hub:new", create=True, credentials=credentials, patience=quick())
        assert made == Remote(hub.url, "id-4", "alice/new")
        assert json.loads(hub.asked[-1][3]) == {"name": "new"}
        hub.say({"items": [*items, {"id": 1}, "x"]})
        names = [each.name for each in list_projects(hub.url, credentials=credentials)]
        assert names == ["alice/demo", "bob/demo", "bob/with space/and slash"]
        for address, code in (
            (hub.url, "invalid_url"),
            ("hub:", "invalid_url"),
            ("https://elsewhere.org/demo", "not_logged_in"),
        ):
            with pytest.raises(SyncError) as refused:
                find_project(address, credentials=credentials)
            assert refused.value.code == code
        credentials.put(Login("https://another.org", "alice", "k"))
        with pytest.raises(SyncError, match=r"another\.org"):
            find_project("hub:demo", credentials=credentials)


def test_logging_in_keeps_a_key_and_no_password(tmp_path: Path) -> None:
    with canned() as hub:
        credentials = Credentials(tmp_path / "hubs.json")
        hub.say({"user": {"name": "alice", "admin": False}, "key": "dsk_1"})
        login = log_in(f"{hub.url}/", "alice", "secret", credentials=credentials)
        assert login == credentials.get(hub.url) == Login(hub.url, "alice", "dsk_1")
        assert "secret" not in credentials.path.read_text()
        hub.say({"code": "unauthenticated", "message": "The password is wrong."}, 401)
        with pytest.raises(RefusedError, match="The password is wrong"):
            log_in(hub.url, "alice", "wrong", credentials=credentials)
        hub.say({"name": "bob", "admin": False})
        assert log_in_with_key(hub.url, "dsk_2", credentials=credentials).user == "bob"
        hub.say({"code": "unauthenticated", "message": "no"}, 401)
        with pytest.raises(SyncError, match="does not know this API key"):
            log_in_with_key(hub.url, "dsk_3", credentials=credentials)
        assert credentials.get(hub.url) == Login(hub.url, "bob", "dsk_2")
        hub.say(b"<html>")
        with pytest.raises(SyncError, match="not a hub"):
            log_in(hub.url, "alice", "secret", credentials=credentials)


# -- remotes ---------------------------------------------------------------------------------------


def test_a_remote_is_remembered_and_forgotten(tmp_path: Path) -> None:
    store = RemoteStore(tmp_path)
    assert store.get() is None
    assert store.last() == Last()
    remote = Remote("http://hub", "0c2a", "alice/demo")
    store.put(remote)
    store.note(Last(5.0, "abc", "it failed", "offline", True))
    assert RemoteStore(tmp_path).get() == remote
    assert RemoteStore(tmp_path).last() == Last(5.0, "abc", "it failed", "offline", True)
    store.put(Remote("http://hub", "0c2a", "alice/renamed"))
    assert store.last() == Last()
    store.remove()
    assert store.get() is None
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"format": 2}',
        '{"format": 1, "url": "http://a:b@c", "project": "x", "name": "x"}',
        '{"format": 1, "url": "http://a", "project": "../../x", "name": "x"}',
    ],
)
def test_a_damaged_remote_is_told(tmp_path: Path, text: str) -> None:
    store = RemoteStore(tmp_path)
    store.folder.mkdir()
    (store.folder / "remote.json").write_text(text)
    (store.folder / "last.json").write_text(text)
    with pytest.raises(SyncError, match=r"remote\.json"):
        store.get()
    assert store.last() == Last()


# -- the connection --------------------------------------------------------------------------------


def test_what_may_help_is_tried_again_and_nothing_else(tmp_path: Path) -> None:
    with canned() as hub:
        connection = Connection(hub.url, "k", quick(4))
        hub.say(b"", 502)
        hub.say({"code": "busy", "message": "wait"}, 429, Retry_After="0.01")
        hub.say({"a": 1})
        assert connection.json("GET", "/x") == {"a": 1}
        assert connection.requests == 3
        for status in (400, 403, 404, 409, 500, 302):
            hub.say({"code": "no", "message": "No."}, status, Location="http://elsewhere")
            with pytest.raises(RefusedError, match=r"No\.") as refused:
                connection.json("GET", "/x")
            assert refused.value.status == status
        for _ in range(4):
            hub.say({"code": "busy", "message": "Too many."}, 503)
        with pytest.raises(OfflineError, match="Too many") as busy:
            connection.json("GET", "/x")
        assert busy.value.code == "busy"
        hub.say(b"<html>not a hub</html>", 404)
        with pytest.raises(RefusedError, match="no word of a hub"):
            connection.json("GET", "/x")
        hub.say({"message": "x"}, 401)
        with pytest.raises(RefusedError, match="does not accept your API key"):
            connection.json("GET", "/x")
        assert not hub.answers


def test_an_answer_that_ends_early_is_tried_again() -> None:
    with canned() as hub:
        hub.say({"refs": {}}, Content_Length="50", Connection="close")
        hub.say({"refs": {"HEAD": "a" * 64}})
        assert HubProject(Connection(hub.url, "k", quick()), "p").refs() == {"HEAD": "a" * 64}


@pytest.mark.parametrize(
    "document",
    [
        b"[]",
        b"null",
        {"refs": []},
        {"commits": {}},
        b"\xff",
        {"refs": {"HEAD": "\x1b[2J"}},
        {"refs": {"\x1b": "a" * 64}},
        {"refs": {"HEAD": 5}},
    ],
)
def test_answers_that_are_none_are_told(document: Any) -> None:
    with canned() as hub:
        project = HubProject(Connection(hub.url, "k", quick()), "p")
        hub.say(document)
        with pytest.raises(SyncError) as refused:
            project.refs()
        assert refused.value.code == "damaged"
        hub.say(document)
        with pytest.raises(SyncError) as refused:
            project.known_commits(["a"])
        assert refused.value.code == "damaged"
        hub.say(b"\x00" * 33)
        with pytest.raises(SyncError) as refused:
            project.missing([b"\x00" * 32] * 2)
        assert refused.value.code == "damaged"


def test_an_answer_to_a_push_that_is_none_is_told() -> None:
    with canned() as hub:
        project = HubProject(Connection(hub.url, "k", quick()), "p")
        right = {"state": "published", "head": "a" * 64, "ref": "HEAD"}
        hub.say(right)
        assert project.publish("a" * 64, io.BytesIO()).head == "a" * 64
        for wrong in ({"state": "\x1b[2J"}, {"head": ""}, {"ref": "a b"}):
            hub.say(right | wrong)
            with pytest.raises(SyncError) as refused:
                project.publish("a" * 64, io.BytesIO())
            assert refused.value.code == "damaged"
        hub.say({"code": "lacking", "lacking": ["xyz"]}, 409)
        with pytest.raises(SyncError) as refused:
            project.publish("a" * 64, io.BytesIO())
        assert refused.value.code == "damaged"


def test_other_engines_are_told_so(tmp_path: Path) -> None:
    class Other:
        name = "zfs"

    workspace = Workspace.create(tmp_path)
    records = Records.open(workspace.database_url)
    sync = Sync(workspace, records, Other())
    for walk in (sync.push, sync.fetch, sync.pull, lambda: sync.add(Remote("http://h", "1", "a"))):
        with pytest.raises(SyncError, match="'zfs'") as refused:
            walk()
        assert refused.value.code == "unsupported_engine"
    records.close()


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"{}\n", b"[]\n", b'{"id":1,"commit":{"snapshot":"s","parents":[]}}\n']
)
def test_lines_that_are_none_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="it is"):
        read_line(text)
