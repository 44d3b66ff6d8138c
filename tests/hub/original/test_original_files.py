# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The file endpoint over HTTP, with clients that behave and clients that do not."""

from __future__ import annotations

import io
import os
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from hub_world import RunningHub, basic, hub, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotscience_jupyter.hub.original import store, turns

S3 = "/v2/dotmesh/s3/alice:dot"


class Files:
    """One user's requests about alice's dot."""

    def __init__(self, running: RunningHub, user: str) -> None:
        self.running = running
        self.auth = running.user(user)

    def ask(self, method: str, path: str = "", body: bytes | None = None, **headers: str):
        return self.running.call(method, S3 + path, self.auth, body, headers)

    def put(self, key: str, data: bytes, **headers: str) -> str:
        answer = self.ask("PUT", f"/{key}", data, **headers)
        assert answer.status == 200, answer.body
        return answer.headers["Snapshot"]

    def get(self, key: str, commit: str = "latest") -> bytes:
        answer = self.ask("GET", f"/snapshot/{commit}/{key}")
        assert answer.status == 200, answer.body
        return answer.body

    def keys(self, query: str = "") -> list[str]:
        answer = self.ask("GET", f"?Format=json{query}")
        assert answer.status == 200, answer.body
        return [each["key"] for each in answer.json()["contents"]]

    def log(self) -> list[dict[str, str]]:
        params = {"Namespace": "alice", "Name": "dot", "Branch": ""}
        return [each["Metadata"] for each in rpc(self.running, self.auth, "Commits", params)]


def rpc(running: RunningHub, auth: tuple[str, str], method: str, params: dict[str, object]):
    body = {"jsonrpc": "2.0", "method": f"DotmeshRPC.{method}", "params": params, "id": 1}
    document = running.call("POST", "/v2/dotmesh/rpc", auth, body).json()
    assert "result" in document, document
    return document["result"]


