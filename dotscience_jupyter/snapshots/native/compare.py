# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two trees on disk differ; the rules of what is listed are those of the embedded engine.

A folder is a set of files and links; folders themselves are listed only where an empty one came or
went, or where the permissions of one that stayed are others.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dotscience_jupyter.snapshots.embedded.capture import fingerprint
from dotscience_jupyter.snapshots.engine import Change, Kind, PathNotFoundError
from dotscience_jupyter.snapshots.ignore import IGNORE_FILE, MARKERS

from .tree import Node, Open, Tree

Touched = dict[str, bool]
"""Paths of a snapshot or of the one before that may differ; True: so may all that is below."""

TICK_NS = 20_000_000
"""Kernels stamp files by a clock that ticks every 1 to 10 ms: two writes can look like one."""


class Differs(NamedTuple):
    """One path that differs."""

    path: str
    change: Change
    old: Node | None
    new: Node | None


def unchanged(old: Node, new: Node, frozen_ns: int) -> bool:
    """Whether two nodes are the same file, and nobody can have written to it in between.

    A native snapshot keeps inodes and ctimes, and a ctime cannot be set. Of a file that was
    written just before the snapshot was taken (at ``frozen_ns``) they say nothing: a write right
    after it may have left the same times.
    """
    known = fingerprint(old.status)
    _, _, mtime_ns, ctime_ns, _ = known
    return known == fingerprint(new.status) and max(mtime_ns, ctime_ns) < frozen_ns - TICK_NS


class Comparison:
    """Compares two trees.

    Parameters
    ----------
    old
        The older tree, frozen; None for an empty folder.
    frozen_ns
        When it was frozen, nanoseconds since 1970.
    same_content
        Tells whether two open files of the same size hold the same bytes.
    exact
        Whether times of files, and the permissions of the root folder, count as well.
    on_node
        Called for each path that is looked at.
    """

    def __init__(
        self,
        old: Tree | None,
        new: Tree,
        frozen_ns: int,
        same_content: Callable[[int, int, int], bool],
        *,
        exact: bool = False,
        on_node: Callable[[], None] = lambda: None,
    ) -> None:
        self._old = old
        self._new = new
        self._frozen_ns = frozen_ns
        self._same_content = same_content
        self._exact = exact
        self._on_node = on_node

    def run(self, under: str = "", touched: Touched | None = None) -> Iterator[Differs]:
        """Yield what differs at and below a path, in no particular order.

        Parameters
        ----------
        touched
            What may differ; None if that is not known.

        Raises
        ------
        PathNotFoundError
            If neither tree has the path.
        """
        old, new = self._at(self._old, under), self._at(self._new, under)
        if old is None and new is None:
            raise PathNotFoundError(f"Neither snapshot holds {under!r}.")
        if touched is None:
            yield from self._pair(under, old, new, deep=True)
            return
        told: set[str] = set()
        for path, deep in to_look_at(touched, under):
            old, new = self._at(self._old, path), self._at(self._new, path)
            for differs in self._pair(path, old, new, deep=deep):
                if differs.path not in told:
                    told.add(differs.path)
                    yield differs

    @staticmethod
    def _at(tree: Tree | None, path: str) -> Node | None:
        if tree is None:
            return None
        try:
            return tree.node(path)
        except PathNotFoundError:
            return None

    def _pair(
        self, path: str, old: Node | None, new: Node | None, *, deep: bool
    ) -> Iterator[Differs]:
        """Compare what is at a path; opens the folders above it."""
        above = path.rpartition("/")[0]
        with contextlib.ExitStack() as stack:
            folders: list[Open | None] = []
            for tree, node in ((self._old, old), (self._new, new)):
                folder = None
                if tree is not None and node is not None:
                    try:
                        folder = stack.enter_context(tree.folder(above))
                    except PathNotFoundError:
                        node = None
                folders.append(folder)
            yield from self._nodes(path, old, new, folders[0], folders[1], deep)

    def _nodes(
        self,
        path: str,
        old: Node | None,
        new: Node | None,
        old_above: Open | None,
        new_above: Open | None,
        deep: bool,
    ) -> Iterator[Differs]:
        self._on_node()
        if old is None and new is None:
            return
        if old is not None and new is not None and old.kind is new.kind is Kind.FOLDER:
            if old.mode != new.mode and (path or self._exact):
                yield Differs(path, Change.MODIFIED, old, new)
            if deep or old.status.st_ino != new.status.st_ino:
                yield from self._below(path, old_above, new_above, old.name)
            return
        before = self._leaves(self._old, old_above, old)
        after = self._leaves(self._new, new_above, new)
        if old is not None and new is not None:
            first, second = list(before), list(after)
            if first and second and first[0].path == second[0].path:
                # one thing became another under the same name
                a, b = first.pop(0), second.pop(0)
                if not self._same(a, b):
                    yield Differs(path, Change.MODIFIED, a, b)
            before, after = iter(first), iter(second)
        for node in before:
            yield Differs(node.path, Change.REMOVED, node, None)
        for node in after:
            yield Differs(node.path, Change.ADDED, None, node)

    def _below(
        self, path: str, old_above: Open | None, new_above: Open | None, name: str
    ) -> Iterator[Differs]:
        with contextlib.ExitStack() as stack:
            found: list[tuple[Open | None, dict[str, Node]]] = []
            for tree, above in ((self._old, old_above), (self._new, new_above)):
                folder, nodes = None, {}
                if tree is not None and above is not None:
                    folder = (
                        stack.enter_context(tree.inside(above, name))
                        if path
                        else above  # the root is its own folder above
                    )
                    if folder is not None:
                        nodes = {node.name: node for node in tree.children(folder)}
                found.append((folder, nodes))
            (old_folder, olds), (new_folder, news) = found
            for child in olds.keys() | news.keys():
                self._on_node()
                old, new = olds.get(child), news.get(child)
                if (
                    old is not None
                    and new is not None
                    and old.kind is not Kind.FOLDER
                    and unchanged(old, new, self._frozen_ns)
                ):
                    continue
                place = f"{path}/{child}" if path else child
                yield from self._nodes(place, old, new, old_folder, new_folder, True)

    def _leaves(self, tree: Tree | None, above: Open | None, node: Node | None) -> Iterator[Node]:
        """Yield the files, links and empty folders that a node stands for."""
        if tree is None or above is None or node is None:
            return
        if node.kind is not Kind.FOLDER:
            yield node
            return
        with contextlib.ExitStack() as stack:
            inside = stack.enter_context(tree.inside(above, node.name)) if node.path else above
            children = [] if inside is None else tree.children(inside)
            if not children and node.path:
                yield node
            for child in children:
                yield from self._leaves(tree, inside, child)

    def _same(self, old: Node, new: Node) -> bool:
        """Whether kind, permissions and content are the same; a touched file is not another one."""
        if (old.kind, old.mode, old.size, old.target) != (new.kind, new.mode, new.size, new.target):
            return False
        if self._exact and old.status.st_mtime_ns != new.status.st_mtime_ns:
            return False
        if old.kind is not Kind.FILE or not old.size or unchanged(old, new, self._frozen_ns):
            return True
        assert self._old is not None
        with contextlib.ExitStack() as stack:
            fds: list[int] = []
            for tree, node in ((self._old, old), (self._new, new)):
                try:
                    fd = tree.open(node.path)
                except PathNotFoundError:
                    return False  # gone from the live folder since it was listed
                stack.callback(os.close, fd)
                fds.append(fd)
            return self._same_content(fds[0], fds[1], old.size)


