# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which bytes of an object are asked for, and under which conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from .errors import S3Error

_RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII)
_LONGEST = 19
"""Digits of a number that any object could have."""


def byte_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte asked for and the one after the last; None for all of it.

    What is not understood is passed over, as HTTP asks, and so are several ranges at once.

    Raises
    ------
    S3Error
        InvalidRange if the object has no such bytes.
    """
    match = _RANGE.fullmatch(text.strip()) if text is not None else None
    if match is None or not (match[1] or match[2]) or max(map(len, match.groups())) > _LONGEST:
        return None
    if match[1]:
        start = int(match[1])
        end = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    else:
        start, end = max(0, size - int(match[2])), size
    if start >= end:
        raise S3Error(
            "InvalidRange",
            f"The requested range is not satisfiable: the object has {size} bytes.",
            ActualObjectSize=str(size),
            RangeRequested=str(text),
        )
    return start, end


def check_read(
    headers: Mapping[str, str], etag: str, modified: datetime, *, prefix: str = ""
) -> None:
    """Raise unless an object meets the conditions of a request that reads it.

    Parameters
    ----------
    headers
        Of the request, names in lower case.
    etag
        With its quotes.
    modified
        When it was stored last.
    prefix
        What stands before the names of conditions: those of a copy's source have one. Then
        NotModified does not occur.

    Raises
    ------
    S3Error
        PreconditionFailed or NotModified.
    """
    match, none = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    since = _date(headers.get(f"{prefix}if-modified-since"))
    until = _date(headers.get(f"{prefix}if-unmodified-since"))
    modified = modified.replace(microsecond=0)
    if match is not None:
        if not _among(etag, match):
            raise _failed(f"{prefix}if-match")
    elif until is not None and modified > until:
        raise _failed(f"{prefix}if-unmodified-since")
    same = False
    if none is not None:
        same = _among(etag, none)
    elif since is not None:
        same = modified <= since
    if same and prefix:
        raise _failed(f"{prefix}if-none-match")
    if same:
        raise S3Error("NotModified", "The object is the one that you have.")


def check_write(headers: Mapping[str, str], etag: str | None) -> None:
    """Raise unless the present object (None: there is none) may be replaced or deleted.

    Raises
    ------
    S3Error
        PreconditionFailed, NoSuchKey where something must be there and is not, NotImplemented.
    """
    match, none = headers.get("if-match"), headers.get("if-none-match")
    if none is not None:
        if none.strip() != "*":
            raise S3Error(
                "NotImplemented",
                "Writing if an object is not a certain one is not available: If-None-Match takes "
                "an asterisk only. Nothing was changed.",
            )
        if etag is not None:
            raise _failed("If-None-Match")
    if match is not None:
        if etag is None:
            raise S3Error("NoSuchKey", "The object that If-Match speaks of does not exist.")
        if not _among(etag, match):
            raise _failed("If-Match")


def http_date(moment: datetime) -> str:
    """Return a time as headers have it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def moment_of(mtime_ns: int) -> datetime:
    """Return a file's time, or the nearest one that has four digits for its year."""
    seconds = min(max(mtime_ns // 1_000_000_000, 0), 253_402_300_799)
    part = mtime_ns % 1_000_000_000 // 1000 if seconds == mtime_ns // 1_000_000_000 else 0
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=part)


def iso(moment: datetime) -> str:
    """Return a time as documents have it, with milliseconds."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )


def _among(etag: str, text: str) -> bool:
    wanted = [part.strip().removeprefix("W/") for part in text.split(",")]
    return "*" in wanted or etag in wanted or etag.strip('"') in wanted


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _failed(condition: str) -> S3Error:
    return S3Error(
        "PreconditionFailed",
        "At least one of the preconditions you specified did not hold. Nothing was changed.",
        Condition=condition,
    )
