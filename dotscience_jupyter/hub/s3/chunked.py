# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
r"""Bodies in AWS's chunks (``aws-chunked``), taken apart piece by piece as they arrive.

::

    LENGTH in hex[;chunk-signature=SIGNATURE]\r\n
    LENGTH bytes\r\n
    ...
    0[;chunk-signature=SIGNATURE]\r\n
    [name:value\r\n ...]
    [x-amz-trailer-signature:SIGNATURE\r\n]
    \r\n
"""

from __future__ import annotations

import hashlib
import hmac
import re

from .errors import S3Error
from .sigv4 import ALGORITHM, EMPTY, Signature, sign

_HEAD = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_LINE = 4096
"""A head of a chunk and a trailing header are shorter than this."""
_SMALLEST = 8192
"""S3 wants chunks of that size but for the last two; many tiny ones are an attack on the hub."""
_TINY = 64
"""So many tiny chunks are borne with: those of clients which cut where a file's parts end."""
_LARGEST = 1 << 30

_START, _DATA, _AFTER, _TRAILER, _END = range(5)


class ChunkSigner:
    """The signatures of the chunks of one body, each of which covers the one before.

    A chunk of another request, or one that is sent again, has another predecessor: its signature is
    wrong here.
    """

    def __init__(self, signature: Signature, key: bytes) -> None:
        self._key = key
        self._head = f"{signature.time}\n{signature.scope}"
        self._previous = signature.value

    def chunk(self, digest: str, given: str) -> None:
        """Prove the signature of the next chunk, whose SHA-256 in hex is given."""
        self._check(f"{ALGORITHM}-PAYLOAD", f"{EMPTY}\n{digest}", given)

    def trailer(self, lines: bytes, given: str) -> None:
        r"""Prove the signature of the trailing headers, each ``name:value\n``."""
        self._check(f"{ALGORITHM}-TRAILER", hashlib.sha256(lines).hexdigest(), given)

    def _check(self, algorithm: str, rest: str, given: str) -> None:
        text = f"{algorithm}\n{self._head}\n{self._previous}\n{rest}"
        expected = sign(self._key, text).hex()
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise S3Error(
                "SignatureDoesNotMatch",
                "The signature of a part of the body is wrong: it was damaged or changed on its "
                "way. Nothing was stored. Send it again.",
            )
        self._previous = given


class ChunkedDecoder:
    """Gives back the bytes in the chunks; remembers what the trailing headers say.

    Parameters
    ----------
    signer
        Proves each chunk; None where chunks are not signed.
    trailers
        Names of the headers, in lower case, that were said to come at the end.

    Notes
    -----
    Bytes are handed on before their chunk's signature is known: act on them only once
    :meth:`finish` was passed.
    """

    def __init__(self, signer: ChunkSigner | None, trailers: frozenset[str] = frozenset()) -> None:
        self._signer = signer
        self._announced = trailers
        self._state = _START
        self._buffer = bytearray()
        self._left = 0
        self._tiny = 0
        self._digest = hashlib.sha256()
        self._signature = ""
        self._lines = b""
        self._proven = False
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the body; return what they hold of the content.

        Raises
        ------
        S3Error
            IncompleteBody or InvalidRequest for what is not made of chunks, SignatureDoesNotMatch.
        """
        self._buffer += data
        found: list[bytes] = []
        while self._step(found):
            pass
        return found

    def finish(self) -> None:
        """Raise S3Error unless the last chunk and all announced headers have come."""
        if self._state != _END:
            raise S3Error(
                "IncompleteBody",
                "The body ended within a chunk. Nothing was stored. Send it again.",
            )
        missing = self._announced - self.trailers.keys()
        if missing:
            raise S3Error("InvalidRequest", f"The body ended without {', '.join(sorted(missing))}.")

    def _step(self, found: list[bytes]) -> bool:
        if self._state == _DATA:
            return self._content(found)
        if self._state == _END:
            if self._buffer:
                raise _damaged()
            return False
        line = self._line()
        if line is None:
            return False
        if self._state == _START:
            self._head(line)
        elif self._state == _AFTER:
            if line:
                raise _damaged()
            self._state = _START
        else:
            self._trailing(line)
        return True

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, _LINE)
        if end < 0:
            if len(self._buffer) >= _LINE:
                raise _damaged()
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _head(self, line: bytes) -> None:
        match = _HEAD.fullmatch(line)
        if match is None or (self._signer is not None) != (match[2] is not None):
            raise _damaged()
        self._left = int(match[1], 16)
        self._signature = (match[2] or b"").decode()
        if self._left > _LARGEST:
            raise S3Error("InvalidRequest", f"A chunk holds at most {_LARGEST} bytes.")
        if 0 < self._left < _SMALLEST:
            self._tiny += 1
            if self._tiny > _TINY:
                raise S3Error(
                    "InvalidRequest", f"Only the last chunk may be smaller than {_SMALLEST} bytes."
                )
        if self._left:
            self._state = _DATA
            return
        if self._signer is not None:
            self._signer.chunk(self._digest.hexdigest(), self._signature)
        self._state = _TRAILER

    def _content(self, found: list[bytes]) -> bool:
        if not self._buffer:
            return False
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        found.append(piece)
        if self._signer is not None:
            self._digest.update(piece)
        if not self._left:
            if self._signer is not None:
                self._signer.chunk(self._digest.hexdigest(), self._signature)
                self._digest = hashlib.sha256()
            self._state = _AFTER
        return True

    def _trailing(self, line: bytes) -> None:
        if line:
            name, colon, value = line.partition(b":")
            key = name.strip().lower().decode("latin-1")
            if key == "x-amz-trailer-signature" and self._signer is not None:
                self._signer.trailer(self._lines, value.strip().decode("latin-1"))
                self._proven = True
                return
            if not colon or self._proven or key not in self._announced or key in self.trailers:
                raise _damaged()
            self.trailers[key] = value.strip().decode("latin-1")
            self._lines += key.encode("latin-1") + b":" + value.strip() + b"\n"
            return
        if self._signer is not None and self._announced and not self._proven:
            raise _damaged()
        self._state = _END


def _damaged() -> S3Error:
    return S3Error(
        "InvalidRequest",
        "The body is not made of chunks as its headers say. Nothing was stored. Send it again.",
    )