@pytest.fixture
def files(running: RunningHub) -> Files:
    auth = running.user("alice")
    rpc(running, auth, "Create", {"Namespace": "alice", "Name": "dot"})
    return Files(running, "alice")


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def raw(running: RunningHub, request: bytes, *, read: bool = True) -> bytes:
    """Send bytes as they are; hang up at once unless the answer is to be read."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(request)
        found = b""
        while read and (data := connection.recv(65536)):
            found += data
        return found


def chunked(data: bytes, size: int) -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_files_are_put_read_and_deleted(files: Files) -> None:
    first = files.put("deep/er/file.txt", b"one")
    second = files.put("deep/er/file.txt", b"two")
    assert (files.get("deep/er/file.txt"), files.get("deep/er/file.txt", first)) == (b"two", b"one")
    answer = files.ask("HEAD", f"/snapshot/{first}/deep/er/file.txt")
    assert answer.status == 200 and answer.body == b"" and answer.headers["Content-Length"] == "3"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="deep/er/file.txt"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers
    again = files.ask("GET", "/snapshot/latest/deep/er/file.txt")
    headers = {"If-None-Match": again.headers["Etag"]}
    assert files.ask("GET", "/snapshot/latest/deep/er/file.txt", None, **headers).status == 304
    deleted = files.ask("DELETE", "/deep/er")
    assert deleted.status == 200 and deleted.headers["Snapshot"] not in (first, second)
    assert files.keys() == [] and files.get("deep/er/file.txt", second) == b"two"
    assert files.ask("DELETE", "/deep/er").status == 404
    log = files.log()
    assert [each["type"] for each in log] == ["dotmesh.initial", "upload", "upload", "delete"]
    assert log[1]["message"] == "Uploaded deep/er/file.txt (3 B)"
    assert log[1]["upload.type"] == "S3" and log[1]["upload.bytes"] == "3"
    assert log[1]["upload.file"] == "deep/er/file.txt" and log[1]["author"] == "alice"
    assert log[3]["message"] == "Delete deep/er" and log[3]["delete.file"] == "deep/er"


def test_odd_names_survive(files: Files) -> None:
    for key in ("a%20b.txt", "%C3%BC.txt", "bad%FF.txt", "plus+.txt", "%25.txt", "a%5Cb", "x;y=z"):
        files.put(key, key.encode())
        assert files.get(key) == key.encode()
    assert len(files.keys()) == 7
    root = ElementTree.fromstring(files.ask("GET").body)
    assert root.findtext("TotalResults") == "7" and root.findtext("Name") == "alice-dot"


def test_listings_page_and_prefix(files: Files) -> None:
    files.put("data", archive(a__1=b"1", a__2=b"22", b=b"3"), Extract="true")
    assert files.keys() == ["data/a/1", "data/a/2", "data/b"]
    assert files.keys("&MaxKeys=1&Page=1") == ["data/a/2"]
    assert files.keys("&Prefix=data&NonRecursive=1") == ["data/b"]
    assert files.keys("&Prefix=data&NonRecursive=1&IncludeDirectories=1") == ["data/a", "data/b"]
    assert files.keys("&Prefix=data/a/") == ["data/a/1", "data/a/2"]
    assert files.ask("GET", "?MaxKeys=x").status == 400
    first = files.put("later", b"")
    assert files.ask("GET", f"/snapshot/{first}?Format=json").json()["total_results"] == 4
    assert files.ask("GET", "/snapshot/latest/?Format=json").json()["total_results"] == 4


def test_archives_replace_and_come_back(files: Files) -> None:
    files.put("model/old", b"old")
    files.put("model", archive(new=b"new", sub__x=b"x"), Extract="true")
    assert files.keys() == ["model/new", "model/sub/x"]
    answer = files.ask("GET", "/snapshot/latest/model")
    assert answer.headers["Content-Type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(answer.body), mode="r:") as tar:
        assert sorted(tar.getnames()) == ["new", "sub", "sub/x"]
    head = files.ask("HEAD", "/snapshot/latest/model")
    assert head.status == 200 and head.body == b"" and "Content-Length" not in head.headers
    before = len(files.log())
    for bad in (b"no archive", archive(new=b"x" * 3000)[:1000], b""):
        answer = files.ask("PUT", "/model", bad, Extract="true")
        assert answer.status == 400 and b"othing was unpacked" in answer.body
    assert len(files.log()) == before and files.get("model/new") == b"new"
    assert files.log()[-1]["upload.bytes"] == "0"


def test_what_cannot_be_is_refused_in_words(running: RunningHub, files: Files) -> None:
    files.put("file", b"x")
    files.put("folder/file", b"x")
    before = len(files.log())
    for method, path, status in (
        ("PUT", "", 400),
        ("PUT", "/", 400),
        ("PUT", "/..%2F..%2Fetc%2Fpasswd", 400),
        ("PUT", "/a/%2e%2e/%2e%2e/b", 400),
        ("PUT", "/.dotscience/records.db", 400),
        ("PUT", "/sub/.git/config", 400),
        ("PUT", "/a%00b", 400),
        ("PUT", "/" + "x" * 256, 400),
        ("PUT", "/folder", 409),
        ("PUT", "/file/below", 409),
        ("DELETE", "", 400),
        ("DELETE", "/missing", 404),
        ("GET", "/file", 404),
        ("GET", "/snapshot", 404),
        ("GET", "/snapshot/latest/missing", 404),
        ("GET", "/snapshot/latest/../x", 400),
        ("GET", "/snapshot/" + "0" * 64 + "/file", 404),
        ("GET", "/snapshot/HEAD/file", 404),
        ("GET", "/snapshot/%00/file", 404),
        ("POST", "/file", 405),
    ):
        answer = files.ask(method, path, b"x" if method in ("PUT", "POST") else None)
        assert answer.status == status, (method, path, answer.status, answer.body)
        assert b"Traceback" not in answer.body and str(running.data).encode() not in answer.body
        if status != 405:
            assert answer.headers["Content-Type"].startswith("text/plain") and answer.body
    for bucket, status, words in (
        ("alice:other", 404, b"Bucket alice-other does not exist"),
        ("alice:dot@side", 404, b"Bucket alice-dot-side does not exist"),
        ("alice:do%20t", 400, b"is not the name of a dot"),
        ("alicedot", 400, b"is not a bucket"),
        ("alice%3Adot", 200, b"ListBucketResult"),
    ):
        answer = running.call("GET", f"/v2/dotmesh/s3/{bucket}", files.auth)
        assert answer.status == status and words in answer.body, answer.body
    assert len(files.log()) == before


def test_who_may_do_what(running: RunningHub, files: Files) -> None:
    files.put("file", b"x")
    bob = Files(running, "bob")
    words = b"User bob is not the administrator of namespace alice"
    for method, path in (("GET", ""), ("PUT", "/b"), ("DELETE", "/file")):
        answer = bob.ask(method, path, b"x" if method == "PUT" else None)
        assert answer.status == 401 and words in answer.body
    # what there is in others' namespaces is not told
    answer = running.call("GET", "/v2/dotmesh/s3/alice:nothing", bob.auth)
    assert answer.status == 401 and words in answer.body
    for auth in (None, ("alice", "wrong-key")):
        assert running.call("GET", S3, auth).status == 401
        assert running.call("PUT", f"{S3}/b", auth, b"x").status == 401
    assert running.call("GET", S3, running.admin_auth).status == 200
    id_ = rpc(running, files.auth, "Lookup", {"Namespace": "alice", "Name": "dot", "Branch": ""})
    rpc(running, files.auth, "AddCollaborator", {"MasterBranchID": id_, "Collaborator": "bob"})
    bob.put("b", b"bob's")
    assert files.get("b") == b"bob's" and files.log()[-1]["author"] == "bob"
    assert files.keys() == ["b", "file"]


def test_a_project_without_commits(running: RunningHub) -> None:
    auth = running.user("alice")
    made = running.call("POST", "/v2/projects", auth, {"name": "p"}).json()
    bucket = f"/v2/dotmesh/s3/alice:{made['dots'][0]}"
    answer = running.call("GET", bucket, auth)
    assert answer.status == 400 and b"No snaps to mount" in answer.body
    assert running.call("DELETE", f"{bucket}/x", auth).status == 404
    assert running.call("PUT", f"{bucket}/x", auth, b"1").status == 200
    assert running.call("GET", f"{bucket}/snapshot/latest/x", auth).body == b"1"


def test_absolute_targets_and_chunks(running: RunningHub, files: Files) -> None:
    data = os.urandom(700_000)
    head = (
        f"PUT {running.url}{S3}/chunked.bin HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
        f"Authorization: {basic(*files.auth)}\r\nAccept-Encoding: identity\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    raw(running, head + chunked(data, 8192), read=False)
    # asked at once, on another connection, the listing of commits has it
    assert files.log()[-1]["upload.bytes"] == "700000"
    assert files.get("chunked.bin") == data


def test_a_cut_upload_changes_nothing_and_holds_up_nobody(
    running: RunningHub, files: Files
) -> None:
    head = (
        f"PUT {S3}/cut.bin HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(*files.auth)}\r\n"
        "Content-Length: 1000000\r\n\r\n"
    ).encode()
    before = len(files.log())
    raw(running, head + b"x" * 500_000, read=False)
    raw(
        running, head.replace(b"Content-Length: 1000000", b"Transfer-Encoding: chunked"), read=False
    )
    assert len(files.log()) == before and files.keys() == []
    services = running.services
    assert services is not None
    until(lambda: not turns.turns_of(services)._under_way)
    assert not list(running.data.glob("projects/*/tmp/*"))


def test_strangers_hold_up_nobody(running: RunningHub, files: Files) -> None:
    # somebody who does not know alice's key begins an upload in her name and keeps it open
    head = (
        f"PUT {S3}/x HTTP/1.1\r\nHost: x\r\nAuthorization: {basic('alice', 'dsk_wrong')}\r\n"
        "Content-Length: 90000000\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(head)
        time.sleep(0.05)
        start = time.monotonic()
        assert files.log() and time.monotonic() - start < 5


def test_others_uploads_hold_up_nobody(
    running: RunningHub, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = rpc(running, files.auth, "Lookup", {"Namespace": "alice", "Name": "dot", "Branch": ""})
    bob = Files(running, "bob")
    rpc(running, files.auth, "AddCollaborator", {"MasterBranchID": id_, "Collaborator": "bob"})
    head = (
        f"PUT {S3}/x HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(*bob.auth)}\r\n"
        "Content-Length: 90000000\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(head)
        time.sleep(0.2)
        files.put("mine", b"1")
        assert len(files.log()) == 2


def test_patience_ends(running: RunningHub, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.3)
    head = (
        f"PUT {S3}/x HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(*files.auth)}\r\n"
        "Content-Length: 90000000\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(head)
        services = running.services
        assert services is not None
        until(lambda: turns.turns_of(services)._under_way)
        params = {"Namespace": "alice", "Name": "dot", "Branch": "", "Message": "m"}
        body = {"jsonrpc": "2.0", "method": "DotmeshRPC.Commit", "params": params, "id": 1}
        answer = running.call("POST", "/v2/dotmesh/rpc", files.auth, body).json()
        assert "so nothing was done" in answer["error"]["message"]
        assert len(files.log()) == 1  # who only looks is answered all the same
    until(lambda: not turns.turns_of(services)._under_way)


def test_uploads_at_once_are_one_after_the_other(files: Files) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(4):
                files.put(f"f{number}", f"{number} {turn}".encode())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(files.log()) == 25
    for number in range(6):
        assert files.get(f"f{number}") == f"{number} 3".encode()


def test_large_files_stream(running: RunningHub, files: Files) -> None:
    block = os.urandom(1 << 20)
    size = 48
    files.put("large", block * size)
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        request = f"GET {S3}/snapshot/latest/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        request += f"Authorization: {basic(*files.auth)}\r\n\r\n"
        connection.sendall(request.encode())
        found = 0
        head = b""
        while data := connection.recv(1 << 20):
            if b"\r\n\r\n" not in head:
                head += data
                data = head.partition(b"\r\n\r\n")[2] if b"\r\n\r\n" in head else b""
            found += len(data)
    assert found == size << 20 and b"Content-Length: 50331648" in head


def test_what_changed_since_a_commit(running: RunningHub, files: Files) -> None:
    files.put("same", b"1")
    first = files.put("gone", b"1")
    files.put("new", b"1")
    files.put("same", b"2")
    files.ask("DELETE", "/gone")
    path = "/v2/dotmesh/diff/alice:dot"
    assert running.call("GET", path, files.auth).json() == []
    assert running.call("GET", f"{path}/{first}", files.auth).json() == [
        {"change": "-", "filename": "gone"},
        {"change": "+", "filename": "new"},
        {"change": "M", "filename": "same"},
    ]
    assert running.call("GET", f"{path}/{'0' * 64}", files.auth).status == 404


def test_a_link_in_a_snapshot_is_not_followed(running: RunningHub, files: Files) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "sub"
        tar.addfile(info)
    files.put("d", file.getvalue(), Extract="true")
    assert files.ask("GET", "/snapshot/latest/d/link").status == 409
    assert files.ask("PUT", "/d/link/through", b"x").status == 409
    files.put("d/link", b"now a file")
    assert files.get("d/link") == b"now a file"


def test_faults_are_told_without_their_insides(
    running: RunningHub, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("secret insides")

    monkeypatch.setattr(store, "put", broken)
    answer = files.ask("PUT", "/x", b"1")
    assert answer.status == 500 and b"secret" not in answer.body and b"log" in answer.body
    monkeypatch.undo()
    files.put("x", b"1")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    with hub(tmp_path_factory.mktemp("shared")) as running:
        rpc(running, running.user("alice"), "Create", {"Namespace": "alice", "Name": "dot"})
        files = Files(running, "alice")
        files.put("a/b", b"x")
        yield files


PARTS = st.one_of(
    st.sampled_from(["snapshot", "latest", "a", "b", "..", ".", "", "alice:dot", "alice:dot@b"]),
    st.binary(max_size=4).map(lambda data: "".join(f"%{byte:02X}" for byte in data)),
)
QUERIES = st.sampled_from(
    ["Prefix", "MaxKeys", "Page", "NonRecursive", "Format", "IncludeDirectories"]
).flatmap(
    lambda name: st.one_of(
        st.sampled_from(["json", "a", "a/b", "../..", "%00", "%FF", "-1", "1e9", "9" * 30]),
        st.binary(max_size=3).map(lambda data: "".join(f"%{byte:02X}" for byte in data)),
    ).map(lambda text: f"{name}={text}")
)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST"]),
    st.sampled_from(["/v2/dotmesh/s3", S3, f"{S3}/snapshot/latest", "/v2/dotmesh/diff", "/v2"]),
    st.lists(PARTS, max_size=4),
    st.lists(QUERIES, max_size=3),
    st.booleans(),
)
def test_no_address_breaks_the_hub(
    shared: Files, method: str, start: str, parts: list[str], query: list[str], extract: bool
) -> None:
    path = "/".join([start, *parts]) + ("?" + "&".join(query) if query else "")
    body = b"body" if method in ("PUT", "POST") else None
    headers = {"Extract": "true"} if extract else {}
    answer = shared.running.call(method, path, shared.auth, body, headers)
    assert answer.status < 500, (method, path, answer.body)
