# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""All versions of the objects of a bucket: the commits that wrote or removed each file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.records import from_text, models, to_text
from dotscience_jupyter.records.fileversions import LAST, Listed
from dotscience_jupyter.snapshots.engine import Entry, Kind, PathNotFoundError

from .errors import invalid
from .keys import path_of
from .listing import FolderCache, Folders, Walk, common_prefix
from .objects import etag_of
from .ranges import moment_of

_STEP = 1000


@dataclass(frozen=True)
class Version:
    """One version of an object; without an ETag it is its deletion."""

    key: str
    id: str
    latest: bool
    modified: datetime
    etag: str | None
    size: int


@dataclass
class VersionPage:
    """Some of the versions asked for."""

    items: list[Version | str] = field(default_factory=list)  # a text is a common prefix
    truncated: bool = False
    last_key: str = ""
    last_version: str = ""


class Versions:
    """The versions of the files of a project, by key, of one key the newest first."""

    def __init__(self, project: Project, cache: FolderCache) -> None:
        self._project = project
        self._cache = cache
        self._first = project.records.files.first()
        self._commits: dict[int, models.Commit] = {}

    def page(
        self, prefix: str, delimiter: str, key_marker: str, version_marker: str, most: int
    ) -> VersionPage:
        """Return the first versions after a marker.

        Parameters
        ----------
        key_marker, version_marker
            Where to go on: after all of a key, or after one version of it. "" for the beginning.

        Raises
        ------
        S3Error
            InvalidArgument for a version that the key does not have.
        """
        found = VersionPage()
        if most <= 0 or self._first is None:
            return found
        skip = ""
        if key_marker and common_prefix(key_marker, prefix, delimiter) == key_marker:
            skip = key_marker
        if version_marker:
            for each in self._after(key_marker, version_marker):
                if not _add(found, each, most):
                    return found
        keys = self._keys(prefix, key_marker, skip)
        while (pair := next(keys, None)) is not None:
            key, rows = pair
            common = common_prefix(key, prefix, delimiter)
            if common:
                if any(True for _ in self._of(key, rows)):
                    if not _add(found, common, most):
                        return found
                    keys = self._keys(prefix, common, common)
                continue
            for version in self._of(key, rows):
                if not _add(found, version, most):
                    return found
        return found

    def _after(self, key: str, marker: str) -> Iterator[Version]:
        """Return the versions of a key that are older than one of them."""
        text = to_text(key)
        group = next(self._groups(text, (text, LAST)), [])
        versions = self._of(key, group if group and group[0].path == text else [])
        for version in versions:
            if version.id == marker:
                return versions
        raise invalid("version-id-marker", "The object has no such version.")

    def _keys(self, prefix: str, after: str, skip: str) -> Iterator[tuple[str, list[Listed]]]:
        """Yield all keys that any commit has, sorted, each once, with what changed them."""
        assert self._first is not None
        snapshot = self._first.snapshot
        folders = Folders(
            lambda path: self._project.engine.list(snapshot, path), self._cache, snapshot
        )
        walk = Walk(folders, prefix, after)
        if skip:
            walk.skip(skip)
        first = (key for key, entry in walk if entry.kind is Kind.FILE)
        last = skip + "\U0010ffff" if skip else after
        groups = self._groups(to_text(prefix), (to_text(last), 0) if last else None)
        one, other = next(first, None), next(groups, None)
        while one is not None or other is not None:
            changed = None if other is None else from_text(other[0].path)
            key = min(each for each in (one, changed) if each is not None)
            yield key, other if other is not None and changed == key else []
            if one == key:
                one = next(first, None)
            if changed == key:
                other = next(groups, None)

    def _groups(self, prefix: str, after: tuple[str, int] | None) -> Iterator[list[Listed]]:
        """Yield what commits tell of files, for one file after the other, newest first."""
        group: list[Listed] = []
        while True:
            rows = self._project.records.files.versions(prefix, after=after, limit=_STEP)
            known = {row.sequence for row in rows} - self._commits.keys()
            self._commits.update(self._project.records.files.commits(known))
            for row in rows:
                if group and row.path != group[0].path:
                    yield group
                    group = []
                if path_of(from_text(row.path)) is not None:
                    group.append(row)
            if len(rows) < _STEP:
                break
            after = rows[-1].path, rows[-1].sequence
        if group:
            yield group

    def _of(self, key: str, rows: list[Listed]) -> Iterator[Version]:
        """Yield the versions of a key, newest first."""
        assert self._first is not None
        versions: list[Version] = []
        entry = self._entry(self._first, key)
        was_file = entry is not None
        if entry is not None:
            versions.append(_version(key, self._first.id, entry))
        for row in reversed(rows):
            if row.change != "removed":
                entry = self._entry(self._commits[row.sequence], key)
                was_file = entry is not None
                if entry is not None:
                    versions.append(_version(key, row.commit, entry))
            elif was_file:
                versions.append(Version(key, row.commit, False, row.created, None, 0))
                was_file = False
        for place, each in enumerate(reversed(versions)):
            yield each if place else replace(each, latest=True)

    def _entry(self, commit: models.Commit, path: str) -> Entry | None:
        """Return a file in a commit; a folder's key has no versions."""
        try:
            entry = self._project.engine.entry(commit.snapshot, path)
        except PathNotFoundError:
            return None
        return entry if entry.kind is Kind.FILE else None


def _version(key: str, commit: str, entry: Entry) -> Version:
    return Version(key, commit, False, moment_of(entry.mtime_ns), etag_of(entry), entry.size)


def _add(found: VersionPage, item: Version | str, most: int) -> bool:
    """Add to a page; return False, and say that there is more, if it is full."""
    if len(found.items) == most:
        found.truncated = True
        return False
    found.items.append(item)
    found.last_key = item if isinstance(item, str) else item.key
    found.last_version = "" if isinstance(item, str) else item.id
    return True
