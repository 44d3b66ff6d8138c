# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The checksums that S3 clients send along with a body, and what the hub itself wants to know."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from awscrt import checksums as crt
from blake3 import blake3

from .errors import S3Error, not_implemented

PREFIX = "x-amz-checksum-"


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A cyclic checksum that is computed as hashes are."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


_KINDS: dict[str, Callable[[], _Hash]] = {
    "crc32": lambda: _Crc(zlib.crc32, 4),
    "crc32c": lambda: _Crc(crt.crc32c, 4),
    "crc64nvme": lambda: _Crc(crt.crc64nvme, 8),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}
_NOT_NAMES = frozenset({"algorithm", "type", "mode"})


class Checksums:
    """All that has to be computed over one body while it arrives.

    Parameters
    ----------
    headers
        The request's headers, names in lower case.
    payload
        The SHA-256 in hex that the request's signature was made with, or "".
    announced
        Headers that come after the body.
    md5
        Whether the MD5 is wanted.

    Raises
    ------
    S3Error
        NotImplemented for checksums that are not known, InvalidDigest for ones that are none.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        payload: str = "",
        announced: frozenset[str] = frozenset(),
        *,
        md5: bool = False,
    ) -> None:
        self.size = 0
        self._blake = blake3()
        self._payload = (hashlib.sha256(), payload) if payload else None
        self._hashes: dict[str, _Hash] = {}
        self._given: dict[str, bytes] = {}
        for name in {*headers, *announced}:
            if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _NOT_NAMES:
                kind = name.removeprefix(PREFIX)
                if kind not in _KINDS:
                    raise not_implemented(f"The checksum {kind[:40]!r}")
                self._hashes[name] = _KINDS[kind]()
                if name in headers:
                    self._given[name] = _decoded(name, headers[name])
        if md5 or "content-md5" in headers:
            self._hashes["content-md5"] = hashlib.md5(usedforsecurity=False)
        if "content-md5" in headers:
            self._given["content-md5"] = _decoded("content-md5", headers["content-md5"])

    def update(self, data: bytes) -> None:
        """Take the next bytes of the content."""
        self.size += len(data)
        self._blake.update(data)
        if self._payload:
            self._payload[0].update(data)
        for each in self._hashes.values():
            each.update(data)

    def check(self, trailers: Mapping[str, str]) -> None:
        """Compare with what was given with the request and after its body.

        Raises
        ------
        S3Error
            XAmzContentSHA256Mismatch or BadDigest.
        """
        if self._payload and not _same(self._payload[0].hexdigest().encode(), self._payload[1]):
            raise S3Error(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed. "
                "Nothing was stored. Send it again.",
            )
        given = {**self._given, **{name: _decoded(name, trailers[name]) for name in trailers}}
        for name, value in given.items():
            if name in self._hashes and self._hashes[name].digest() != value:
                raise S3Error(
                    "BadDigest",
                    f"The {name} you specified did not match what we received. Nothing was "
                    "stored. Send it again.",
                )

    @property
    def blake3(self) -> str:
        """BLAKE3 of the content, 64 hex digits."""
        return str(self._blake.hexdigest())

    @property
    def md5(self) -> str:
        """MD5 of the content, 32 hex digits; only if it was asked for."""
        return self._hashes["content-md5"].digest().hex()

    def answers(self) -> dict[str, str]:
        """Return the checksum headers to answer with: those that were asked for."""
        return {
            name: base64.b64encode(each.digest()).decode()
            for name, each in self._hashes.items()
            if name.startswith(PREFIX)
        }


def etag(digest: str) -> str:
    """Return the ETag of content with a BLAKE3, in its quotes.

    The dash tells clients that it is not an MD5, which they would compare with their own.
    """
    return f'"{digest[:32]}-b3"'


NOTHING = str(blake3(b"").hexdigest())
"""BLAKE3 of no content, which folders have."""

NO_CONTENT = etag(NOTHING)


def _same(first: bytes, second: str) -> bool:
    return hmac.compare_digest(first, second.encode())


def _decoded(name: str, text: str) -> bytes:
    sizes = {"content-md5": 16, "crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != sizes[name.removeprefix(PREFIX)]:
        raise S3Error("InvalidDigest", f"The {name} you specified is not valid.")
    return raw
