# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Ranges, conditions, checksums, keys and documents, each by itself."""

from __future__ import annotations

import base64
import hashlib
import zlib
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import fromstring

import pytest
from botocore.httpchecksum import _CHECKSUM_CLS
from hypothesis import given, settings
from hypothesis import strategies as st

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.s3 import documents, errors, keys, objects, ranges
from dotscience_jupyter.hub.s3.checksums import Checksums, etag
from dotscience_jupyter.hub.s3.errors import STATUS, S3Error, of_api

MODIFIED = datetime(2026, 3, 1, 12, 0, 0, 999_000, UTC)
TAG = '"abc-b3"'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, None),
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, 100)),
        ("bytes=-7", (93, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=99-99", (99, 100)),
        ("bytes=9-5", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("chunks=0-1", None),
        (f"bytes=0-{'9' * 30}", None),
        ("bytes=٣-٤", None),
    ],
)
def test_ranges(text: str | None, wanted: tuple[int, int] | None) -> None:
    assert ranges.byte_range(text, 100) == wanted


@pytest.mark.parametrize(
    ("text", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-0", 0), ("bytes=-5", 0)]
)
def test_ranges_that_an_object_does_not_have(text: str, size: int) -> None:
    with pytest.raises(S3Error) as caught:
        ranges.byte_range(text, size)
    assert (caught.value.code, caught.value.status) == ("InvalidRange", 416)


EARLIER = ranges.http_date(MODIFIED - timedelta(days=1))
EXACT = ranges.http_date(MODIFIED)
LATER = ranges.http_date(MODIFIED + timedelta(days=1))


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, ""),
        ({"if-match": TAG}, ""),
        ({"if-match": "abc-b3"}, ""),
        ({"if-match": '"x", "abc-b3"'}, ""),
        ({"if-match": "*"}, ""),
        ({"if-match": '"x"'}, "PreconditionFailed"),
        ({"if-none-match": TAG}, "NotModified"),
        ({"if-none-match": "*"}, "NotModified"),
        ({"if-none-match": '"x"'}, ""),
        ({"if-modified-since": EARLIER}, ""),
        ({"if-modified-since": EXACT}, "NotModified"),
        ({"if-modified-since": LATER}, "NotModified"),
        ({"if-modified-since": "yesterday"}, ""),
        ({"if-unmodified-since": EARLIER}, "PreconditionFailed"),
        ({"if-unmodified-since": EXACT}, ""),
        ({"if-match": TAG, "if-unmodified-since": EARLIER}, ""),
        ({"if-none-match": '"x"', "if-modified-since": LATER}, ""),
        ({"if-none-match": TAG, "if-modified-since": EARLIER}, "NotModified"),
    ],
)
def test_conditions_of_reading(headers: dict[str, str], code: str) -> None:
    for prefix in ("", "x-amz-copy-source-"):
        given = {prefix + name: value for name, value in headers.items()}
        try:
            ranges.check_read(given, TAG, MODIFIED, prefix=prefix)
            found = ""
        except S3Error as error:
            found = error.code
        assert found == ("PreconditionFailed" if code and prefix else code)


@pytest.mark.parametrize(
    ("headers", "tag", "code"),
    [
        ({"if-none-match": "*"}, None, ""),
        ({"if-none-match": "*"}, TAG, "PreconditionFailed"),
        ({"if-none-match": TAG}, None, "NotImplemented"),
        ({"if-match": TAG}, TAG, ""),
        ({"if-match": '"x"'}, TAG, "PreconditionFailed"),
        ({"if-match": TAG}, None, "NoSuchKey"),
        ({}, TAG, ""),
    ],
)
def test_conditions_of_writing(headers: dict[str, str], tag: str | None, code: str) -> None:
    try:
        ranges.check_write(headers, tag)
        found = ""
    except S3Error as error:
        found = error.code
    assert found == code


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_time_of_a_file_is_a_date(mtime_ns: int) -> None:
    moment = ranges.moment_of(mtime_ns)
    assert ranges.http_date(moment).endswith("GMT")
    assert len(ranges.iso(moment)) == len("2026-03-01T12:00:00.999Z")


