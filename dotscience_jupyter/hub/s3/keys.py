# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Keys of objects and paths of files: the same text, as far as a file can have the name."""

from __future__ import annotations

import re

from .errors import S3Error

LONGEST = 1024
"""Bytes of a key in UTF-8, at most."""

DEEPEST = 200
"""Parts of a key, at most."""

_LONGEST_NAME = 255
_OURS = frozenset({".dotscience", ".git"})


def path_of(key: str) -> str | None:
    """Return the folder path that a key is, or None if nothing can have it.

    A key that ends in a slash is that of a folder. ``.dotscience`` and ``.git`` are no part of any
    key, in whatever case: where a project is brought to a computer, a file in there could take
    over its history.
    """
    path = key.removesuffix("/")
    names = path.split("/")
    if len(names) > DEEPEST:
        return None
    for name in names:
        if not name or name in (".", "..") or "\0" in name or name.lower() in _OURS:
            return None
        try:
            if len(name.encode()) > _LONGEST_NAME:
                return None
        except UnicodeEncodeError:
            return None
    return path


def require_path(key: str) -> str:
    """Return the folder path that a key to be written is.

    Raises
    ------
    S3Error
        KeyTooLongError or InvalidArgument, which say what is wrong with it.
    """
    check_length(key)
    path = path_of(key)
    if path is not None:
        return path
    raise S3Error(
        "InvalidArgument",
        "This key cannot be the path of a file. It must not have empty parts, parts of more than "
        f"{_LONGEST_NAME} bytes, NUL characters, a part that is '.', '..', '.git' or "
        f"'.dotscience', or more than {DEEPEST} parts. Nothing was changed.",
        ArgumentName="key",
    )


def check_length(key: str) -> None:
    """Raise S3Error (KeyTooLongError) for a key that is too long."""
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > LONGEST:
        raise S3Error(
            "KeyTooLongError",
            "Your key is too long.",
            Size=str(size),
            MaxSizeAllowed=str(LONGEST),
        )


_BUCKET = re.compile(r"[a-zA-Z0-9.\-_]{1,255}")


def is_bucket_name(name: str) -> bool:
    """Whether clients accept a name as that of a bucket."""
    return _BUCKET.fullmatch(name) is not None and name not in (".", "..")


def is_object_name(name: str) -> bool:
    """Whether a file's name can be a part of a key: bytes that are not UTF-8 cannot."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)
