# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Signature Version 4 of AWS, the server's side of it: who signed a request, and whether it is so.

Nothing here does any input or output: a :class:`Request` says what arrived, :func:`parse` finds the
signature in it, and :meth:`Signature.check` proves it once the secret is known.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from .errors import S3Error

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=15)
LONGEST = 7 * 24 * 3600
"""Seconds that a presigned address is good for, at most."""

UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMED = frozenset({STREAMING, STREAMING_TRAILER, STREAMING_UNSIGNED_TRAILER})
EMPTY = hashlib.sha256(b"").hexdigest()

_TIME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_SPACES = re.compile(r" +")
SIGNING = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    }
)
"""Parameters of an address that its signature consists of."""


@dataclass(frozen=True)
class Request:
    """What a signature is made over.

    Attributes
    ----------
    path
        As it was sent, percent signs and all, without the query.
    query
        As it was sent, without the question mark.
    headers
        Every header, in the order in which they came.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]

    def header(self, name: str) -> str | None:
        """Return a header's value, several of them joined by commas as they are signed."""
        wanted = name.lower()
        found = [_SPACES.sub(" ", v.strip()) for n, v in self.headers if n.lower() == wanted]
        return ",".join(found) if found else None


@dataclass(frozen=True)
class Scope:
    """Where and when a signature is good: ``DATE/REGION/SERVICE/aws4_request``."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    def key(self, secret: str) -> bytes:
        """Return the signing key, 32 bytes."""
        key = f"AWS4{secret}".encode()
        for part in (self.date, self.region, self.service, "aws4_request"):
            key = sign(key, part)
        return key


@dataclass(frozen=True)
class Signature:
    """A signature that came with a request, not proven yet.

    Attributes
    ----------
    payload
        What stands for the body in the signature: its SHA-256 in hex, or a constant from above.
    """

    access_key: str
    scope: Scope
    time: str
    signed_headers: tuple[str, ...]
    value: str
    payload: str
    presigned: bool
    request: Request = field(repr=False)

    def check(self, secret: str, prefix: str = "") -> bytes:
        """Prove the signature; return the signing key, which chunks of the body are signed with.

        Parameters
        ----------
        prefix
            What paths of the service begin with. Some clients take it for a part of the host's
            name, and sign ``HOST/s3`` and ``/bucket`` instead of ``HOST`` and ``/s3/bucket``.

        Raises
        ------
        S3Error
            SignatureDoesNotMatch.
        """
        key = self.scope.key(secret)
        for request in (self.request, _with_prefix_in_host(self.request, prefix)):
            if request is not None and hmac.compare_digest(
                self._expected(key, request).encode(), self.value.encode("utf-8", "replace")
            ):
                return key
        raise S3Error(
            "SignatureDoesNotMatch",
            "The signature of the request is not the one that this hub computes. Check the "
            "secret access key, and that no proxy changes the request's path or Host header.",
            AWSAccessKeyId=self.access_key,
        )

    def _expected(self, key: bytes, request: Request) -> str:
        canonical = canonical_request(
            request, self.signed_headers, self.payload, presigned=self.presigned
        )
        return sign(key, string_to_sign(self.time, self.scope, canonical)).hex()


def parse(request: Request, now: datetime, *, service: str = "s3") -> Signature | None:
    """Find the signature of a request; None if there is none, as with anonymous requests.

    Raises
    ------
    S3Error
        If there is one that can never be right: malformed, outdated, of another kind.
    """
    authorization = request.header("Authorization")
    query = split_query(request.query)
    names = {name for name, _ in query}
    if "X-Amz-Signature" in names or "X-Amz-Algorithm" in names:
        if authorization is not None:
            raise S3Error(
                "InvalidRequest",
                "Only one way of signing is allowed: the request has a signed address and an "
                "Authorization header.",
            )
        return _presigned(request, query, now, service)
    if "Signature" in names and "AWSAccessKeyId" in names:
        raise _old_version()
    if authorization is None:
        return None
    return _signed(request, authorization, now, service)


def _signed(request: Request, authorization: str, now: datetime, service: str) -> Signature:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _old_version()
    parts = dict(_PART.findall(rest))
    if len(parts) != 3:
        raise _malformed("It needs Credential, SignedHeaders and Signature.")
    time = request.header("X-Amz-Date")
    if time is None or not _TIME.fullmatch(time):
        raise S3Error(
            "AccessDenied", "A signed request needs an X-Amz-Date header like 20260102T030405Z."
        )
    payload = request.header("X-Amz-Content-SHA256")
    if payload is None:
        raise S3Error(
            "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
        )
    if payload not in STREAMED and payload != UNSIGNED and not _HEX.fullmatch(payload):
        raise S3Error(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- value that this hub knows "
            "or the SHA-256 of the body in hex.",
            ArgumentName="x-amz-content-sha256",
        )
    access_key, scope = _credential(parts["Credential"], time, service, _malformed)
    _require_near(_moment(time), now)
    signed = _signed_headers(request, parts["SignedHeaders"])
    return Signature(access_key, scope, time, signed, parts["Signature"], payload, False, request)


def _presigned(
    request: Request, query: Sequence[tuple[str, str]], now: datetime, service: str
) -> Signature:
    values: dict[str, str] = {}
    hashed = UNSIGNED
    for name, value in query:
        if name in SIGNING:
            if name in values:
                raise _bad_query(f"{name} is given twice.")
            values[name] = value
        elif name == "X-Amz-Content-Sha256":
            hashed = value
    missing = SIGNING - values.keys()
    if missing:
        raise _bad_query(f"These are missing: {', '.join(sorted(missing))}.")
    if values["X-Amz-Algorithm"] != ALGORITHM:
        raise _bad_query(f"X-Amz-Algorithm only supports {ALGORITHM}.")
    time = values["X-Amz-Date"]
    if not _TIME.fullmatch(time):
        raise _bad_query("X-Amz-Date must look like 20260102T030405Z.")
    expires = values["X-Amz-Expires"]
    if not re.fullmatch(r"\d{1,7}", expires, re.ASCII) or not 1 <= int(expires) <= LONGEST:
        raise _bad_query(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST}.")
    access_key, scope = _credential(values["X-Amz-Credential"], time, service, _bad_query)
    made = _moment(time)
    if now < made - SKEW:
        raise S3Error("AccessDenied", "The signed address is not valid yet. Check your clock.")
    if now > made + timedelta(seconds=int(expires)):
        raise S3Error(
            "AccessDenied",
            "Request has expired. Ask whoever gave you this address for a new one.",
            Expires=(made + timedelta(seconds=int(expires))).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
    payload = request.header("X-Amz-Content-SHA256") or hashed
    if payload != UNSIGNED and not _HEX.fullmatch(payload):
        raise _bad_query("Chunks cannot be signed with an address that is signed itself.")
    signed = _signed_headers(request, values["X-Amz-SignedHeaders"], presigned=True)
    value = values["X-Amz-Signature"]
    return Signature(access_key, scope, time, signed, value, payload, True, request)


def _credential(
    text: str, time: str, service: str, error: Callable[[str], S3Error]
) -> tuple[str, Scope]:
    parts = text.split("/")
    if (
        len(parts) != 5
        or parts[4] != "aws4_request"
        or not all(parts)
        or not (text.isascii() and text.isprintable())
    ):
        raise error("The credential must be KEY/DATE/REGION/s3/aws4_request.")
    access_key, date, region, named, _ = parts
    if named != service:
        raise error(f"The credential is for the service {named[:40]!r}, not for {service!r}.")
    if date != time[:8]:
        raise error("The credential's date is not that of the request.")
    return access_key, Scope(date, region, named)


def _signed_headers(request: Request, text: str, *, presigned: bool = False) -> tuple[str, ...]:
    """Return the names of signed headers. Raise if one is missing that must be signed."""
    names = tuple(text.split(";"))
    if "host" not in names:
        raise S3Error("AccessDenied", "The Host header must be signed.")
    known = set(names)
    for name, _ in request.headers:
        lower = name.lower()
        if lower.startswith("x-amz-") and lower not in known and lower != "x-amz-content-sha256":
            raise S3Error(
                "AccessDenied",
                "There were headers present in the request which were not signed.",
                HeadersNotSigned=lower,
            )
        if lower == "x-amz-content-sha256" and lower not in known and presigned:
            # its value would count and nobody has vouched for it
            raise S3Error("AccessDenied", "x-amz-content-sha256 must be signed.")
    return names


def canonical_request(
    request: Request, signed_headers: Sequence[str], payload: str, *, presigned: bool = False
) -> str:
    """Return the text that stands for a request: the same on both sides whatever the spelling."""
    lines = [request.method, canonical_path(request.path)]
    lines.append(canonical_query(request.query, without_signature=presigned))
    lines += [f"{name}:{request.header(name) or ''}" for name in signed_headers]
    return "\n".join([*lines, "", ";".join(signed_headers), payload])


def canonical_path(path: str) -> str:
    """Return a path with every byte encoded as AWS does it; nothing is normalised, as S3 asks."""
    return quote(_unquoted(path or "/"), safe="/-_.~")


def canonical_query(query: str, *, without_signature: bool = False) -> str:
    """Return a query string sorted and encoded as AWS does it."""
    pairs = []
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        raw = _query_bytes(name)
        if without_signature and raw == b"X-Amz-Signature":
            continue
        pairs.append((quote(raw, safe="-_.~"), quote(_query_bytes(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def split_query(query: str) -> list[tuple[str, str]]:
    """Return the names and values of a query string, decoded.

    Raises
    ------
    S3Error
        InvalidURI for what is not UTF-8.
    """
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_text(_query_bytes(name)), _text(_query_bytes(value))))
    return pairs


def decoded_path(path: str) -> str:
    """Return a percent-encoded path decoded. Raise S3Error (InvalidURI) if it is not UTF-8."""
    return _text(_unquoted(path))


def _query_bytes(text: str) -> bytes:
    """Return a part of a query decoded; a plus sign is a space, for the signature as well."""
    return _unquoted(text.replace("+", " "))


def _unquoted(text: str) -> bytes:
    # bytes that are not UTF-8 came as surrogate escapes
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape"))


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise S3Error("InvalidURI", "The address is not UTF-8 once it is decoded.") from None


def string_to_sign(time: str, scope: Scope, canonical: str) -> str:
    """Return what is signed: algorithm, time, scope and the digest of the canonical request."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{time}\n{scope}\n{digest}"