def test_dates() -> None:
    assert ranges.iso(MODIFIED) == "2026-03-01T12:00:00.999Z"
    assert EXACT == "Sun, 01 Mar 2026 12:00:00 GMT"
    assert ranges.moment_of(1_500_000_000) == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)


CONTENT = b"The quick brown fox" * 1000
GIVEN = {
    "content-md5": hashlib.md5(CONTENT).digest(),
    "x-amz-checksum-crc32": zlib.crc32(CONTENT).to_bytes(4, "big"),
    "x-amz-checksum-sha1": hashlib.sha1(CONTENT).digest(),
    "x-amz-checksum-sha256": hashlib.sha256(CONTENT).digest(),
}
for _name in ("crc32c", "crc64nvme"):
    _sum = _CHECKSUM_CLS[_name]()
    _sum.update(CONTENT)
    GIVEN[f"x-amz-checksum-{_name}"] = _sum.digest()


@pytest.mark.parametrize("name", GIVEN)
def test_checksums_are_compared(name: str) -> None:
    def taken(value: bytes, content: bytes) -> Checksums:
        found = Checksums({name: base64.b64encode(value).decode()})
        for start in range(0, len(content), 1000):
            found.update(content[start : start + 1000])
        return found

    good = taken(GIVEN[name], CONTENT)
    good.check({})
    assert good.size == len(CONTENT)
    with pytest.raises(S3Error) as caught:
        taken(GIVEN[name], CONTENT + b"x").check({})
    assert caught.value.code == "BadDigest"
    with pytest.raises(S3Error) as caught:
        Checksums({name: "AAA"})
    assert caught.value.code == "InvalidDigest"
    if name != "content-md5":
        announced = Checksums({}, "", frozenset({name}))
        announced.update(CONTENT)
        announced.check({name: base64.b64encode(GIVEN[name]).decode()})
        with pytest.raises(S3Error):
            announced.check({name: base64.b64encode(bytes(len(GIVEN[name]))).decode()})
        assert announced.answers() == {name: base64.b64encode(GIVEN[name]).decode()}


def test_the_payload_that_was_signed_is_compared() -> None:
    for content, digest in ((b"a", hashlib.sha256(b"a")), (b"b", hashlib.sha256(b"a"))):
        found = Checksums({}, digest.hexdigest())
        found.update(content)
        if content == b"a":
            found.check({})
        else:
            with pytest.raises(S3Error) as caught:
                found.check({})
            assert caught.value.code == "XAmzContentSHA256Mismatch"
    with pytest.raises(S3Error) as caught:
        Checksums({"x-amz-checksum-md6": "AAAA"})
    assert caught.value.code == "NotImplemented"
    Checksums({"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"})


def test_an_etag_is_no_md5() -> None:
    assert etag("ab" * 32) == f'"{"ab" * 16}-b3"'


GOOD = ["a", "a/b", "a/ä 🙂/c", "a b", "%2e%2e", "a\\b", "...", ".x", "a\nb", "x" * 255, "a/", "~"]
BAD = [
    "/",
    "/a",
    "a//b",
    "//",
    ".",
    "..",
    "../a",
    "a/..",
    "a/../b",
    "./a",
    "a/./b",
    "a\0b",
    "x" * 256,
    "é" * 128,
    ".dotscience/records.db",
    "a/.DOTSCIENCE/x",
    ".git/config",
    "a/.Git/hooks/x",
    "/".join("a" * 201),
    "a\ud800",
]


def test_keys_that_are_paths_and_keys_that_are_none() -> None:
    for key in GOOD:
        assert keys.require_path(key) == key.removesuffix("/")
    for key in BAD:
        assert keys.path_of(key) is None, key
        with pytest.raises(S3Error) as caught:
            keys.require_path(key)
        assert caught.value.code == "InvalidArgument"
    with pytest.raises(S3Error) as caught:
        keys.require_path("é/" * 342)
    assert caught.value.code == "KeyTooLongError"


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_no_key_leads_out_of_a_folder(key: str) -> None:
    path = keys.path_of(key)
    if path is not None:
        assert not path.startswith("/") and "\0" not in path
        assert not {"", ".", "..", ".git", ".dotscience"} & set(path.split("/"))


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")))
def test_documents_hold_any_text(text: str) -> None:
    root = fromstring(documents.render("A", [("B", text), ("C", [("D", text)])]))
    assert [each.text or "" for each in root.iter() if not len(each)] == [text, text]
    rendered = documents.render("A", [("B", text)], namespace=False)
    assert documents.child(documents.parse(rendered.encode(), "A"), "B") == text


