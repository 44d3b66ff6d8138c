# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is known of the objects that a dataset's files came from: ``.dotscience/s3/state.db``.

SQLite, because a bucket may have millions of objects, and what differs is a question about two
lists. It can be deleted: then files are compared with their ETags. There are no credentials in it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .bucket import Object
from .keys import KeyRules, Skipped
from .source import Source, SourceError

_FORMAT = 1
REPORTED = 1000
"""Objects that are left out of which each is told; of more, their number."""

_TABLES = """
CREATE TABLE IF NOT EXISTS source (format INTEGER, document TEXT, pinned INTEGER);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, etag TEXT, version TEXT, size INTEGER, mtime INTEGER, folder INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listed (
    name TEXT PRIMARY KEY, path TEXT, key TEXT, etag TEXT, version TEXT, size INTEGER,
    modified INTEGER, folder INTEGER, todo INTEGER DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS listed_path ON listed (path);
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A file as it was when it was put into place.

    Attributes
    ----------
    size
        Bytes.
    mtime
        Its time, in nanoseconds since 1970.
    """

    path: str
    etag: str
    version: str
    size: int
    mtime: int
    folder: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object of the newest listing with the path that it has here."""

    path: str
    object: Object
    folder: bool = False


class State:
    """The file; for one thread.

    Raises
    ------
    SourceError
        ``unreadable`` where it is damaged or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES)
            row = self._db.execute("SELECT format FROM source").fetchone()
            if row is not None and row[0] != _FORMAT:
                raise sqlite3.DatabaseError("a newer version of dotscience-jupyter wrote it")
        except (OSError, sqlite3.Error) as error:
            raise SourceError(
                "unreadable",
                f"{path}, which tells where this dataset's files came from, cannot be used "
                f"({error}). Nothing was changed. If it is deleted, the next import compares the "
                "files with the bucket instead.",
            ) from None

    def close(self) -> None:
        """Close it; what was noted is kept."""
        self._db.close()

    def __enter__(self) -> State:
        self._db.execute("BEGIN")
        return self

    def __exit__(self, *error: object) -> None:
        self.save()
        self.close()

    def save(self) -> None:
        """Make what was noted permanent."""
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")

    # -- the source -------------------------------------------------------------------------------

    def source(self) -> tuple[Source, bool] | None:
        """Return where the files come from and whether they are only pointed to."""
        row = self._db.execute("SELECT document, pinned FROM source").fetchone()
        return None if row is None else (Source.of_document(json.loads(row[0])), bool(row[1]))

    def set_source(self, source: Source, pinned: bool) -> None:
        """Note where they come from."""
        self._db.execute("DELETE FROM source")
        document = json.dumps(source.document(), sort_keys=True)
        self._db.execute("INSERT INTO source VALUES (?, ?, ?)", (_FORMAT, document, pinned))

    # -- what is here -----------------------------------------------------------------------------

    def known(self, path: str) -> Known | None:
        """Return what was noted of a file."""
        row = self._db.execute(
            "SELECT path, etag, version, size, mtime, folder FROM files WHERE path = ?", (path,)
        ).fetchone()
        return None if row is None else _known(row)

    def put(self, known: Known) -> None:
        """Note a file that is in place."""
        self._db.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            (known.path, known.etag, known.version, known.size, known.mtime, known.folder),
        )

    def forget(self, path: str) -> None:
        """Note that a file is gone."""
        self._db.execute("DELETE FROM files WHERE path = ?", (path,))

    def surplus(self) -> list[Known]:
        """Return what is here and not listed, or listed as another kind; the deepest first."""
        rows = self._db.execute(
            "SELECT f.path, f.etag, f.version, f.size, f.mtime, f.folder FROM files f "
            "LEFT JOIN listed l ON l.path = f.path AND l.folder = f.folder "
            "WHERE l.path IS NULL ORDER BY f.path DESC"
        )
        return [_known(row) for row in rows]

    def stale(self) -> list[Known]:
        """Return what is here and not listed, or listed with another ETag."""
        rows = self._db.execute(
            "SELECT f.path, f.etag, f.version, f.size, f.mtime, f.folder FROM files f "
            "LEFT JOIN listed l ON l.path = f.path AND l.etag = f.etag "
            "WHERE l.path IS NULL ORDER BY f.path DESC"
        )
        return [_known(row) for row in rows]

    # -- what is listed ---------------------------------------------------------------------------

    def begin_listing(self) -> None:
        """Forget the listing of before."""
        self._db.execute("DELETE FROM listed")

    def add_listed(self, items: Iterable[Object], rules: KeyRules) -> list[Skipped]:
        """Note what a bucket has; return what cannot be a file."""
        skipped = []
        for item in items:
            path, folder, reason = rules.place(item.key)
            if not path and folder is False:
                continue  # the mark of the prefix's own folder
            if not reason and folder and item.size:
                reason = "its key is that of a folder, but it holds bytes"
            if not reason:
                done = self._db.execute(
                    "INSERT OR IGNORE INTO listed VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                    (
                        rules.name(path),
                        path,
                        item.key,
                        item.etag,
                        item.version,
                        item.size,
                        item.modified,
                        folder,
                    ),
                )
                if done.rowcount:
                    continue
                reason = "another key means the same file here"
            skipped.append(Skipped(item.key, reason))
        return skipped

    def drop_files_above_files(self) -> list[Skipped]:
        """Take out objects whose key is also a folder of other keys; return them."""
        rows = self._db.execute(
            # what begins with "name/" lies between that and "name0": 0 comes after the slash
            "SELECT name, key FROM listed l WHERE NOT folder AND EXISTS (SELECT 1 FROM listed b "
            "WHERE b.name > l.name || '/' AND b.name < l.name || '0')"
        ).fetchall()
        self._db.executemany("DELETE FROM listed WHERE name = ?", [(row[0],) for row in rows])
        why = "other keys lie below it, so it would have to be a file and a folder"
        return [Skipped(row[1], why) for row in rows]

    def wanted(self, *, todo: bool = False) -> Iterator[Wanted]:
        """Yield what is listed, sorted by path; with ``todo`` only what was marked so."""
        last = ""
        while rows := self._db.execute(
            # some at a time: what is read may be changed meanwhile
            "SELECT path, key, size, etag, modified, version, folder FROM listed "
            "WHERE path > ? AND todo >= ? ORDER BY path LIMIT 1000",
            (last, todo),
        ).fetchall():
            for path, *rest, folder in rows:
                yield Wanted(path, Object(*rest), bool(folder))
            last = rows[-1][0]

    def listed(self, path: str) -> Wanted | None:
        """Return what is listed under a path."""
        row = self._db.execute(
            "SELECT path, key, size, etag, modified, version, folder FROM listed WHERE path = ?",
            (path,),
        ).fetchone()
        return None if row is None else Wanted(row[0], Object(*row[1:6]), bool(row[6]))

    def mark(self, path: str) -> None:
        """Mark an object as one that has to be fetched."""
        self._db.execute("UPDATE listed SET todo = 1 WHERE path = ?", (path,))

    def marked(self) -> tuple[int, int]:
        """Return how many objects are marked, and their bytes."""
        row = self._db.execute("SELECT COUNT(*), SUM(size) FROM listed WHERE todo").fetchone()
        return int(row[0]), int(row[1] or 0)

    def set_version(self, path: str, version: str) -> None:
        """Note the version of a listed object, where the listing did not tell it."""
        self._db.execute("UPDATE listed SET version = ? WHERE path = ?", (version, path))

    def totals(self) -> tuple[int, int, str]:
        """Return how many files are listed, their bytes, and a SHA-256 over all objects.

        The digest is over one line an object, sorted by path: the JSON array of path, version,
        ETag and size, and a line feed. Folders' marks are in it as well.
        """
        count = size = 0
        digest = hashlib.sha256()
        for each in self.wanted():
            item = each.object
            line = json.dumps([each.path, item.version, item.etag, item.size])
            digest.update(line.encode() + b"\n")
            count += not each.folder
            size += item.size
        return count, size, digest.hexdigest()


def _known(row: tuple[str, str, str, int, int, int]) -> Known:
    path, etag, version, size, mtime, folder = row
    return Known(path, etag, version, size, mtime, bool(folder))