def to_look_at(touched: Touched, under: str = "") -> Iterator[tuple[str, bool]]:
    """Yield the paths at or below ``under`` to look at, none of them below a deep one.

    Where the rules changed, all that they speak of is to be looked at.
    """
    wanted: Touched = {}
    for path, deep in touched.items():
        above, _, name = path.rpartition("/")
        if name == IGNORE_FILE or name in MARKERS:
            path, deep = above, True
        wanted[path] = wanted.get(path, False) or deep
    if any(wanted.get(path) for path in (under, *above_of(under))):
        yield under, True
        return
    for path, deep in wanted.items():
        if under and path != under and not path.startswith(f"{under}/"):
            continue
        if not any(wanted.get(above) for above in above_of(path)):
            yield path, deep


def with_all_names(
    touched: Touched, places: Iterable[str], names: Callable[[int], list[str] | None]
) -> Touched | None:
    """Return what may differ with all names of the files that have several.

    Parameters
    ----------
    touched
        What may differ, where a file may be told by one of its names.
    places
        Where the trees are that are compared.
    names
        Returns all paths of a file by its inode; None where that is not known.

    Returns
    -------
    dict or None
        None where all is to be looked at, because it cannot be told.
    """
    result = dict(touched)
    places = list(places)
    for path in [path for path, deep in touched.items() if path and not deep]:
        found = False
        for place in places:
            try:
                status = os.lstat(f"{place}/{path}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                return None  # a path that is too long for the system
            found = True
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                others = names(status.st_ino)
                if others is None:
                    return None
                for name in others:
                    result.setdefault(name, False)
        if not found:
            return None  # it was named as it was for a moment only
    return result


def above_of(path: str) -> Iterator[str]:
    """Yield the paths of the folders above, the root ("") last; nothing for the root."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def same_bytes(old_fd: int, new_fd: int, size: int) -> bool:
    """Whether two open files of the same size hold the same bytes; reads both."""
    at = 0
    while at < size:
        data = os.pread(old_fd, 1 << 20, at)
        if not data or data != os.pread(new_fd, len(data), at):
            return not data and not os.pread(new_fd, 1, at)
        at += len(data)
    return True
