# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``dotscience-s3.json``: the content of a dataset that only points to objects.

A JSON document, one object a line so that versions of it can be compared by line, in the order of
the paths::

    {
    "format": 1,
    "source": {"bucket": "measurements", "prefix": "2026/"},
    "objects": [
    {"path": "a.csv", "size": 12, "etag": "9a03...", "modified": "2026-...Z", "version": "3sL4..."},
    ...
    ]
    }

``source`` may hold ``endpoint`` and ``anonymous``; ``version`` is left out where the bucket keeps
none. An object's key is the prefix and the path.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .bucket import Object
from .keys import MANIFEST, safe_path
from .source import Source, SourceError
from .state import Wanted

_FORMAT = 1
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pinned:
    """An object in exactly the state that a version of a dataset points to.

    Attributes
    ----------
    path
        The folder path that it has in the dataset.
    size
        Bytes.
    etag
        Without quotes.
    modified
        When it was written, in nanoseconds since 1970.
    version
        Id of the version; "" where the bucket keeps none: then the ETag alone tells.
    """

    path: str
    size: int
    etag: str
    modified: int
    version: str = ""


@dataclass(slots=True)
class Manifest:
    """What a version of a dataset points to."""

    source: Source
    objects: dict[str, Pinned] = field(default_factory=dict)

    def get(self, path: str) -> Pinned | None:
        """Return the object that has a folder path, or None."""
        return self.objects.get(path)

    def below(self, path: str) -> list[Pinned]:
        """Return the object of a folder path, or all below the folder; "" is all."""
        if path in self.objects:
            return [self.objects[path]]
        start = f"{path}/" if path else ""
        return [each for name, each in self.objects.items() if name.startswith(start)]

    def object(self, pinned: Pinned) -> Object:
        """Return what to ask the bucket for."""
        return Object(
            self.source.prefix + pinned.path,
            pinned.size,
            pinned.etag,
            pinned.modified,
            pinned.version,
        )


def read_manifest(data: bytes) -> Manifest:
    """Return what the bytes of a manifest say.

    Raises
    ------
    SourceError
        ``unreadable`` where it is damaged, of a newer version, or names a path that leads out of
        its folder.
    """
    try:
        document = json.loads(data)
        if document["format"] != _FORMAT:
            raise _unreadable("a newer version of dotscience-jupyter wrote it")
        manifest = Manifest(Source.of_document(document["source"]))
        for each in document["objects"]:
            pinned = _pinned(each)
            manifest.objects[pinned.path] = pinned
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(str(error) or "it is not as it was written") from None
    return manifest


def _pinned(each: dict[str, Any]) -> Pinned:
    path, size, etag = each["path"], each["size"], each["etag"]
    version = each.get("version", "")
    if not safe_path(path):
        raise ValueError(f"{path!r} cannot be the path of a file")
    if type(size) is not int or size < 0 or not isinstance(etag, str):
        raise ValueError(f"what it says of {path!r} cannot be")
    if not isinstance(version, str):
        raise ValueError(f"what it says of {path!r} cannot be")
    moment = datetime.fromisoformat(each["modified"])
    modified = (moment - _START) // timedelta(microseconds=1) * 1000
    return Pinned(path, size, etag, modified, version)


def _unreadable(why: str) -> SourceError:
    return SourceError(
        "unreadable",
        f"The dataset's {MANIFEST}, which says where its objects are, cannot be used: {why}. "
        "Nothing was fetched. Import it again, or go back to an earlier version of it.",
    )


def write_manifest(path: Path, source: Source, items: Iterable[Wanted]) -> None:
    """Write a manifest into a new file, whatever its length; folders' marks are left out.

    Raises
    ------
    OSError
    """
    with open(path, "w", encoding="utf-8") as file:
        head = json.dumps(source.document(), sort_keys=True)
        file.write(f'{{\n"format": {_FORMAT},\n"source": {head},\n"objects": [')
        between = "\n"
        for each in items:
            if not each.folder:
                file.write(between + _line(each))
                between = ",\n"
        file.write("\n]\n}\n")
        file.flush()
        os.fsync(file.fileno())


def _line(wanted: Wanted) -> str:
    item = wanted.object
    moment = _START + timedelta(microseconds=item.modified // 1000)
    document = {
        "path": wanted.path,
        "size": item.size,
        "etag": item.etag,
        "modified": moment.isoformat().replace("+00:00", "Z"),
    }
    if item.version:
        document["version"] = item.version
    return json.dumps(document)
