# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A new snapshot from an old one and a list of changes, without any live folder.

Only folders on the way to what changes are read and written again; all others, and all contents,
are shared with the snapshot before.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from dotscience_jupyter.snapshots.engine import (
    BadPathError,
    PathNotFoundError,
    Progress,
    Snapshot,
    SnapshotError,
)
from dotscience_jupyter.snapshots.ignore import NEVER

from . import objects
from .capture import Capture, Clock
from .database import Session
from .objects import FILE, FOLDER, LINK, LISTED_FILE, Item, Root
from .packs import hash_bytes
from .scan import MAX_DEPTH, store_page_list, store_pages, stored
from .trees import Trees

FOLDER_MODE = 0o755
"""Permissions of folders that are made on the way to a file, and of a root that was not there."""

_MAX_NAME = 255
_MAX_TARGET = 4095
_MAX_ENTRY = objects.ENTRY_HEAD.size + _MAX_NAME + _MAX_TARGET
"""No entry takes more bytes: what files and folders have instead of a target is shorter."""
_SAY_EVERY = 1 << 25


@dataclass(slots=True)
class Edit:
    """One change: a file, link or folder to be put at a path, or, with none of these, removed.

    Attributes
    ----------
    path
        A folder path. A file or link replaces whatever is there, a folder with all that is in it
        as well. Folders on the way are made.
    source
        The file's content. A stream is read to its end, in parts, and not closed.
    mode
        Permission bits; not looked at for links.
    mtime_ns
        Modification time in nanoseconds since 1970; None for now.
    target
        Where the symbolic link points.
    folder
        Put a folder there, or give the one that is there these permissions and this time; what
        is in it stays. The path ``""`` is the root.
    """

    path: str
    source: BinaryIO | bytes | None
    mode: int = 0o644
    mtime_ns: int | None = None
    target: str | None = None
    folder: bool = False


class _Folder:
    """A folder that is being changed: what it was, and what is another in it now."""

    __slots__ = ("changed", "mode", "mtime_ns", "tree")

    def __init__(self, mode: int, mtime_ns: int, tree: bytes = b"") -> None:
        self.mode = mode
        self.mtime_ns = mtime_ns
        self.tree = tree  # what it was; empty for a new one
        self.changed: dict[str, Item | _Folder | None] = {}


