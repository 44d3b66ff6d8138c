# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
r"""The content id: equal for equal content, whatever engine froze it.

It is a Merkle root over names, permissions and the BLAKE3 of contents. Times, owners, hard links,
holes and how an engine keeps bytes do not count, nor does what is ignored. The id of a folder is

    BLAKE3(b"dotscience folder 1\0" + entries in the order of their names' bytes)

and an entry is, integers little-endian,

    kind (``f``, ``d`` or ``l``) | permission bits (2) | length of the name (2) | name | hash (32)

where the hash is BLAKE3 of a file's bytes, the id of a folder, or BLAKE3 of a link's target; the
permission bits of a link are 0o777. The content id of a snapshot is

    BLAKE3(b"dotscience root 1\0" + permission bits of the root folder (2) + id of the root folder)
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from blake3 import blake3

from .engine import Kind

_ENTRY = struct.Struct("<cHH")
_CODES = {Kind.FILE: b"f", Kind.FOLDER: b"d", Kind.SYMLINK: b"l"}
_FOLDER_MAGIC = b"dotscience folder 1\0"
_ROOT_MAGIC = b"dotscience root 1\0"


class Part(NamedTuple):
    """One entry of a folder, as far as it counts."""

    name: str
    kind: Kind
    mode: int  # permission bits; not looked at for links
    hash: bytes  # 32 bytes: of a file's content, of a folder (folder_id), of a link's target


def link_hash(target: str) -> bytes:
    """Return what stands for a symbolic link."""
    return blake3(os.fsencode(target)).digest()


def folder_id(parts: Iterable[Part]) -> bytes:
    """Return the id of a folder, 32 bytes."""
    hasher = blake3(_FOLDER_MAGIC)
    named = [(os.fsencode(part.name), part) for part in parts]
    named.sort(key=lambda pair: pair[0])
    for name, part in named:
        mode = 0o777 if part.kind is Kind.SYMLINK else part.mode
        hasher.update(_ENTRY.pack(_CODES[part.kind], mode, len(name)) + name + part.hash)
    return hasher.digest()


def content_id(mode: int, folder: bytes) -> str:
    """Return a snapshot's content id from its root folder's permission bits and id."""
    return blake3(_ROOT_MAGIC + struct.pack("<H", mode) + folder).hexdigest()
