# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Requests that no program makes: wild targets and headers everywhere, wild Dotmesh calls."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_world import RunningHub, basic, hub
from hypothesis import given, settings
from hypothesis import strategies as st

from dotscience_jupyter.hub.handlers import base
from dotscience_jupyter.hub.original.rpc import ELSEWHERE, METHODS

EXAMPLES = 2000 if os.environ.get("DOTSCIENCE_THOROUGH") else 80
SECONDS = 20.0
DOT = "project-{}-default-workspace"


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, str]]:
    """A hub, and the id of a project of alice's with a file in it."""
    before = base._AFTER_WRONG
    base._AFTER_WRONG = 0.0
    path: Path = tmp_path_factory.mktemp("wild")
    with hub(path) as running:
        id_ = running.project("alice", "p")
        address = f"/v2/dotmesh/s3/alice:{DOT.format(id_[:8])}/a/b"
        assert running.call("PUT", address, running.user("alice"), b"x").status == 200
        yield running, id_
    base._AFTER_WRONG = before


def exchanged(running: RunningHub, head: bytes) -> bytes:
    """What the hub says to a request; it is asked to hang up then."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while data := connection.recv(65536):
            found += data
    return found


STARTS = [
    b"/v2/dotmesh/s3/alice:DOT", b"/v2/dotmesh/s3/alice:DOT@b/", b"/v2/dotmesh/diff/alice:DOT/",
    b"/v2/dotmesh/s3/", b"/v2/models/", b"/v2/", b"/s3/p/", b"/s3/alice.p/", b"/s3/",
    b"/api/v1/projects/ID/", b"/api/v1/", b"/", b"", b"http://x/", b"*",
]  # fmt: skip
PIECES = [
    b"/", b"//", b"..", b".", b"%2e%2e", b"%2F", b"%00", b"%ff", b"%", b"%zz", b"a/b", b"snapshot/",
    b"snapshot/latest/", b"?", b"&", b"=", b"#", b"+", b"\xc3\xa9", b"\xff", b"?versions",
    b"?uploads", b"?list-type=2&max-keys=", b"?Format=json&MaxKeys=", b"99999999999999999999",
    b"-1", b"x" * 300, b":",
    b"@", b"\\", b"'", b'"', b"<", b"~", b"refs", b"runs?where=", b"commits?ref=",
]  # fmt: skip
NAMES = [
    b"Range", b"If-Match", b"If-None-Match", b"If-Modified-Since", b"Extract", b"Content-Type",
    b"Content-Encoding", b"Accept-Encoding", b"Expect", b"X-Forwarded-For", b"X-Amz-Date", b"Host",
    b"x-amz-copy-source", b"x-amz-content-sha256", b"x-amz-tagging", b"Content-MD5", b"Cookie",
    b"X-HTTP-Method-Override", b"Origin", b"Upgrade", b"Transfer-Encoding",
]  # fmt: skip
VALUES = [
    b"", b"bytes=0-", b"bytes=9-1", b"bytes=-99999999999999999999", b"*", b"W/\"x\"", b"true",
    b"chunked", b"gzip", b"100-continue", b"websocket", b"\xff\xfe", b"a" * 3000, b"0", b"-1",
    b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", b"/p/a/b?versionId=x", b"Thu, 99 Foo 2026 99:99:99 GMT",
    b"AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request, SignedHeaders=;, Signature=",
]  # fmt: skip
METHODS_OF_HTTP = [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"PATCH", b"OPTIONS", b"GeT", b"X"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    method=st.sampled_from(METHODS_OF_HTTP),
    start=st.sampled_from(STARTS),
    pieces=st.lists(st.sampled_from(PIECES), max_size=4),
    headers=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=3),
    body=st.sampled_from([b"", b"{", b"<a/>", b"\0" * 100]),
    login=st.booleans(),
)
def test_no_target_and_no_header_is_a_fault_of_ours(
    wild: tuple[RunningHub, str],
    method: bytes,
    start: bytes,
    pieces: list[bytes],
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    login: bool,
) -> None:
    running, id_ = wild
    target = (start + b"".join(pieces)).replace(b"DOT", DOT.format(id_[:8]).encode())
    target = target.replace(b"ID", id_.encode())
    lines = [method + b" " + target + b" HTTP/1.1", b"Connection: close"]
    lines += [b"%s: %s" % header for header in headers]
    if not any(name == b"Host" for name, _ in headers):
        lines.append(b"Host: hub")
    if login:
        lines.append(b"Authorization: " + basic(*running.user("alice")).encode())
    lines.append(b"Content-Length: %d" % len(body))
    found = exchanged(running, b"\r\n".join(lines) + b"\r\n\r\n" + body)
    # what is no HTTP at all is hung up upon
    if found:
        status = int(found.split(b" ", 2)[1])
        assert status < 500 or status == 501, (lines, found)
        assert b"Traceback" not in found and os.fsencode(running.data) not in found, (lines, found)
    assert running.call("GET", "/health").status == 200


TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["alice", "bob", "master", "\0", "../..", "x" * 70, "\ud800", "ID", "DOT"]),
)
WILD: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXTS, inner, max_size=2)),
    max_leaves=4,
)
PARAMETERS = [
    "Namespace", "Name", "Branch", "Message", "Metadata", "FilesystemId", "FilesystemID", "Id",
    "MasterBranchID", "Collaborator", "ForkNamespace", "ForkName", "SnapshotId", "NewBranchName",
    "SourceBranch", "SourceCommitId", "NewPassword", "Password", "Email",
]  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    method=st.sampled_from([*METHODS, *ELSEWHERE, "Nothing", ""]),
    right=st.booleans(),
    params=st.one_of(st.dictionaries(st.sampled_from(PARAMETERS), WILD, max_size=5), WILD),
    id_=WILD,
)
def test_no_dotmesh_call_is_a_fault_of_ours(
    wild: tuple[RunningHub, str], method: str, right: bool, params: Any, id_: Any
) -> None:
    running, project = wild
    dot = DOT.format(project[:8])
    if right and isinstance(params, dict) and method not in ("Delete", "ResetApiKey"):
        params = {"Namespace": "alice", "Name": dot, "Branch": "", **params}
    body = {"jsonrpc": "2.0", "method": f"DotmeshRPC.{method}", "params": params, "id": id_}
    text = json.dumps(body).replace('"ID"', f'"{project}"').replace('"DOT"', f'"{dot}"')
    answer = running.call(
        "POST", "/v2/dotmesh/rpc", running.user("alice"), text.encode(), timeout=SECONDS
    )
    assert answer.status in (200, 204), (body, answer.body)
    if answer.status == 200:
        told = answer.json()
        assert ("result" in told) is not ("error" in told), (body, told)
        if "error" in told:
            assert told["error"]["code"] != -32603, (body, told)
            assert told["error"]["message"]
            assert str(running.data) not in told["error"]["message"]