class Editing:
    """The making of one snapshot. The caller holds the store's shared lock.

    Parameters
    ----------
    session
        What objects are added to; the caller commits it.
    """

    def __init__(
        self, trees: Trees, session: Session, clock: Clock, progress: Progress | None
    ) -> None:
        self._trees = trees
        self._session = session
        self._progress = progress
        self._capture = Capture(clock, session, self._on_read)
        self._now = time.time_ns()
        self._files = self._bytes = 0
        self._path = ""
        self._read = self._unsaid = 0

    def run(self, base: str | None, edits: Iterable[Edit]) -> Snapshot:
        """Add the objects of the new snapshot to the session; return it.

        Raises
        ------
        BadPathError
            If no snapshot can hold one of the paths.
        PathNotFoundError
            If there is nothing to remove at a path, or a file is on the way to it.
        SnapshotError
            If an edit makes no sense, or its source cannot be read.
        """
        top = Root(FOLDER_MODE, 0, 0, 0, b"")
        if base is not None:
            top = self._trees.root(base)
        self._files, self._bytes = top.files, top.size
        root = _Folder(top.mode, top.mtime_ns, top.tree)
        try:
            for edit in edits:
                self._apply(root, edit)
        finally:
            self._capture.close()
        tree = self._store(root)
        data = objects.encode_snapshot(
            Root(root.mode, root.mtime_ns, self._files, self._bytes, tree)
        )
        digest = hash_bytes(data)
        self._session.put(digest, data)
        return Snapshot(digest.hex(), self._files, self._bytes)

    # -- one edit ------------------------------------------------------------------------------

    def _apply(self, root: _Folder, edit: Edit) -> None:
        names = _checked(edit)
        self._path = edit.path
        if edit.folder:
            self._put_folder(root, names, edit)
            return
        *above, name = names
        if edit.source is None and edit.target is None:
            self._remove(root, above, name, edit.path)
            return
        folder = self._make(root, above, edit.path)
        item = self._item(name, edit)
        if self._find(folder, name) != item:
            self._put(folder, name, item)

    def _item(self, name: str, edit: Edit) -> Item:
        """Store what an edit brings; return its entry."""
        mtime_ns = self._now if edit.mtime_ns is None else objects.storable_time(edit.mtime_ns)
        if edit.target is not None:
            size = len(os.fsencode(edit.target))
            return Item(name, LINK, 0o777, mtime_ns, size, b"", b"", edit.target)
        source = io.BytesIO(edit.source) if isinstance(edit.source, bytes) else edit.source
        assert source is not None
        try:
            size, digest, list_id = self._capture.store_stream(source)
        except OSError as error:
            raise SnapshotError(
                f"What is to be stored as {edit.path!r} could not be read: "
                f"{error.strerror or error}. Nothing was changed. Try again."
            ) from error
        code = LISTED_FILE if list_id else FILE
        return Item(name, code, edit.mode, mtime_ns, size, digest, list_id, "")

    def _put_folder(self, root: _Folder, names: list[str], edit: Edit) -> None:
        folder = root
        if names:
            *above, name = names
            parent = self._make(root, above, edit.path)
            found = self._find(parent, name)
            if isinstance(found, Item) and found.code != FOLDER:
                self._put(parent, name, None)
            folder = self._make(root, names, edit.path)
        folder.mode = edit.mode
        folder.mtime_ns = self._now if edit.mtime_ns is None else edit.mtime_ns
        folder.mtime_ns = objects.storable_time(folder.mtime_ns)

    def _remove(self, root: _Folder, above: list[str], name: str, path: str) -> None:
        folder: _Folder | None = root
        for part in above:
            folder = None if folder is None else self._below(folder, part)
        if folder is None or self._find(folder, name) is None:
            raise PathNotFoundError(
                f"There is no {path!r} in the snapshot, so it cannot be removed. Nothing was "
                "changed."
            )
        self._put(folder, name, None)

    # -- folders -------------------------------------------------------------------------------

    def _find(self, folder: _Folder, name: str) -> Item | _Folder | None:
        if name in folder.changed:
            return folder.changed[name]
        return self._trees.named(folder.tree, (name,)).get(name) if folder.tree else None

    def _put(self, folder: _Folder, name: str, entry: Item | _Folder | None) -> None:
        """Let a name in a folder mean something else, or nothing."""
        for each, step in ((self._find(folder, name), -1), (entry, 1)):
            if each is not None:
                self._count(each, step)
        folder.changed[name] = entry
        folder.mtime_ns = self._now

    def _below(self, folder: _Folder, name: str) -> _Folder | None:
        """Return a folder in a folder, ready to be changed; None if there is none."""
        found = self._find(folder, name)
        if isinstance(found, Item):
            if found.code != FOLDER:
                return None
            found = folder.changed[name] = _Folder(found.mode, found.mtime_ns, found.digest)
        return found

    def _make(self, root: _Folder, names: list[str], path: str) -> _Folder:
        """Return the folder that some names lead to, made if need be."""
        folder = root
        for number, name in enumerate(names, 1):
            below = self._below(folder, name)
            if below is None:
                if self._find(folder, name) is not None:
                    raise PathNotFoundError(
                        f"{'/'.join(names[:number])!r} is not a folder in the snapshot, so "
                        f"{path!r} cannot be in it. Nothing was changed. Remove it first, or "
                        "choose another name."
                    )
                below = _Folder(FOLDER_MODE, self._now)
                self._put(folder, name, below)
            folder = below
        return folder

    def _count(self, entry: Item | _Folder, step: int) -> None:
        """Add the files and bytes of an entry to those of the snapshot, or take them away."""
        pending: list[Item | _Folder] = [entry]
        while pending:
            entry = pending.pop()
            if isinstance(entry, _Folder):
                items = self._trees.items(entry.tree) if entry.tree else {}
                overlaid: dict[str, Item | _Folder | None] = {**items, **entry.changed}
                pending.extend(each for each in overlaid.values() if each is not None)
            elif entry.code == FOLDER:
                pending.extend(self._trees.items(entry.digest).values())
            elif entry.code != LINK:
                self._files += step
                self._bytes += step * entry.size

    # -- storing -------------------------------------------------------------------------------

    def _store(self, folder: _Folder) -> bytes:
        """Add the objects of a folder, and of those below it that changed; return its id."""
        changed = {name: self._encoded(name, each) for name, each in folder.changed.items()}
        if folder.tree and not changed:
            return folder.tree
        pages = self._trees.pages(folder.tree) if folder.tree else []
        if len(pages) > 1 and self._stays_paged(pages, changed):
            return store_page_list(self._new_pages(pages, changed), self._session)
        entries: dict[str, bytes] = {}
        for page in pages:
            entries.update(
                (item.name, objects.encode_item(item)) for item in self._trees.page(page)
            )
        return store_pages(_overlaid(entries, changed), self._session)

    def _encoded(self, name: str, entry: Item | _Folder | None) -> bytes | None:
        if isinstance(entry, _Folder):
            tree = self._store(entry)
            return objects.encode_folder_entry(name, entry.mode, entry.mtime_ns, tree)
        return None if entry is None else objects.encode_item(entry)

    def _stays_paged(self, pages: list[bytes], changed: dict[str, bytes | None]) -> bool:
        """Whether a folder is sure to have so many entries that it is stored in pages."""
        gone = sum(each is None for each in changed.values())
        return gone == 0 or self._trees.size(pages) // _MAX_ENTRY - gone > objects.PAGED_FROM

    def _new_pages(self, pages: list[bytes], changed: dict[str, bytes | None]) -> list[bytes]:
        """Return the pages of a folder in which some entries changed; other pages stay."""
        touched: dict[int, dict[str, bytes | None]] = {}
        for name, each in changed.items():
            touched.setdefault(self._trees.page_for(pages, name), {})[name] = each
        result: list[bytes] = []
        # what begins a page whose end is not reached
        entries: dict[str, bytes] = {}
        for number, page in enumerate(pages):
            if not entries and number not in touched:
                result.append(page)
                continue
            for item in self._trees.page(page):
                entries[item.name] = objects.encode_item(item)
            entries = _overlaid(entries, touched.get(number, {}))
            whole, rest = objects.split_pages(objects.sorted_names(entries), entries)
            result += [stored(each, self._session) for each in whole]
            entries = {name: entries[name] for name in rest}
        if entries:
            result.append(stored(objects.encode_page(entries, entries), self._session))
        return result

    def _on_read(self, count: int) -> None:
        self._read += count
        self._unsaid += count
        if self._progress is not None and self._unsaid >= _SAY_EVERY:
            self._unsaid = 0
            self._progress(self._read, 0, f"Storing {self._path}")


