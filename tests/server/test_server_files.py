# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The bytes of a commit's files: whole, in ranges, by odd names, and safe in a browser."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from server_helpers import DIGITS
from tornado.httpclient import HTTPClientError

from dotscience_jupyter.api import ApiError
from dotscience_jupyter.server.handlers import files
from dotscience_jupyter.server.handlers.files import parse_range


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=3-", (3, 10)),
        ("bytes=3-99", (3, 10)),
        ("bytes=-4", (6, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=1-2,4-5", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
        ("", None),
    ],
)
def test_ranges(header, wanted):
    assert parse_range(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_ranges_that_are_not_there(header):
    with pytest.raises(ValueError):
        parse_range(header, 10)


async def test_listing(api, tracked):
    status, body = await api("v1/commits/HEAD/files", path="project")
    assert status == 200
    items = {item["name"]: item for item in body["items"]}
    assert items["odd"]["kind"] == "folder"
    assert (items["data.csv"]["kind"], items["data.csv"]["size"]) == ("file", 8)
    assert ".dotscience" not in items
    _, body = await api("v1/commits/HEAD/files", path="project", under="odd")
    assert {item["name"] for item in body["items"]} == {"ä b#?%.txt", "new\nline", r"\xff"}
    assert {item["path"] for item in body["items"]} >= {r"odd/\xff"}
    for under, expected in (("missing", 404), ("data.csv", 400), ("../..", 403)):
        status, _ = await api("v1/commits/HEAD/files", path="project", under=under)
        assert status == expected


async def test_a_whole_file(api, tracked):
    status, body, headers = await api.raw("v1/commits/HEAD/files/digits.bin", path="project")
    assert (status, body == DIGITS) == (200, True)
    assert headers["Content-Length"] == str(len(DIGITS))
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Type"] == "application/octet-stream"


async def test_nothing_runs_in_the_browser(api, tracked):
    _, _, headers = await api.raw("v1/commits/HEAD/files/page.html", path="project")
    assert headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_odd_names(http_server_client, jp_auth_header, jp_base_url, tracked):
    """Slashes may be percent-encoded, as OpenAPI clients do, or not."""
    for name, content in (
        ("odd/ä b#?%.txt", b"odd"),
        ("odd/new\nline", b"odder"),
        (r"odd/\xff", b"oddest"),
        ("data.csv", b"a,b\n1,2\n"),
    ):
        for safe in ("/", ""):
            response = await http_server_client.fetch(
                f"{jp_base_url}dotscience/v1/commits/HEAD/files/{quote(name, safe=safe)}"
                "?path=project",
                headers=jp_auth_header,
            )
            assert response.body == content
            assert "\n" not in response.headers["Content-Disposition"]


async def test_ranges_of_a_file(api, tracked):
    path = "v1/commits/HEAD/files/digits.bin"
    for header, start, stop in (
        ("bytes=0-9", 0, 10),
        ("bytes=999990-", 999_990, 1_000_000),
        ("bytes=-5", 999_995, 1_000_000),
        ("bytes=300000-700000", 300_000, 700_001),
    ):
        status, body, headers = await api.raw(path, headers={"Range": header}, path="project")
        assert (status, body == DIGITS[start:stop]) == (206, True)
        assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/1000000"
    status, body, headers = await api.raw(path, headers={"Range": "bytes=1000000-"}, path="project")
    assert status == 416
    assert headers["Content-Range"] == "bytes */1000000"
    assert json.loads(body)["code"] == "invalid_range"


async def test_revalidation(api, tracked):
    path = "v1/commits/HEAD/files/data.csv"
    _, _, headers = await api.raw(path, path="project")
    etag = headers["Etag"]
    status, body, _ = await api.raw(path, headers={"If-None-Match": etag}, path="project")
    assert (status, body) == (304, b"")
    status, _, _ = await api.raw(path, headers={"If-None-Match": '"other"'}, path="project")
    assert status == 200
    # a range of what it was before is of no use when the file is another one now
    for condition, expected in ((etag, 206), ('"other"', 200)):
        status, _, _ = await api.raw(
            path, headers={"Range": "bytes=0-1", "If-Range": condition}, path="project"
        )
        assert status == expected


async def test_head(api, tracked):
    path = "v1/commits/HEAD/files/digits.bin"
    status, body, headers = await api.raw(path, method="HEAD", path="project")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == "1000000"
    assert headers["Etag"]
    status, _, _ = await api.raw("v1/commits/HEAD/files/none", method="HEAD", path="project")
    assert status == 404


async def test_an_empty_file(api, tracked):
    tracked.write("empty", b"")
    tracked.commit()
    status, body, headers = await api.raw("v1/commits/HEAD/files/empty", path="project")
    assert (status, body, headers["Content-Length"]) == (200, b"", "0")
    status, _, _ = await api.raw(
        "v1/commits/HEAD/files/empty", headers={"Range": "bytes=0-"}, path="project"
    )
    assert status == 416


async def test_what_is_no_file(http_server_client, jp_auth_header, jp_base_url, tracked):
    for file, status, code in (
        ("missing", 404, "not_found"),
        ("odd", 400, "invalid_request"),
        ("link", 400, "invalid_request"),
        ("%2e%2e%2f%2e%2e%2fetc%2fpasswd", 403, "forbidden_path"),
        ("a/%2e%2e/%2e%2e/x", 403, "forbidden_path"),
        ("%2fetc%2fpasswd", 403, "forbidden_path"),
        ("a%00b", 400, "invalid_request"),
        ("%ff", 400, "invalid_request"),
    ):
        response = await http_server_client.fetch(
            f"{jp_base_url}dotscience/v1/commits/HEAD/files/{file}?path=project",
            headers=jp_auth_header,
            raise_error=False,
        )
        answer = (response.code, json.loads(response.body)["code"])
        assert answer == (status, code), file


async def test_a_damaged_store_is_said_so(api, tracked):
    for path in (tracked.root / ".dotscience" / "store").rglob("*"):
        if path.is_file() and path.stat().st_size > 500_000:
            path.chmod(0o600)
            path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    status, body, headers = await api.raw("v1/commits/HEAD/files/digits.bin", path="project")
    assert (status, json.loads(body)["code"]) == (500, "unreadable")
    assert "Etag" not in headers
    # what is not damaged is still there
    status, _, _ = await api.raw("v1/runs", path="project")
    assert status == 200


async def test_damage_further_on_cuts_the_connection(api, tracked, monkeypatch):
    """Bytes that are not what was stored are never sent as if they were."""
    read = files._read
    pieces: list[bytes] = []

    def broken(*args):
        if pieces:
            raise ApiError(500, "unreadable", "The second piece is damaged.")
        pieces.append(read(*args))
        return pieces[0]

    monkeypatch.setattr(files, "_read", broken)
    with pytest.raises((OSError, HTTPClientError)) as caught:
        await api.raw("v1/commits/HEAD/files/digits.bin", path="project")
    assert getattr(caught.value, "code", 599) == 599
    assert len(pieces) == 1
