# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Whether a file holds what an ETag stands for, as far as an ETag can tell.

An ETag is opaque by the letter. What is known of it:

- MD5 of the bytes in hexadecimal, of an object uploaded in one piece, unless S3 encrypts with a
  key of KMS or of the client (AWS, "Common response headers"; Ceph and others do the same).
- MD5 of the parts' MD5s, a dash and their number, of one uploaded in parts. Where the parts
  begin is not in it.
- The first half of BLAKE3 in hexadecimal and ``-b3``: a hub of ours (docs/hub-s3.md).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import BinaryIO

from blake3 import blake3

_PLAIN = re.compile(r"[0-9a-f]{32}")
_HUB = re.compile(r"([0-9a-f]{32})-b3")
_PARTS = re.compile(r"([0-9a-f]{32})-([0-9]{1,5})")
_CHUNK = 1 << 20
_MIB = 1 << 20

# part sizes of the known clients, in MiB: aws-cli and boto3 8, s3cmd 15, rclone 5, Hadoop 64 and
# 128, DuckDB, Arrow 10, and what people set
_USUAL = (5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 250, 256, 500, 512, 1000, 1024, 5120)


def holds(
    file: BinaryIO,
    size: int,
    etag: str,
    *,
    part_sizes: Callable[[bool], list[int]] | None = None,
    opaque: bool = False,
) -> bool | None:
    """Return whether a file's bytes are those of an ETag; None if that cannot be told.

    Parameters
    ----------
    file
        Read from its beginning.
    size
        Bytes that it has.
    etag
        Without quotes.
    part_sizes
        Asks the service for the sizes of an object's parts: of the first (False) or of all (True).
    opaque
        Whether the service said that it encrypts in a way that makes the ETag mean nothing.
    """
    if opaque:
        return None
    if found := _HUB.fullmatch(etag):
        hasher = blake3()
        for chunk in _chunks(file):
            hasher.update(chunk)
        return hasher.hexdigest()[:32] == found[1]
    if _PLAIN.fullmatch(etag):
        digest = _md5()
        for chunk in _chunks(file):
            digest.update(chunk)
        return digest.hexdigest() == etag
    if found := _PARTS.fullmatch(etag):
        return _in_parts(file, size, found[1], int(found[2]), part_sizes)
    return None


def _in_parts(
    file: BinaryIO,
    size: int,
    wanted: str,
    count: int,
    part_sizes: Callable[[bool], list[int]] | None,
) -> bool | None:
    first = part_sizes(False) if part_sizes is not None else []
    usual = [each * _MIB for each in _USUAL]
    likely = [each for each in dict.fromkeys([*first, *usual]) if _fits(size, each, count)]
    for each in likely:
        sizes = [each] * (count - 1) + [size - each * (count - 1)]
        if _of_parts(file, sizes) == wanted:
            return True
    if not first or part_sizes is None:
        return None
    sizes = part_sizes(True)
    if len(sizes) != count or sum(sizes) != size:
        return None
    return _of_parts(file, sizes) == wanted


def _fits(size: int, part: int, count: int) -> bool:
    return part > 0 and part * (count - 1) < size <= part * count


def _of_parts(file: BinaryIO, sizes: Iterable[int]) -> str:
    whole = _md5()
    file.seek(0)
    for size in sizes:
        digest = _md5()
        while size and (chunk := file.read(min(size, _CHUNK))):
            digest.update(chunk)
            size -= len(chunk)
        whole.update(digest.digest())
    return whole.hexdigest()


def _chunks(file: BinaryIO) -> Iterable[bytes]:
    file.seek(0)
    return iter(lambda: file.read(_CHUNK), b"")


def _md5() -> hashlib._Hash:
    # what S3 has chosen; against accidents it is good enough
    return hashlib.md5(usedforsecurity=False)
