# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Requests that no honest client sends, and bodies that do not come as they should."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hub_world import hub, until
from hypothesis import given, settings
from hypothesis import strategies as st
from s3_world import World

from dotscience_jupyter.hub.s3 import sigv4
from dotscience_jupyter.hub.s3.sigv4 import Request, Scope

MB = 1 << 20


def send(
    world: World, method: str, target: str, headers: dict[str, str], body: Any = b""
) -> tuple[int, str, bytes]:
    """Send a request exactly as given; return status, error code and body."""
    connection = http.client.HTTPConnection("127.0.0.1", world.hub.port, timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        for piece in [body] if isinstance(body, bytes) else body:
            connection.send(piece)
        answer = connection.getresponse()
        text = answer.read()
        code = re.search(rb"<Code>(\w+)</Code>", text)
        return answer.status, code[1].decode() if code else "", text
    finally:
        connection.close()


class Signed:
    """A request signed with any time, payload and key; chunks of its body too."""

    def __init__(
        self,
        world: World,
        method: str,
        target: str,
        payload: str | bytes = b"",
        *,
        secret: str = "",
        key: str = "",
        when: datetime | None = None,
        **more: str,
    ) -> None:
        if isinstance(payload, bytes):
            payload = hashlib.sha256(payload).hexdigest()
        id_, known = world.keys("alice")
        self.time = (when or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        self.scope = Scope(self.time[:8], "anywhere", "s3")
        self.headers = {
            "Host": f"127.0.0.1:{world.hub.port}",
            "X-Amz-Date": self.time,
            "X-Amz-Content-SHA256": payload,
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        path, _, query = target.partition("?")
        names = sorted(name.lower() for name in self.headers)
        request = Request(method, path, query, list(self.headers.items()))
        text = sigv4.canonical_request(request, names, payload)
        self.key = self.scope.key(secret or known)
        to_sign = sigv4.string_to_sign(self.time, self.scope, text)
        self.last = sigv4.sign(self.key, to_sign).hex()
        self.headers["Authorization"] = (
            f"{sigv4.ALGORITHM} Credential={key or id_}/{self.scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={self.last}"
        )

    def chunk(self, data: bytes) -> bytes:
        digest = hashlib.sha256(data).hexdigest()
        head = f"{sigv4.ALGORITHM}-PAYLOAD\n{self.time}\n{self.scope}"
        self.last = sigv4.sign(self.key, f"{head}\n{self.last}\n{sigv4.EMPTY}\n{digest}").hex()
        return f"{len(data):x};chunk-signature={self.last}\r\n".encode() + data + b"\r\n"


def files(folder: Path) -> dict[str, int]:
    """What is on the hub's disk apart from projects and databases."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and "projects" not in path.parts and "hub.db" not in path.name
    }


def keys_of(world: World, bucket: str) -> list[str]:
    return [
        each["Key"] for each in world.client().list_objects_v2(Bucket=bucket).get("Contents", [])
    ]


def test_who_is_nobody(world: World) -> None:
    target = f"/s3/{world.bucket()}/a"
    host = {"Host": f"127.0.0.1:{world.hub.port}"}
    for method in ("GET", "PUT", "DELETE", "POST"):
        assert send(world, method, target, host)[:2] == (403, "AccessDenied")
    for wrong, code in (
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"key": "DSFFFFFFFFFFFFFFFFFF"}, "InvalidAccessKeyId"),
        ({"key": "';DROP--"}, "InvalidAccessKeyId"),
        ({"when": datetime.now(UTC) - timedelta(minutes=16)}, "RequestTimeTooSkewed"),
        ({"when": datetime.now(UTC) + timedelta(minutes=16)}, "RequestTimeTooSkewed"),
    ):
        request = Signed(world, "PUT", target, b"x", **wrong)
        assert send(world, "PUT", target, request.headers, b"x")[:2] == (403, code)
    for text in ("", "AWS4-HMAC-SHA256", "AWS a:b", "Digest x", "AWS4-HMAC-SHA256 " + "=" * 500):
        status, code, _ = send(world, "GET", target, {**host, "Authorization": text})
        assert status in (400, 403) and code in (
            "InvalidRequest", "AuthorizationHeaderMalformed", "AccessDenied",
        )  # fmt: skip
    assert send(world, "GET", target, {**host, "Authorization": "Bearer no"})[0] == 403
    ok = Signed(world, "PUT", target, b"x", when=datetime.now(UTC) - timedelta(minutes=14))
    assert send(world, "PUT", target, ok.headers, b"x")[0] == 200
    moved = {**ok.headers, "Host": "elsewhere.example"}
    assert send(world, "PUT", target, moved, b"x")[:2] == (403, "SignatureDoesNotMatch")


def test_headers_in_a_signed_address_count(world: World) -> None:
    """Some clients put all of them there."""
    s3, bucket = world.client(), world.bucket()
    extra = {
        "x-amz-acl": "public-read",
        "x-amz-meta-a": "b",
        "x-amz-checksum-crc32": "AAAAAA==",
        "X-Amz-Content-Sha256": hashlib.sha256(b"other").hexdigest(),
    }
    codes = {}
    for name, value in extra.items():

        def add(request: Any, name: str = name, value: str = value, **_: Any) -> None:
            request.params[name] = value

        s3.meta.events.register("before-sign.s3.PutObject", add, unique_id="add")
        try:
            url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a"})
        finally:
            s3.meta.events.unregister("before-sign.s3.PutObject", unique_id="add")
        assert name in url
        host = {"Host": f"127.0.0.1:{world.hub.port}"}
        codes[name] = send(world, "PUT", url.removeprefix(world.hub.url), host, b"x")[:2]
    assert codes == {
        "x-amz-acl": (501, "NotImplemented"),
        "x-amz-meta-a": (200, ""),
        "x-amz-checksum-crc32": (400, "BadDigest"),
        "X-Amz-Content-Sha256": (403, "SignatureDoesNotMatch"),  # boto3 signs without it
    }
    assert s3.head_object(Bucket=bucket, Key="a")["Metadata"] == {"a": "b"}


def test_a_key_that_was_revoked_is_worth_nothing(world: World) -> None:
    s3 = world.client("mallory")
    assert s3.list_buckets()["Buckets"] == []
    services = world.hub.services
    assert services is not None
    user = services.identity.find_user("mallory")
    assert user is not None
    services.identity.revoke_s3_key(user, world.keys("mallory")[0])
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.list_buckets()
    assert caught.value.response["Error"]["Code"] == "InvalidAccessKeyId"


@pytest.mark.parametrize(
    "key",
    [
        "../a",
        "a/../../../secret.key",
        "%2e%2e/%2e%2e/%2e%2e/secret.key",
        "..%2f..%2fsecret.key",
        "%2fetc/passwd",
        "/etc/passwd",
        "a//b",
        "./a",
        "a/.",
        "a%00b",
        "a%00/../b",
        ".dotscience/records.db",
        "x/.git/hooks/post-checkout",
        "x" * 300,
        "%C3%28",
        "%ff%fe",
        "%ED%A0%80",
        "x/" * 250 + "y",
        "y" * 1025,
    ],
)
def test_keys_that_no_file_may_have(world: World, key: str) -> None:
    bucket = world.bucket()
    target = f"/s3/{bucket}/{key}"
    before = files(world.hub.data)
    request = Signed(world, "PUT", target, b"evil")
    status, code, _ = send(world, "PUT", target, request.headers, b"evil")
    assert (status, code) in (
        (400, "InvalidArgument"), (400, "InvalidURI"), (400, "KeyTooLongError"),
    )  # fmt: skip
    for method in ("GET", "HEAD", "DELETE"):
        request = Signed(world, method, target)
        status, code, body = send(world, method, target, request.headers)
        assert status in ((204, 400) if method == "DELETE" else (400, 404))
        assert b"Traceback" not in body and str(world.hub.data).encode() not in body
    copy = Signed(world, "PUT", f"/s3/{bucket}/ok", X_Amz_Copy_Source=f"/{bucket}/{key}")
    assert send(world, "PUT", f"/s3/{bucket}/ok", copy.headers)[0] in (400, 404)
    begin = Signed(world, "POST", f"{target}?uploads")
    assert send(world, "POST", f"{target}?uploads", begin.headers)[0] == 400
    assert files(world.hub.data) == before and keys_of(world, bucket) == []


def test_headers_that_are_too_large(world: World) -> None:
    target = f"/s3/{world.bucket()}/a"
    large = Signed(world, "PUT", target, b"", x_amz_meta_a="b" * 20_000)
    assert send(world, "PUT", target, large.headers)[:2] == (400, "RequestHeaderSectionTooLarge")
    meta = Signed(world, "PUT", target, b"", x_amz_meta_a="b" * 2048)
    assert send(world, "PUT", target, meta.headers)[:2] == (400, "MetadataTooLarge")
    for size in (70_000, 900_000):
        huge = Signed(world, "PUT", target, b"", x_amz_meta_a="b" * size)
        assert send(world, "PUT", target, huge.headers)[:2] == (400, "RequestHeaderSectionTooLarge")
    assert send(world, "GET", target, Signed(world, "GET", target).headers)[0] == 404


def test_documents_that_are_attacks(world: World) -> None:
    bucket = world.bucket()
    world.client().put_object(Bucket=bucket, Key="a", Body=b"")
    bomb = (
        b'<!DOCTYPE D [<!ENTITY a "aaaaaaaaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>'
    )
    many = b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>"
    for body in (bomb, many, b"", b"<Delete>", b"<Delete><Object/></Delete>"):
        request = Signed(world, "POST", f"/s3/{bucket}?delete", body)
        found = send(world, "POST", f"/s3/{bucket}?delete", request.headers, body)
        assert found[:2] == (400, "MalformedXML")
    good = b"<Delete><Object><Key>a</Key></Object></Delete>"
    request = Signed(world, "POST", f"/s3/{bucket}?delete", good)
    other = good.replace(b">a<", b">b<")
    found = send(world, "POST", f"/s3/{bucket}?delete", request.headers, other)
    assert found[:2] == (400, "XAmzContentSHA256Mismatch")
    assert keys_of(world, bucket) == ["a"]
    tags = b'<!DOCTYPE T [<!ENTITY x SYSTEM "file:///etc/passwd">]><Tagging>&x;</Tagging>'
    request = Signed(world, "PUT", f"/s3/{bucket}/a?tagging", tags)
    found = send(world, "PUT", f"/s3/{bucket}/a?tagging", request.headers, tags)
    assert found[:2] == (400, "MalformedXML")


def streamed(world: World, target: str, size: int, seconds: int = 0) -> Signed:
    """A request with signed chunks; another time makes it another request."""
    return Signed(
        world, "PUT", target, sigv4.STREAMING, content_encoding="aws-chunked",
        x_amz_decoded_content_length=str(size),
        when=datetime.now(UTC) - timedelta(seconds=seconds),
    )  # fmt: skip


def test_chunks_that_are_signed(world: World) -> None:
    bucket = world.bucket()
    target = f"/s3/{bucket}/a"
    one, two = os.urandom(70_000), os.urandom(70_000)

    def parts(request: Signed) -> list[bytes]:
        return [request.chunk(one), request.chunk(two), request.chunk(b"")]

    request = streamed(world, target, 140_000)
    first, second, last = parts(request)
    assert send(world, "PUT", target, request.headers, first + second + last)[0] == 200
    s3 = world.client()
    found = s3.get_object(Bucket=bucket, Key="a")
    assert found["Body"].read() == one + two and "ContentEncoding" not in found
    again = streamed(world, target, 140_000, 60)
    bad = {
        "of another request": (first, second, last),
        "sent twice": (*[again.chunk(one)] * 2, last),
    }
    for name, body in bad.items():
        found = send(world, "PUT", target, again.headers, b"".join(body))
        assert found[:2] == (403, "SignatureDoesNotMatch"), name
    third = streamed(world, target, 140_000)
    first, second, last = parts(third)
    for name, body, code in (
        ("swapped", second + first + last, "SignatureDoesNotMatch"),
        ("changed", first.replace(one[:9], b"other bye") + second + last, "SignatureDoesNotMatch"),
        ("cut", first + second, "IncompleteBody"),
        ("left out", first + last, "SignatureDoesNotMatch"),
        ("none", one + two, "InvalidRequest"),
    ):
        found = send(world, "PUT", target, third.headers, body)
        assert found[1] == code, name
    short = streamed(world, target, 70_001)
    body = short.chunk(one) + short.chunk(b"")
    assert send(world, "PUT", target, short.headers, body)[1] == "IncompleteBody"
    small = streamed(world, target, 10)
    body = small.chunk(one) + small.chunk(b"")
    assert send(world, "PUT", target, small.headers, body)[1] == "IncompleteBody"
    assert s3.list_object_versions(Bucket=bucket)["Versions"][1:] == []


def test_bodies_that_are_not_what_was_signed(world: World) -> None:
    bucket = world.bucket()
    target = f"/s3/{bucket}/a"
    request = Signed(world, "PUT", target, b"good")
    found = send(world, "PUT", target, request.headers, b"evil")
    assert found[:2] == (400, "XAmzContentSHA256Mismatch")
    for name, value, code in (
        ("Content-MD5", "AAAA", "InvalidDigest"),
        ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==", "BadDigest"),
        ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
        ("x-amz-checksum-xxhash", "AAAAAA==", "NotImplemented"),
        ("x-amz-trailer", "x-amz-meta-a", ""),
    ):
        request = Signed(world, "PUT", target, b"good", **{name: value})
        assert send(world, "PUT", target, request.headers, b"good")[1] == code, name
    request = Signed(world, "PUT", target, sigv4.UNSIGNED)
    chunked = {**request.headers, "Transfer-Encoding": "chunked"}
    found = send(world, "PUT", target, chunked, b"4\r\ngood\r\n0\r\n\r\n")
    assert found[:2] == (411, "MissingContentLength")
    trailing = Signed(
        world, "PUT", target, sigv4.STREAMING_UNSIGNED_TRAILER,
        x_amz_decoded_content_length="4", x_amz_trailer="x-amz-checksum-crc32",
    )  # fmt: skip
    good = b"4\r\ngood\r\n0\r\nx-amz-checksum-crc32:"
    for text, status, code in (
        (b"fS7HqQ==\r\n\r\n", 400, "BadDigest"),
        (b"no\r\n\r\n", 400, "InvalidDigest"),
    ):
        assert send(world, "PUT", target, trailing.headers, good + text)[:2] == (status, code)
    keys = keys_of(world, bucket)
    assert keys == ["a"]  # the trailer that was announced without chunks is no harm


def test_an_upload_that_is_cut_leaves_nothing(world: World) -> None:
    bucket = world.bucket()
    target = f"/s3/{bucket}/a"
    services = world.hub.services
    assert services is not None
    info = services.projects.by_name("alice", bucket)
    assert info is not None
    for query in ("", "upload"):
        path = target
        if query:
            begun = world.client().create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
            path = f"{target}?partNumber=1&uploadId={begun}"
        request = Signed(world, "PUT", path, sigv4.UNSIGNED)
        with socket.create_connection(("127.0.0.1", world.hub.port), timeout=30) as raw:
            head = f"PUT {path} HTTP/1.1\r\nContent-Length: {64 * MB}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
            raw.sendall(head.encode() + b"\r\n" + b"x" * 5 * MB)
        until(lambda: not services.active)
    names = [each.name for each in services.projects.tmp(info).iterdir()]
    assert names == [f"s3-{begun}"]
    assert world.client().list_parts(Bucket=bucket, Key="a", UploadId=begun).get("Parts") is None
    assert keys_of(world, bucket) == []


def test_who_asks_too_often_is_slowed_down(tmp_path: Path) -> None:
    with hub(tmp_path, rate=0.01, burst=6.0) as running:
        s3 = World(running).client()
        for _ in range(2):
            s3.list_buckets()
        with pytest.raises(s3.exceptions.ClientError) as caught:
            for _ in range(6):
                s3.list_buckets()
        answer = caught.value.response
        assert answer["Error"]["Code"] == "SlowDown"
        assert int(answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) > 1


def test_what_is_refused_is_refused_before_its_body(world: World) -> None:
    for target, code in (
        ("/s3/nothing/a", "NoSuchBucket"),
        ("/s3/nothing/../x", "NoSuchBucket"),
        ("/s3/a%00b/x", "NoSuchBucket"),
        ("/s3/%2e%2e/x", "NoSuchBucket"),
    ):
        request = Signed(world, "PUT", target, sigv4.UNSIGNED)
        headers = {**request.headers, "Content-Length": str(1 << 39)}
        assert send(world, "PUT", target, headers)[:2] == (404, code)


def peak() -> int:
    """The most memory that this process took since it was reset, in MB."""
    text = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) >> 10


def test_memory_stays_flat(world: World) -> None:
    """Both ends are in this process, and none of them holds the object."""
    bucket = world.bucket()
    target = f"/s3/{bucket}/large"
    size = 128
    pattern = os.urandom(MB)
    request = Signed(world, "PUT", target, sigv4.UNSIGNED)

    def pieces() -> Iterator[bytes]:
        for number in range(size):
            yield number.to_bytes(8, "big") + pattern[8:]

    warm = Signed(world, "PUT", f"{target}0", b"x")
    assert send(world, "PUT", f"{target}0", warm.headers, b"x")[0] == 200
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    headers = {**request.headers, "Content-Length": str(size * MB)}
    assert send(world, "PUT", target, headers, pieces())[0] == 200
    body = world.client().get_object(Bucket=bucket, Key="large")["Body"]
    for wanted in pieces():
        assert body.read(MB) == wanted
    assert body.read() == b""
    assert peak() - before < 80


METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]
WORDS = [
    "acl", "delete", "uploads", "uploadId", "partNumber", "versionId", "tagging", "list-type",
    "prefix", "delimiter", "max-keys", "marker", "continuation-token", "encoding-type", "versions",
    "key-marker", "version-id-marker", "location", "policy", "select", "X-Amz-Signature",
]  # fmt: skip
HEADERS = [
    "range", "if-match", "if-none-match", "if-modified-since", "x-amz-copy-source", "content-md5",
    "x-amz-copy-source-range", "x-amz-tagging", "x-amz-metadata-directive", "x-amz-meta-x",
    "x-amz-trailer", "x-amz-decoded-content-length", "content-encoding", "x-amz-checksum-crc32",
    "expires", "content-type",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(["", "0", "1", "-1", "url", "/", "*", "a/b?versionId=x", "bytes=0-", "null"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12),
)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(METHODS),
    st.lists(st.text(max_size=6), max_size=3),
    st.dictionaries(st.sampled_from(WORDS), TEXTS, max_size=3),
    st.dictionaries(st.sampled_from(HEADERS), TEXTS, max_size=3),
    st.binary(max_size=40),
)
def test_nothing_makes_the_hub_stumble(
    world: World,
    method: str,
    names: list[str],
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
) -> None:
    if not hasattr(test_nothing_makes_the_hub_stumble, "bucket"):
        test_nothing_makes_the_hub_stumble.bucket = world.bucket()  # type: ignore[attr-defined]
    bucket = test_nothing_makes_the_hub_stumble.bucket  # type: ignore[attr-defined]
    path = "/".join(quote(name.encode("utf-8", "replace"), safe="") for name in names)
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    given_headers = {
        "Host": "hub",
        "Authorization": f"Bearer {world.hub.user('alice')[1]}",
        **{name: value.encode("latin-1").decode("latin-1") for name, value in headers.items()},
    }
    status, code, answer = send(world, method, f"/s3/{bucket}/{path}?{text}", given_headers, body)
    assert status < 500 or (status == 501 and (code == "NotImplemented" or method == "HEAD"))
    assert b"Traceback" not in answer


def test_a_bucket_is_listed_while_it_is_written(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    stop = threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not stop.is_set():
            seen.append(len(keys_of(world, bucket)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for number in range(12):
            s3.put_object(Bucket=bucket, Key=f"f/{number}", Body=b"x")
            assert f"f/{number}" in keys_of(world, bucket)
    finally:
        stop.set()
        thread.join(30)
    assert seen == sorted(seen)