def _overlaid(entries: dict[str, bytes], changed: dict[str, bytes | None]) -> dict[str, bytes]:
    """Return entries with some changes, None for those that go."""
    overlaid = {**entries, **changed}
    return {name: each for name, each in overlaid.items() if each is not None}


def _checked(edit: Edit) -> list[str]:
    """Return the names that an edit's path consists of, or raise."""
    what = [edit.source is not None, edit.target is not None, edit.folder]
    if sum(what) > 1:
        raise SnapshotError(
            f"The edit of {edit.path!r} is more than one of a file, a link and a folder. Nothing "
            "was changed."
        )
    if not 0 <= edit.mode <= 0o7777:
        raise SnapshotError(
            f"{edit.path!r} cannot have the permissions {edit.mode:o}. Nothing was changed. They "
            "are at most 7777 in octal."
        )
    if edit.target is not None:
        raw = _encoded(edit.target)
        if not raw or b"\0" in raw or len(raw) > _MAX_TARGET:
            raise BadPathError(
                f"No link can point to {edit.target[:80]!r}. Nothing was changed. A target is 1 "
                f"to {_MAX_TARGET} bytes without NUL."
            )
    return check_path(edit.path) if edit.path or not edit.folder else []


def check_path(path: str) -> list[str]:
    """Return the names that a path consists of. Raise BadPathError if no snapshot can hold it."""
    reason = path_trouble(path)
    if reason:
        raise BadPathError(
            f"No snapshot can hold the path {path[:200]!r}: {reason}. Nothing was changed. Choose "
            "another name."
        )
    return path.split("/")


def path_trouble(path: str) -> str:
    """Return why no snapshot can hold a folder path, "" if one can."""
    names = path.split("/")
    if not _encoded(path):
        return "it is empty, or no text" if not path else "it holds characters that no name can"
    if len(names) > MAX_DEPTH:
        return f"it is nested more than {MAX_DEPTH} folders deep"
    for name in names:
        if name in ("", ".", ".."):
            return f"{name!r} is not a name of a file or folder"
        if "\0" in name:
            return "a name holds a NUL"
        if len(os.fsencode(name)) > _MAX_NAME:
            return f"a name is longer than {_MAX_NAME} bytes"
        if name in NEVER:
            return f"{name!r} is never part of a snapshot"
    return ""


def _encoded(text: str) -> bytes:
    """Return a text as the file system has it; nothing if it cannot have it."""
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return b""
