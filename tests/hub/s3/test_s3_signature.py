# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Signature V4 against the examples that AWS has published, and against what botocore signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from dotscience_jupyter.hub.s3 import sigv4
from dotscience_jupyter.hub.s3.chunked import ChunkedDecoder, ChunkSigner
from dotscience_jupyter.hub.s3.errors import S3Error
from dotscience_jupyter.hub.s3.sigv4 import Request, Scope, parse

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
THEN = datetime(2013, 5, 24, tzinfo=UTC)
DATE = "20130524T000000Z"
HOST = "examplebucket.s3.amazonaws.com"
CREDENTIAL = f"{KEY}/20130524/us-east-1/s3/aws4_request"


def signed(
    method: str,
    path: str,
    query: str,
    signature: str,
    *more: tuple[str, str],
    payload: str = sigv4.EMPTY,
    host: str = HOST,
) -> Request:
    headers = [("Host", host), ("x-amz-date", DATE), ("x-amz-content-sha256", payload), *more]
    names = ";".join(sorted(name.lower() for name, _ in headers))
    text = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={names},Signature={signature}"
    return Request(method, path, query, [*headers, ("Authorization", text)])


WELCOME = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
SEED_TRAILER = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
CHUNKED = [
    ("Content-Encoding", "aws-chunked"),
    ("Content-Length", "66824"),
    ("x-amz-decoded-content-length", "66560"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
]
TRAILING = [
    ("Content-Encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "66560"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ("x-amz-trailer", "x-amz-checksum-crc32c"),
]

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html,
# sigv4-streaming.html and sigv4-streaming-trailers.html
EXAMPLES = {
    "get": signed(
        "GET",
        "/test.txt",
        "",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ("Range", "bytes=0-9"),
    ),
    "put": signed(
        "PUT",
        "/test$file.text",
        "",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        payload=WELCOME,
    ),
    "lifecycle": signed(
        "GET",
        "/",
        "lifecycle",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list": signed(
        "GET",
        "/",
        "max-keys=2&prefix=J",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
    "chunks": signed(
        "PUT",
        "/examplebucket/chunkObject.txt",
        "",
        SEED,
        *CHUNKED,
        payload=sigv4.STREAMING,
        host="s3.amazonaws.com",
    ),
    "chunks and trailer": signed(
        "PUT",
        "/examplebucket/chunkObject.txt",
        "",
        SEED_TRAILER,
        *TRAILING,
        payload=sigv4.STREAMING_TRAILER,
        host="s3.amazonaws.com",
    ),
}
PRESIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"
    "%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


def code(request: Request, now: datetime = THEN, secret: str = SECRET) -> str:
    with pytest.raises(S3Error) as caught:
        found = parse(request, now)
        assert found is not None
        found.check(secret)
    return caught.value.code


@pytest.mark.parametrize("name", EXAMPLES)
def test_published_examples_are_right_and_anything_else_is_not(name: str) -> None:
    request = EXAMPLES[name]
    found = parse(request, THEN)
    assert found is not None
    assert (found.access_key, str(found.scope)) == (KEY, CREDENTIAL.partition("/")[2])
    found.check(SECRET)
    assert code(request, secret=SECRET[:-1]) == "SignatureDoesNotMatch"
    other = Request("DELETE", request.path, request.query, request.headers)
    assert code(other) == "SignatureDoesNotMatch"
    other = Request(request.method, request.path + "x", request.query, request.headers)
    assert code(other) == "SignatureDoesNotMatch"
    other = Request(request.method, request.path, request.query + "&x=1", request.headers)
    assert code(other) == "SignatureDoesNotMatch"
    for place, (header, value) in enumerate(request.headers):
        if header in ("x-amz-date", "Authorization", "x-amz-content-sha256"):
            continue
        headers = list(request.headers)
        headers[place] = (header, value + "1")
        other = Request(request.method, request.path, request.query, headers)
        assert code(other) == "SignatureDoesNotMatch", header


def test_published_presigned_example() -> None:
    request = Request("GET", "/test.txt", PRESIGNED, [("Host", HOST)])
    for seconds in (0, 86400, -600):
        found = parse(request, THEN + timedelta(seconds=seconds))
        assert found is not None and found.presigned and found.payload == sigv4.UNSIGNED
        found.check(SECRET)
    assert code(request, THEN + timedelta(seconds=86401)) == "AccessDenied"
    assert code(request, THEN - timedelta(minutes=16)) == "AccessDenied"
    assert code(Request("PUT", "/test.txt", PRESIGNED, [("Host", HOST)])) == "SignatureDoesNotMatch"
    longer = PRESIGNED.replace("86400", "86401")
    assert code(Request("GET", "/test.txt", longer, [("Host", HOST)])) == "SignatureDoesNotMatch"


def test_a_prefix_may_be_signed_as_a_part_of_the_host() -> None:
    """That is how s3cmd does it; host and path together are the same."""
    scope = Scope("20130524", "us-east-1", "s3")
    names = ["host", "x-amz-content-sha256", "x-amz-date"]

    def request(host: str, path: str, *more: tuple[str, str]) -> Request:
        headers = [("Host", host), ("x-amz-date", DATE), ("x-amz-content-sha256", sigv4.EMPTY)]
        return Request("GET", path, "", [*headers, *more])

    canonical = sigv4.canonical_request(request("hub:1/s3", "/b/k"), names, sigv4.EMPTY)
    text = sigv4.string_to_sign(DATE, scope, canonical)
    value = sigv4.sign(scope.key(SECRET), text).hex()
    proof = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={';'.join(names)},"
    proof += f"Signature={value}"
    for path, host, good in (
        ("/s3/b/k", "hub:1", True),
        ("/s3/b/k", "hub:2", False),
        ("/s3/b/l", "hub:1", False),
        ("/s3/s3/b/k", "hub:1", False),
        ("/b/k", "hub:1", False),
    ):
        found = parse(request(host, path, ("Authorization", proof)), THEN)
        assert found is not None
        if good:
            found.check(SECRET, "/s3")
        else:
            with pytest.raises(S3Error):
                found.check(SECRET, "/s3")
        with pytest.raises(S3Error):
            found.check(SECRET)


def test_vanilla_example_of_the_test_suite() -> None:
    scope = Scope("20150830", "us-east-1", "service")
    request = Request(
        "GET", "/", "", [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")]
    )
    canonical = sigv4.canonical_request(request, ["host", "x-amz-date"], sigv4.EMPTY)
    text = sigv4.string_to_sign("20150830T123600Z", scope, canonical)
    key = scope.key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    assert (
        sigv4.sign(key, text).hex()
        == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


FIRST = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
SECOND = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
LAST = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
T_FIRST = "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"
T_SECOND = "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"
T_LAST = "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"


def chunk(size: int, signature: str) -> bytes:
    return f"{size:x};chunk-signature={signature}\r\n".encode() + b"a" * size + b"\r\n"


def decoder(name: str, trailers: frozenset[str] = frozenset()) -> ChunkedDecoder:
    found = parse(EXAMPLES[name], THEN)
    assert found is not None
    return ChunkedDecoder(ChunkSigner(found, found.check(SECRET)), trailers)


BODY = chunk(65536, FIRST) + chunk(1024, SECOND) + chunk(0, LAST)


@pytest.mark.parametrize("step", [7, 1000, 65536, 100_000])
def test_published_example_of_chunks(step: int) -> None:
    reader = decoder("chunks")
    body = BODY
    found = []
    for start in range(0, len(body), step):
        found += reader.feed(body[start : start + step])
    reader.finish()
    assert len(BODY) == 66824 and b"".join(found) == b"a" * 66560


def test_chunks_that_were_changed_moved_repeated_or_cut() -> None:
    first, second, last = chunk(65536, FIRST), chunk(1024, SECOND), chunk(0, LAST)
    bad = {
        "changed": first.replace(b"aaa", b"aab", 1) + second + last,
        "repeated": first + first + second + last,
        "moved": second + first + last,
        "left out": first + last,
        "other head": first + second.replace(b"400;", b"3ff;") + last,
        "not signed": b"10000\r\n" + b"a" * 65536 + b"\r\n0\r\n\r\n",
        "more after the end": BODY + b"x",
    }
    for name, body in bad.items():
        with pytest.raises(S3Error) as caught:
            reader = decoder("chunks")
            reader.feed(body)
            reader.finish()
        assert caught.value.code in ("SignatureDoesNotMatch", "InvalidRequest"), name
    for cut in (0, 10, 70, 65000, len(first), len(BODY) - 90, len(BODY) - 1):
        reader = decoder("chunks")
        reader.feed(BODY[:cut])
        with pytest.raises(S3Error) as caught:
            reader.finish()
        assert caught.value.code == "IncompleteBody"


TRAILER = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"


def test_published_example_of_trailing_headers() -> None:
    names = frozenset({"x-amz-checksum-crc32c"})
    start = chunk(65536, T_FIRST) + chunk(1024, T_SECOND)
    start += f"0;chunk-signature={T_LAST}\r\n".encode()
    lines = b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    proof = f"x-amz-trailer-signature:{TRAILER}\r\n".encode()
    reader = decoder("chunks and trailer", names)
    assert b"".join(reader.feed(start + lines + proof + b"\r\n")) == b"a" * 66560
    reader.finish()
    assert reader.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}
    bad = {
        "changed": lines.replace(b"sOO8", b"sOO9") + proof,
        "not proven": lines,
        "only proof": proof,
        "after the proof": proof + lines,
        "another": lines + b"x-amz-meta-a: b\r\n" + proof,
        "twice": lines + lines + proof,
    }
    for name, trailer in bad.items():
        with pytest.raises(S3Error):
            reader = decoder("chunks and trailer", names)
            reader.feed(start + trailer + b"\r\n")
            reader.finish()
            raise AssertionError(name)


def test_chunks_without_signatures() -> None:
    names = frozenset({"x-amz-checksum-crc32"})
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    for step in (1, 3, 100):
        reader = ChunkedDecoder(None, names)
        found = [
            piece for at in range(0, len(body), step) for piece in reader.feed(body[at : at + step])
        ]
        reader.finish()
        assert b"".join(found) == b"hello"
        assert reader.trailers == {"x-amz-checksum-crc32": "NhCmhg=="}
    for bad in (
        b"zz\r\n",
        b"-5\r\nhello",
        b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello",
        b"5\r\nhelloo\r\n",
        b"5" * 17 + b"\r\n",
        b"ffffffffffffffff\r\n",
        b"0" * 5000,
        b"1\r\na\r\n" * 100,
        b"0\r\nx-amz-trailer-signature:00\r\n\r\n",
    ):
        reader = ChunkedDecoder(None, names)
        with pytest.raises(S3Error):
            reader.feed(bad)


CREDENTIALS = Credentials(KEY, SECRET)


def botocore_request(url: str, method: str, signer: type, **headers: str) -> Request:
    request = AWSRequest(method=method, url=url, headers=headers)
    options = {"expires": 60} if signer is S3SigV4QueryAuth else {}
    signer(CREDENTIALS, "s3", "eu-west-1", **options).add_auth(request)
    prepared = urlsplit(request.prepare().url)
    given = [("Host", prepared.netloc)]
    given += [(k, v) for k, v in request.headers.items() if k.lower() != "host"]
    return Request(method, prepared.path, prepared.query, given)


@settings(max_examples=20, deadline=None)
@given(
    st.text(min_size=1, max_size=30), st.dictionaries(st.text(min_size=1), st.text(), max_size=3)
)
def test_what_botocore_signs_is_right(key: str, query: dict[str, str]) -> None:
    key = key.encode("utf-8", "replace").decode()
    text = "&".join(
        "=".join(quote(part.encode("utf-8", "replace"), safe="") for part in (n, v))
        for n, v in query.items()
        if not n.startswith("X-Amz-")
    )
    url = f"http://hub.example:8000/s3/bucket/{quote(key, safe='~/')}" + (
        f"?{text}" if text else ""
    )
    for signer in (S3SigV4Auth, S3SigV4QueryAuth):
        request = botocore_request(url, "PUT", signer)
        found = parse(request, datetime.now(UTC))
        assert found is not None
        found.check(SECRET)


def changed(request: Request, **headers: str | None) -> Request:
    names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    kept = [(name, value) for name, value in request.headers if name.lower() not in names]
    kept += [(name, value) for name, value in names.items() if value is not None]
    return Request(request.method, request.path, request.query, kept)


def test_what_can_never_be_right() -> None:
    request = EXAMPLES["get"]
    authorization = request.header("Authorization")
    assert authorization is not None
    assert parse(changed(request, authorization=None), THEN) is None  # anonymous
    other_host = changed(request, host="examplebucket.s3.amazonaws.com/s3")
    assert code(other_host) == "SignatureDoesNotMatch"
    skewed = timedelta(minutes=15, seconds=1)
    assert code(request, THEN + skewed) == "RequestTimeTooSkewed"
    assert code(request, THEN - skewed) == "RequestTimeTooSkewed"
    for moment in (THEN + timedelta(minutes=15), THEN - timedelta(minutes=15)):
        assert parse(request, moment) is not None

    def with_text(old: str, new: str) -> str:
        assert old in authorization
        return code(changed(request, authorization=authorization.replace(old, new)))

    assert with_text("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256") == "InvalidRequest"
    assert code(changed(request, authorization=f"AWS {KEY}:abc=")) == "InvalidRequest"
    assert with_text("Signature=", "Sig=") == "AuthorizationHeaderMalformed"
    assert with_text("/s3/", "/ec2/") == "AuthorizationHeaderMalformed"
    assert with_text("/20130524/", "/20130525/") == "AuthorizationHeaderMalformed"
    assert with_text("/aws4_request", "/aws5_request") == "AuthorizationHeaderMalformed"
    assert with_text("us-east-1/s3", "us-east-1/a/s3") == "AuthorizationHeaderMalformed"
    assert with_text("host;", "") == "AccessDenied"
    assert with_text("Signature=f0e8", "Signature=äöü") == "SignatureDoesNotMatch"
    assert code(changed(request, x_amz_date=None)) == "AccessDenied"
    assert code(changed(request, x_amz_date="20139999T000000Z")) != "SignatureDoesNotMatch"
    assert code(changed(request, x_amz_content_sha256=None)) == "InvalidRequest"
    assert code(changed(request, x_amz_content_sha256="STREAMING-AWS4-ECDSA")) == "InvalidArgument"
    assert code(changed(request, x_amz_meta_added="later")) == "AccessDenied"
    assert code(changed(request, x_amz_copy_source="/other/secret")) == "AccessDenied"

    def address(query: str) -> str:
        return code(Request("GET", "/test.txt", query, [("Host", HOST)]))

    assert address(PRESIGNED.replace("86400", "604801")) == "AuthorizationQueryParametersError"
    assert address(PRESIGNED.replace("86400", "-1")) == "AuthorizationQueryParametersError"
    assert address(PRESIGNED.replace("86400", "0")) == "AuthorizationQueryParametersError"
    assert address(PRESIGNED + "&X-Amz-Expires=9") == "AuthorizationQueryParametersError"
    assert address(PRESIGNED.partition("&")[2]) == "AuthorizationQueryParametersError"
    assert address("AWSAccessKeyId=a&Signature=b&Expires=1") == "InvalidRequest"
    assert address("X-Amz-Signature=%ff") == "InvalidURI"
    both = Request("GET", "/test.txt", PRESIGNED, request.headers)
    assert code(both) == "InvalidRequest"
    headers = [("Host", HOST), ("x-amz-content-sha256", sigv4.EMPTY)]
    assert code(Request("GET", "/test.txt", PRESIGNED, headers)) == "AccessDenied"