BOMB = b"""<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<Delete><Object><Key>&c;</Key></Object></Delete>"""
OUTSIDE = b"""<!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete>&x;</Delete>"""


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        OUTSIDE,
        b"<!DOCTYPE Delete><Delete/>",
        b"",
        b"{}",
        b"<Delete>",
        b"<Other/>",
        b"<Delete/><Delete/>",
        b"\xff\xfe<\x00D",
        b"<?xml version='1.0' encoding='nothing'?><Delete/>",
        b"<Delete>&undefined;</Delete>",
    ],
)
def test_documents_that_are_refused(body: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        documents.parse(body, "Delete")
    assert caught.value.code == "MalformedXML"


def test_documents_of_clients() -> None:
    deep = documents.parse(
        b"<Delete>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</Delete>", "Delete"
    )
    assert documents.child(deep, "Key") is None
    named = documents.parse(b'<Delete xmlns="http://x/"><Key>a</Key></Delete>', "Delete")
    assert documents.require(named, "Key") == "a"
    for bad in (b"<D><Key>a</Key><Key>b</Key></D>", b"<D><Key><b/></Key></D>", b"<D/>"):
        with pytest.raises(S3Error):
            documents.require(documents.parse(bad, "D"), "Key")
    assert documents.url_encoded("a b/ä\x01+") == "a%20b/%C3%A4%01%2B"
    assert "&#x1;" in documents.render("A", "\x01")


def test_errors_of_the_hub_have_a_code_of_s3() -> None:
    for status in (400, 401, 403, 404, 405, 409, 413, 429, 500, 503, 507, 418):
        assert of_api(ApiError(status, "x", "words")).code in STATUS
    same = S3Error("NoSuchKey", "words")
    assert of_api(same) is same and same.status == 404
    assert errors.not_implemented("X").status == 501


def test_what_was_said_of_an_object() -> None:
    headers = {"content-type": "a/b", "content-encoding": "aws-chunked,gzip", "x-amz-meta-n": "é"}
    said = objects.Details.of_request(headers, {"t": "1"})
    assert said.headers == {"content-type": "a/b", "content-encoding": "gzip"}
    assert objects.Details.of_text(said.text()) == said
    assert objects.Details().text() == ""
    assert objects.Details.of_request({"content-encoding": "aws-chunked"}, {}).headers == {}
    for text in ("", "no", "[]", '{"headers": 3}', '{"meta": {"a": 1}}'):
        assert objects.Details.of_text(text) == objects.Details()
    evil = '{"headers": {"content-type": "a\\r\\nSet-Cookie: x", "set-cookie": "y"},'
    evil += '"meta": {"a b": "c", "d": "e\\n"}}'
    assert objects.Details.of_text(evil) == objects.Details()
    with pytest.raises(S3Error) as caught:
        objects.Details.of_request({"x-amz-meta-a": "b" * 2048}, {})
    assert caught.value.code == "MetadataTooLarge"
    for bad in ("a=1&a=2", "&".join(f"k{n}=v" for n in range(11)), "=v", f"{'k' * 129}=v"):
        with pytest.raises(S3Error) as caught:
            objects.tags_of(bad)
        assert caught.value.code == "InvalidTag"
    for name in ("x-amz-grant-read", "x-amz-server-side-encryption", "x-amz-object-lock-mode"):
        with pytest.raises(S3Error):
            objects.refuse_unknown({name: "x"})
    for name, value in (("x-amz-acl", "public-read"), ("x-amz-storage-class", "GLACIER")):
        with pytest.raises(S3Error):
            objects.refuse_unknown({name: value})
    objects.refuse_unknown({"x-amz-acl": "private", "x-amz-storage-class": "STANDARD"})
