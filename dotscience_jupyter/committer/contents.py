# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What snapshots hold under a path, without waiting for what is large to be read."""

from __future__ import annotations

from dotscience_jupyter.snapshots.engine import (
    Engine,
    Entry,
    Kind,
    PathNotFoundError,
    SnapshotError,
)

EAGER = 64 * 1024 * 1024
"""Bytes up to which a declared file is hashed for its commit where no digest is known yet."""


class Contents:
    """Entries of an engine's snapshots; remembers what it asked.

    The digest of a large file may be "" while it is not known: a commit must not wait until a
    hundred gigabytes were read that the engine froze at once.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lists: dict[tuple[str, str], dict[str, Entry]] = {}
        self._settled_ones: dict[str, bool] = {}

    def find(self, snapshot: str, path: str) -> Entry | None:
        """Return an entry, or None where there is none."""
        try:
            if not path or self._is_settled(snapshot):
                return self._engine.entry(snapshot, path)
            folder = path.rpartition("/")[0]
            if (snapshot, folder) not in self._lists:
                found = self._engine.list(snapshot, folder)
                self._lists[snapshot, folder] = {entry.path: entry for entry in found}
            return self.known(snapshot, self._lists[snapshot, folder].get(path))
        except PathNotFoundError:
            return None

    def known(self, snapshot: str, entry: Entry | None) -> Entry | None:
        """Return an entry with its digest, unless it would take long to compute that."""
        if entry is None or entry.digest or entry.kind is not Kind.FILE or entry.size > EAGER:
            return entry
        return self._engine.entry(snapshot, entry.path)

    def files(self, snapshot: str, folder: str, most: int) -> list[str]:
        """Return the paths of the files and links below a folder; none if there are too many."""
        files: list[str] = []
        for entry in self._engine.walk(snapshot, folder):
            if entry.kind is not Kind.FOLDER:
                files.append(entry.path)
                if len(files) > most:
                    return []
        return files

    def _is_settled(self, snapshot: str) -> bool:
        """Whether all digests of a snapshot are known."""
        if snapshot not in self._settled_ones:
            try:
                known = self._engine.content_id(snapshot, compute=False)
            except SnapshotError:
                known = ""  # damaged: who reads it is told
            self._settled_ones[snapshot] = bool(known)
        return self._settled_ones[snapshot]
