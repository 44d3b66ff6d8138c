# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the file endpoint reads of a branch and writes to it; everything here blocks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.records import HEAD, models, to_text
from dotscience_jupyter.records.errors import NotFoundError
from dotscience_jupyter.snapshots import Change, Edit, Entry, Kind, PathNotFoundError

from .tars import Archive, ArchiveError

LATEST = "latest"
EXTRACTED = "upload.extract"
"""Key of the metadata of an upload that was an archive to be unpacked: ``true``, or FIRST."""
FIRST = "first"
"""Of a commit just before that of an archive which has names twice: with the first of each."""

_COMMIT = re.compile(r"[0-9a-f]{4,64}", re.ASCII)
_CHUNK = 1 << 20
_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


class Frozen:
    """One snapshot of a project, as listings and archives are made from it."""

    def __init__(self, project: Project, snapshot: str) -> None:
        self._engine = project.engine
        self.id = snapshot

    def entry(self, path: str) -> Entry:
        """Return one entry; raise PathNotFoundError."""
        return self._engine.entry(self.id, path)

    def list(self, path: str) -> list[Entry]:
        """Return the direct children of a folder, sorted."""
        return self._engine.list(self.id, path)

    def walk(self, under: str) -> Iterator[Entry]:
        """Yield every entry below a folder, depth first, sorted."""
        return self._engine.walk(self.id, under)

    def open(self, path: str) -> BinaryIO:
        """Open a file."""
        return self._engine.open(self.id, path)

    def find(self, path: str) -> Entry | None:
        """Return one entry, None where there is none."""
        try:
            return self.entry(path)
        except PathNotFoundError:
            return None

    def read(self, path: str) -> Iterator[bytes]:
        """Yield a file's content in parts."""
        with self.open(path) as file:
            while data := file.read(_CHUNK):
                yield data


def frozen(project: Project, ref: str, snapshot: str, title: str) -> Frozen:
    """Return what a branch held at a commit, or holds now.

    Parameters
    ----------
    ref : str
        The branch.
    snapshot : str
        The id of a commit, or ``latest``.
    title : str
        What the bucket is called in errors.

    Raises
    ------
    ApiError
        404 if there is no such branch or commit, 400 if there is no commit at all.
    """
    head = head_of(project, ref, title)
    if snapshot != LATEST:
        if not _COMMIT.fullmatch(snapshot):
            raise _no_commit(snapshot)
        try:
            return Frozen(project, project.records.get_commit(snapshot).snapshot)
        except NotFoundError:
            raise _no_commit(snapshot) from None
    if head is None:
        raise ApiError(400, "invalid_request", "No snaps to mount - commit before listing.")
    return Frozen(project, project.records.get_commit(head).snapshot)


def head_of(project: Project, ref: str, title: str) -> str | None:
    """Return a branch's newest commit. Raise ApiError 404 if there is no such branch."""
    found = project.records.refs().get(ref)
    if found is None and ref != HEAD:
        raise ApiError(404, "not_found", f"Bucket {title} does not exist")
    return found


def changes(project: Project, ref: str, snapshot: str, title: str) -> str:
    """Return, as JSON, what differs between a commit and what a branch holds now."""
    old = frozen(project, ref, snapshot, title)
    new = frozen(project, ref, LATEST, title)
    signs = {Change.ADDED: "+", Change.REMOVED: "-"}
    return json.dumps(
        [
            {"change": signs.get(each.change, "M"), "filename": each.path}
            for each in project.engine.diff(old.id, new.id)
        ]
    )


def put(
    project: Project, ref: str, title: str, key: str, file: BinaryIO, size: int, author: str
) -> models.Commit:
    """Make a commit in which a file has a new content.

    Raises
    ------
    ApiError
        404 for the branch; 409 ``exists`` if a folder is there, or a file on the way.
    """
    with project.lock:
        now = _now(project, ref, title)
        entry = None if now is None else now.find(key)
        if entry is not None and entry.kind is Kind.FOLDER:
            raise ApiError(
                409,
                "exists",
                f"{to_text(key)!r} is a folder, so no file can be put there. Nothing was changed.",
            )
        return _written(project, ref, [Edit(key, file)], key, size, author)


def unpack(
    project: Project, ref: str, title: str, key: str, file: BinaryIO, author: str
) -> models.Commit:
    """Make a commit in which a folder holds what an archive holds, and nothing else.

    Raises
    ------
    ApiError
        As :func:`put`; 400 if the archive is not one that is unpacked.
    """
    try:
        archive = Archive(file)
    except ArchiveError as error:
        raise ApiError(400, "invalid_request", str(error)) from None
    with project.lock:
        now = _now(project, ref, title)
        there = now is not None and now.find(key) is not None
        edits = [Edit(key, None)] if there else []
        if archive.repeats:
            # the last of a name is what unpacking leaves, but the first may be an output, too
            first = [*edits, *archive.edits(key, first=True)]
            _written(project, ref, first, key, 0, author, {EXTRACTED: FIRST})
            edits = [Edit(key, None)]
        return _written(
            project, ref, [*edits, *archive.edits(key)], key, 0, author, {EXTRACTED: "true"}
        )


def remove(project: Project, ref: str, title: str, key: str, author: str) -> models.Commit:
    """Make a commit in which a file or folder is gone. Raise ApiError 404 if there is none."""
    with project.lock:
        now = _now(project, ref, title)
        if now is None or now.find(key) is None:
            raise ApiError(404, "not_found", f"There is no {to_text(key)!r} in {title}.")
        text = to_text(key)
        return project.write(
            [Edit(key, None)],
            author=author,
            message=f"Delete {text}",
            type="delete",
            metadata={"delete.type": "S3", "delete.file": text},
            ref=ref,
        )


def human(size: int) -> str:
    """Return a size for people, as the original writes it.

    >>> human(5), human(82854982), human(1300)
    ('5 B', '83 MB', '1.3 kB')
    """
    if size < 1000:
        return f"{size} B"
    value, unit = size / 1000, 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if value < 9.95 else f"{value:.0f} {_UNITS[unit]}"


def _now(project: Project, ref: str, title: str) -> Frozen | None:
    head = head_of(project, ref, title)
    return None if head is None else Frozen(project, project.records.get_commit(head).snapshot)


def _written(
    project: Project,
    ref: str,
    edits: list[Edit],
    key: str,
    size: int,
    author: str,
    more: dict[str, str] | None = None,
) -> models.Commit:
    text = to_text(key)
    said = {"upload.type": "S3", "upload.file": text, "upload.bytes": str(size)}
    try:
        return project.write(
            edits,
            author=author,
            message=f"Uploaded {text} ({human(size)})",
            type="upload",
            metadata=said | (more or {}),
            ref=ref,
        )
    except PathNotFoundError as error:
        raise ApiError(409, "exists", str(error)) from None


def _no_commit(snapshot: str) -> ApiError:
    return ApiError(404, "not_found", f"There is no commit {snapshot[:80]!r}.")


def disposition(key: str) -> str:
    """Return the header that names a download; what ASCII cannot hold is in its second form."""
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", key)
    text = f'attachment; filename="{plain}"'
    if plain == key:
        return text
    return f"{text}; filename*=UTF-8''{quote(os.fsencode(key), safe='')}"