def _with_prefix_in_host(request: Request, prefix: str) -> Request | None:
    if not prefix or not request.path.startswith(f"{prefix}/"):
        return None
    headers = [
        (name, value.removesuffix(prefix) + prefix if name.lower() == "host" else value)
        for name, value in request.headers
    ]
    path = request.path.removeprefix(prefix)
    return Request(request.method, path, request.query, headers)


def sign(key: bytes, text: str) -> bytes:
    """Return the HMAC-SHA256 of a text, 32 bytes."""
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256")


def _moment(time: str) -> datetime:
    try:
        return datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise S3Error("AccessDenied", "X-Amz-Date is not a date.") from None


def _require_near(made: datetime, now: datetime) -> None:
    if abs(now - made) > SKEW:
        raise S3Error(
            "RequestTimeTooSkewed",
            "The difference between the request time and the hub's time is too large. Set the "
            "clock of your computer.",
            RequestTime=made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            ServerTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            MaxAllowedSkewMilliseconds=str(int(SKEW.total_seconds() * 1000)),
        )


def _malformed(message: str) -> S3Error:
    return S3Error(
        "AuthorizationHeaderMalformed", f"The Authorization header is malformed. {message}"
    )


def _bad_query(message: str) -> S3Error:
    return S3Error("AuthorizationQueryParametersError", message)


def _old_version() -> S3Error:
    return S3Error(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use "
        "AWS4-HMAC-SHA256. For signed addresses boto3 and aws-cli want to be told: "
        "signature_version = s3v4.",
    )
