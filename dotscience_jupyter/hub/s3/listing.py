# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Keys of a frozen folder in S3's order, page by page, without reading more than a page needs.

Keys are sorted by code points, which is the order of their UTF-8. A folder sorts as its name with
the slash, since that is what the keys in it begin with: ``a-b`` comes before ``a/b``.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dotscience_jupyter.snapshots.engine import Entry, Kind, PathNotFoundError

from .keys import is_object_name

MOST = 1000
"""Keys in one answer, at most."""

_AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True)
class Folder:
    """What is in a folder, in the order of its keys: those of folders end in a slash."""

    keys: list[str]
    entries: list[Entry]


class Folders:
    """The folders of one snapshot, as listings need them.

    Parameters
    ----------
    children
        Returns what is in a folder ("" is the root); raises PathNotFoundError.
    cache, name
        Where sorted folders are kept, and the snapshot's name in there.
    """

    def __init__(
        self,
        children: Callable[[str], list[Entry]],
        cache: FolderCache,
        name: str,
    ) -> None:
        self._children = children
        self._cache = cache
        self._name = name

    def folder(self, path: str) -> Folder:
        """Return a folder; one that does not exist is empty."""
        known = self._cache.get(self._name, path)
        if known is not None:
            return known
        try:
            entries = self._children(path)
        except PathNotFoundError:
            entries = []
        pairs = []
        for entry in entries:
            if entry.kind is Kind.SYMLINK or not is_object_name(entry.path):
                continue
            slash = "/" if entry.kind is Kind.FOLDER else ""
            pairs.append((entry.path + slash, entry))
        pairs.sort(key=lambda pair: pair[0])
        found = Folder([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        self._cache.put(self._name, path, found)
        return found


class FolderCache:
    """Sorted folders of lately listed snapshots. Snapshots never change, so it is never wrong."""

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Folder] = OrderedDict()
        self._count = 0

    def get(self, name: str, path: str) -> Folder | None:
        """Return a folder that is kept."""
        with self._lock:
            found = self._kept.get((name, path))
            if found is not None:
                self._kept.move_to_end((name, path))
            return found

    def put(self, name: str, path: str, folder: Folder) -> None:
        """Keep a folder, and let go of those that were not asked for lately."""
        with self._lock:
            if (name, path) in self._kept:
                return
            self._kept[name, path] = folder
            self._count += len(folder.keys) + 1
            while self._count > self._most and self._kept:
                self._count -= len(self._kept.popitem(last=False)[1].keys) + 1


@dataclass
class _Level:
    prefix: str
    folder: Folder
    at: int


class Walk:
    """Goes through the keys with a prefix that come after another text.

    Parameters
    ----------
    fold
        Whether a folder is given as its own key, with a slash at its end, instead of what is in it.
    """

    def __init__(self, folders: Folders, prefix: str, after: str = "", *, fold: bool = False):
        self._folders = folders
        self._prefix = prefix
        self._fold = fold
        self._stack: list[_Level] = []
        start = prefix[: prefix.rfind("/") + 1]
        if "//" in start or start.startswith("/"):
            return
        self._push(start)
        if after < prefix:
            top = self._stack[0]
            top.at = bisect_left(top.folder.keys, prefix)
            if start and start == prefix and not top.folder.keys:
                self._empty(prefix)
            return
        while True:
            top = self._stack[-1]
            top.at = bisect_right(top.folder.keys, after)
            last = top.folder.keys[top.at - 1] if top.at else ""
            if not last.endswith("/") or not after.startswith(last):
                return
            self._push(last)

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        return self

    def __next__(self) -> tuple[str, Entry]:
        while self._stack:
            top = self._stack[-1]
            if top.at >= len(top.folder.keys):
                self._stack.pop()
                continue
            key, entry = top.folder.keys[top.at], top.folder.entries[top.at]
            top.at += 1
            if not key.startswith(self._prefix):
                break
            if entry.kind is Kind.FILE or self._fold or key == self._prefix:
                return key, entry
            self._push(key)
            if not self._stack[-1].folder.keys:
                return key, entry
        self._stack.clear()
        raise StopIteration

    def _empty(self, prefix: str) -> None:
        """Begin with a folder itself, if there is one of that name with nothing in it."""
        outer = self._folders.folder(prefix[:-1].rpartition("/")[0])
        at = bisect_left(outer.keys, prefix)
        if outer.keys[at : at + 1] == [prefix]:
            only = Folder([prefix], [outer.entries[at]])
            self._stack.append(_Level(prefix, only, 0))

    def skip(self, prefix: str) -> None:
        """Go on after all keys that begin with a text."""
        while self._stack and self._stack[-1].prefix.startswith(prefix):
            self._stack.pop()
        if self._stack:
            top = self._stack[-1]
            top.at = max(top.at, bisect_left(top.folder.keys, prefix + _AFTER_ALL, top.at))

    def _push(self, prefix: str) -> None:
        self._stack.append(_Level(prefix, self._folders.folder(prefix.rstrip("/")), 0))


@dataclass
class Page:
    """Some of the keys asked for."""

    objects: list[tuple[str, Entry]] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: str = ""  # key or common prefix: what the next page comes after


def page(folders: Folders, prefix: str, delimiter: str, after: str, most: int) -> Page:
    """Return the first keys and common prefixes after a key or a common prefix.

    Parameters
    ----------
    delimiter
        Keys that have it after the prefix are told of by what they have up to it, once; "" to tell
        of all.
    most
        How many keys and common prefixes together; 0 gives none.
    """
    found = Page()
    if most <= 0:
        return found
    walk = Walk(folders, prefix, after, fold=delimiter == "/")
    if common_prefix(after, prefix, delimiter) == after and after:
        walk.skip(after)
    for key, entry in walk:
        if len(found.objects) + len(found.prefixes) == most:
            found.truncated = True
            break
        common = common_prefix(key, prefix, delimiter)
        if common:
            found.prefixes.append(common)
            walk.skip(common)
        else:
            found.objects.append((key, entry))
        found.last = common or key
    return found


def common_prefix(key: str, prefix: str, delimiter: str) -> str:
    """Return what stands for a key in a listing with a delimiter; "" if it is listed itself."""
    if not delimiter or not key.startswith(prefix):
        return ""
    end = key.find(delimiter, len(prefix))
    return "" if end < 0 else key[: end + len(delimiter)]
