# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The body of an upload on its way to disk: taken out of its chunks, measured, proven."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO

from dotscience_jupyter.hub.config import Services

from .checksums import Checksums
from .chunked import ChunkedDecoder, ChunkSigner
from .errors import S3Error, invalid, not_implemented
from .sigv4 import (
    STREAMED,
    STREAMING,
    STREAMING_TRAILER,
    STREAMING_UNSIGNED_TRAILER,
    UNSIGNED,
    Signature,
)

_STEP = 1 << 20
_TRAILERS = re.compile(r"x-amz-checksum-[a-z0-9]{1,20}")


class Intake:
    """Takes the parts of a body as they arrive; works on them in threads, a megabyte at a time.

    Parameters
    ----------
    headers
        The request's, names in lower case.
    signature, key
        Proven; None where the request was not signed (a Bearer token).
    md5
        Whether the content's MD5 is wanted.

    Raises
    ------
    S3Error
        If the headers cannot be of a body that is accepted.
    """

    def __init__(
        self,
        hub: Services,
        headers: Mapping[str, str],
        signature: Signature | None,
        key: bytes,
        *,
        md5: bool = False,
    ) -> None:
        self._hub = hub
        self._waiting = bytearray()
        payload = UNSIGNED if signature is None else signature.payload
        announced: frozenset[str] = frozenset()
        self._decoder: ChunkedDecoder | None = None
        if payload in STREAMED:
            announced = _announced(headers, payload)
            signer = None
            if payload != STREAMING_UNSIGNED_TRAILER:
                assert signature is not None
                signer = ChunkSigner(signature, key)
            self._decoder = ChunkedDecoder(signer, announced)
            self._length = _number(headers, "x-amz-decoded-content-length")
        elif "aws-chunked" in headers.get("content-encoding", "").lower().split(","):
            raise not_implemented("aws-chunked without a STREAMING- value as x-amz-content-sha256")
        else:
            self._length = _number(headers, "content-length")
        digest = "" if payload in STREAMED or payload == UNSIGNED else payload
        self.checksums = Checksums(headers, digest, announced, md5=md5)
        self.file: BinaryIO | None = None

    async def write(self, data: bytes) -> None:
        """Take the next bytes. Raise S3Error if they cannot be right."""
        self._waiting += data
        if len(self._waiting) >= _STEP:
            await self._flush()

    async def finish(self) -> BinaryIO:
        """Return the file with the content, once all of it is proven.

        Raises
        ------
        S3Error
            IncompleteBody, BadDigest or what :meth:`write` raises.
        """
        await self._flush()
        trailers: Mapping[str, str] = {}
        if self._decoder is not None:
            self._decoder.finish()
            trailers = self._decoder.trailers
        if self.checksums.size != self._length:
            raise S3Error(
                "IncompleteBody",
                "The body does not have as many bytes as its headers say. Nothing was stored. Send "
                "it again.",
            )
        self.checksums.check(trailers)
        assert self.file is not None
        self.file.seek(0)
        return self.file

    async def _flush(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        if data:
            await self._hub.run(self._take, data)

    def _take(self, data: bytes) -> None:
        assert self.file is not None
        pieces = [data] if self._decoder is None else self._decoder.feed(data)
        for piece in pieces:
            self.checksums.update(piece)
            if self.checksums.size > self._length:
                raise S3Error("IncompleteBody", "The body has more bytes than its headers say.")
            view = memoryview(piece)
            try:
                while view:
                    view = view[self.file.write(view) :]
            except OSError as error:
                raise S3Error(
                    "ServiceUnavailable",
                    f"The hub could not store the upload: {error.strerror or error}. Nothing was "
                    "changed; its disk may be full.",
                ) from None


def _announced(headers: Mapping[str, str], payload: str) -> frozenset[str]:
    """Return the names of headers that come after the body."""
    names = [part.strip().lower() for part in headers.get("x-amz-trailer", "").split(",")]
    found = frozenset(name for name in names if name)
    if payload == STREAMING and found:
        raise invalid("x-amz-trailer", "Trailing headers need a payload of the kind -TRAILER.")
    if payload == STREAMING_TRAILER and not found:
        raise invalid("x-amz-trailer", "A payload of the kind -TRAILER needs x-amz-trailer.")
    for name in found:
        if not _TRAILERS.fullmatch(name):
            raise invalid(
                "x-amz-trailer", "The value specified in the x-amz-trailer header is not supported."
            )
    if len(found) > 1:
        raise invalid("x-amz-trailer", "Only one checksum may come after a body.")
    return found


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name)
    if text is None:
        raise S3Error("MissingContentLength", f"You must provide the {name} HTTP header.")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise invalid(name, f"{name} must be a whole number.")
    return int(text)
