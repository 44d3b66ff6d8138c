# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is in a bucket, in the two forms in which the original listed it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from xml.sax.saxutils import escape

from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots import Entry, Kind, PathNotFoundError

DEFAULT_KEYS = 100
MAX_KEYS = 100_000
"""Keys on one page at most."""

# what neither XML 1.0 nor UTF-8 can hold
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Folder(Protocol):
    """What is asked of a snapshot that is listed."""

    def entry(self, path: str) -> Entry:
        """Return one entry; raise PathNotFoundError."""

    def list(self, path: str) -> list[Entry]:
        """Return the direct children of a folder, sorted."""


@dataclass(frozen=True, slots=True)
class Query:
    """What of a bucket is asked for."""

    prefix: str = ""  # a folder, a file, or how names in a folder begin
    max_keys: int = DEFAULT_KEYS
    page: int = 0
    recursive: bool = True
    folders: bool = False


@dataclass(slots=True)
class Listing:
    """A page of a bucket's keys."""

    name: str
    prefix: str
    total: int = 0
    items: list[Entry] = field(default_factory=list)


def listing(name: str, folder: Folder, query: Query) -> Listing:
    """Return a page of what a snapshot holds; what begins with a dot is not shown."""
    found = Listing(name, query.prefix)
    start = query.page * query.max_keys
    for entry in _entries(folder, query):
        if entry.kind is Kind.FOLDER and not query.folders:
            continue
        if start <= found.total < start + query.max_keys:
            found.items.append(entry)
        found.total += 1
    return found


def as_json(found: Listing) -> str:
    """Return a listing as JSON."""
    return json.dumps(
        {
            "name": found.name,
            "prefix": found.prefix,
            "contents": [
                {
                    "key": entry.path,
                    "last_modified": timestamp(entry.mtime_ns),
                    "size": entry.size,
                    "directory": entry.kind is Kind.FOLDER,
                }
                for entry in found.items
            ],
            "total_results": found.total,
        }
    )


def as_xml(found: Listing) -> str:
    """Return a listing as XML; keys that XML cannot hold are in text form (records/paths.py)."""
    contents = "".join(
        f"<Contents><Key>{_text(entry.path)}</Key>"
        f"<LastModified>{timestamp(entry.mtime_ns)}</LastModified>"
        f"<Size>{entry.size}</Size>"
        f"<Directory>{'true' if entry.kind is Kind.FOLDER else 'false'}</Directory></Contents>"
        for entry in found.items
    )
    return (
        f"<ListBucketResult><Name>{_text(found.name)}</Name><Prefix>{_text(found.prefix)}</Prefix>"
        f"{contents}<TotalResults>{found.total}</TotalResults></ListBucketResult>"
    )


def timestamp(nanoseconds: int) -> str:
    """Return a time as the original writes one: RFC 3339 with as many digits as it takes.

    >>> timestamp(1_500_000_000), timestamp(0)
    ('1970-01-01T00:00:01.5Z', '1970-01-01T00:00:00Z')
    """
    seconds, fraction = divmod(nanoseconds, 10**9)
    try:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "1970-01-01T00:00:00Z"  # a time that no calendar has
    digits = f"{fraction:09}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def _entries(folder: Folder, query: Query) -> Iterator[Entry]:
    under = query.prefix.strip("/")
    begins = ""
    try:
        entry = folder.entry(under) if under else None
    except PathNotFoundError:
        entry = None
        under, _, begins = under.rpartition("/")
    if entry is not None and entry.kind is not Kind.FOLDER:
        yield entry
        return
    try:
        yield from _shown(folder, under, begins, query.recursive)
    except PathNotFoundError:
        return  # nothing begins like that


def _shown(folder: Folder, under: str, begins: str, recursive: bool) -> Iterator[Entry]:
    # by folders and not by one walk, so that what is not shown is not walked either
    open_ones = [_visible(folder.list(under), begins)]
    while open_ones:
        entry = next(open_ones[-1], None)
        if entry is None:
            open_ones.pop()
            continue
        yield entry
        if recursive and entry.kind is Kind.FOLDER:
            open_ones.append(_visible(folder.list(entry.path), ""))


def _visible(entries: Iterable[Entry], begins: str) -> Iterator[Entry]:
    for entry in entries:
        name = entry.path.rpartition("/")[2]
        if name.startswith(begins) and not name.startswith("."):
            yield entry


def _text(text: str) -> str:
    return escape(to_text(text) if _UNWRITABLE.search(text) else text)
