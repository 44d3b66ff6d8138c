# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A folder on disk, frozen or live, as far as the ignore rules leave it.

A file system's snapshot holds everything. What is shown of it is what the rules leave, as its own
ignore files said when it was taken: the same that the embedded engine would have frozen.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from dotscience_jupyter.snapshots.engine import (
    CorruptStoreError,
    Entry,
    Kind,
    PathNotFoundError,
    Skipped,
    SnapshotError,
)
from dotscience_jupyter.snapshots.ignore import IGNORE_FILE, MARKERS, Rules, read_ignore_file

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_DEPTH = 200
"""Folders nested deeper than this are reported as skipped: each level costs an open descriptor."""

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_SPECIAL = {
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFIFO: "it is a named pipe",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}
_NAME = attrgetter("name")


class Node(NamedTuple):
    """One file, folder or symbolic link of a tree."""

    path: str
    name: str
    kind: Kind
    status: os.stat_result
    target: str = ""

    @property
    def mode(self) -> int:
        """The permission bits; all of them for links, whose own mean nothing."""
        return 0o777 if self.kind is Kind.SYMLINK else stat.S_IMODE(self.status.st_mode)

    @property
    def size(self) -> int:
        """Bytes; 0 for folders, length of the target for links."""
        if self.kind is Kind.SYMLINK:
            return len(os.fsencode(self.target))
        return self.status.st_size if self.kind is Kind.FILE else 0

    def entry(self, digest: str = "") -> Entry:
        """Return it as the interface shows it."""
        mtime = self.status.st_mtime_ns
        return Entry(self.path, self.kind, self.mode, self.size, mtime, digest, self.target)


class Open(NamedTuple):
    """An open folder of a tree, with the rules that are in force inside it."""

    fd: int
    path: str
    rules: Rules
    depth: int

    def place(self, name: str) -> str:
        """Return the folder path of what has this name in here."""
        return f"{self.path}/{name}" if self.path else name


class Tree:
    """One look at a folder.

    Parameters
    ----------
    root
        Where it is.
    is_other
        Tells from its status and that of the root whether a folder is none of the tree's own: the
        place where another file system or subvolume is mounted, which a snapshot does not hold.
    hidden
        Device and inode of a folder that is never shown: the store, wherever it is.
    rules
        Rules by what they were made of, to be used again.

    Attributes
    ----------
    skipped
        What was come across and could not be shown, and why.

    Raises
    ------
    SnapshotError
        If the folder cannot be read.
    """

    def __init__(
        self,
        root: str,
        is_other: Callable[[os.stat_result, os.stat_result], bool],
        hidden: tuple[int, int] | None = None,
        rules: dict[bytes, Rules] | None = None,
    ) -> None:
        self.root = root
        self.skipped: list[Skipped] = []
        self._is_other = is_other
        self._hidden = hidden
        self._rules = {} if rules is None else rules
        try:
            self.status = os.stat(root)
        except OSError as error:
            raise _unreadable(root, error) from error
        self._top = Rules()
        self._reads_all = os.geteuid() == 0

    # -- folders -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def top(self) -> Iterator[Open]:
        """Open the root folder."""
        try:
            fd = os.open(self.root, FOLDER_FLAGS & ~os.O_NOFOLLOW)
        except OSError as error:
            raise _unreadable(self.root, error) from error
        try:
            yield Open(fd, "", self._rules_in(fd, "", self._top), 0)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def inside(self, above: Open, name: str) -> Iterator[Open | None]:
        """Open a folder that :meth:`children` or :meth:`child` gave; None if it is gone."""
        try:
            fd = os.open(name, FOLDER_FLAGS, dir_fd=above.fd)
        except OSError as error:
            _raise_if_ours(error)
            if error.errno != errno.ENOENT:
                self._skip(above.place(name), _why(error))
            yield None
            return
        try:
            path = above.place(name)
            yield Open(fd, path, self._rules_in(fd, path, above.rules), above.depth + 1)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def folder(self, path: str) -> Iterator[Open]:
        """Open the folder at a path; raise PathNotFoundError where there is none to be shown."""
        with contextlib.ExitStack() as stack:
            here = stack.enter_context(self.top())
            for name in path.split("/") if path else []:
                node = self.child(here, name)
                if node is None:
                    raise PathNotFoundError(f"The snapshot holds no {path!r}.")
                if node.kind is not Kind.FOLDER:
                    raise PathNotFoundError(f"{path!r} is not a folder in this snapshot.")
                found = stack.enter_context(self.inside(here, name))
                if found is None:
                    raise PathNotFoundError(f"The snapshot holds no {path!r}.")
                here = found
            yield here

    def _rules_in(self, fd: int, path: str, above: Rules) -> Rules:
        content = read_ignore_file(IGNORE_FILE, fd)
        if content is None:
            return above
        key = above.id + os.fsencode(path) + b"\0" + content
        rules = self._rules.get(key)
        if rules is None:
            rules = self._rules[key] = above.child(path, content)
        return rules

    # -- what is in them -----------------------------------------------------------------------

    def node(self, path: str) -> Node:
        """Return what is at a path ("" is the root); raise PathNotFoundError if nothing is."""
        if not path:
            return Node("", "", Kind.FOLDER, self.status)
        above, slash, name = path.rpartition("/")
        found = None
        # "/name" has an empty folder above it, which is not the root
        if above or not slash:
            with contextlib.suppress(PathNotFoundError), self.folder(above) as folder:
                found = self.child(folder, name)
        if found is None:
            raise PathNotFoundError(f"The snapshot holds no {path!r}.")
        return found

    def children(self, folder: Open) -> list[Node]:
        """Return what is to be shown of an open folder, sorted by name."""
        try:
            with os.scandir(folder.fd) as found:
                entries = list(found)
        except OSError as error:
            _raise_if_ours(error)
            self._skip(folder.path, _why(error))
            return []
        entries.sort(key=_NAME)
        prefix = f"{folder.path}/" if folder.path else ""
        ignored = folder.rules.ignored
        nodes: list[Node] = []
        for entry in entries:
            name = entry.name
            path = prefix + name
            try:
                if ignored(path, name, entry.is_dir(follow_symlinks=False)):
                    continue
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                self._unseen(path, error)
                continue
            node = self._node(folder, name, path, status)
            if node is not None:
                nodes.append(node)
        return nodes

    def child(self, folder: Open, name: str) -> Node | None:
        """Return what has this name in an open folder, if it is to be shown."""
        if name in ("", ".", ".."):
            return None
        path = folder.place(name)
        try:
            status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
        except OSError as error:
            self._unseen(path, error)
            return None
        except ValueError:
            return None  # a name with a NUL is no name
        if folder.rules.ignored(path, name, stat.S_ISDIR(status.st_mode)):
            return None
        return self._node(folder, name, path, status)

    def _node(self, folder: Open, name: str, path: str, status: os.stat_result) -> Node | None:
        form = stat.S_IFMT(status.st_mode)
        if form == stat.S_IFREG:
            if self._reads_all or os.access(name, os.R_OK, dir_fd=folder.fd, effective_ids=True):
                return Node(path, name, Kind.FILE, status)
            self._skip(path, "this program may not read it")
            return None
        if form == stat.S_IFDIR:
            return self._folder(folder, name, path, status)
        if form == stat.S_IFLNK:
            try:
                target = os.readlink(name, dir_fd=folder.fd)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    self._skip(path, "it was being replaced while the folder was read")
                return None
            return Node(path, name, Kind.SYMLINK, status, target)
        reason = _SPECIAL.get(form, "it is neither file, folder nor link")
        self._skip(path, f"{reason}, which has no content to freeze")
        return None

    def _unseen(self, path: str, error: OSError) -> None:
        if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
            self._skip(path, f"it cannot be read: {error.strerror or error}")

    def _folder(self, above: Open, name: str, path: str, status: os.stat_result) -> Node | None:
        if (status.st_dev, status.st_ino) == self._hidden:
            return None
        if self._is_other(status, self.status):
            self._skip(path, "it is a file system of its own, which is not frozen with this one")
            return None
        if above.depth >= MAX_DEPTH:
            self._skip(path, f"it is nested more than {MAX_DEPTH} folders deep")
            return None
        try:
            fd = os.open(name, FOLDER_FLAGS, dir_fd=above.fd)
        except OSError as error:
            _raise_if_ours(error)
            if error.errno != errno.ENOENT:
                self._skip(path, _why(error))
            return None
        try:
            if _is_environment(fd) and not above.rules.keeps_environment(path):
                return None
        finally:
            os.close(fd)
        return Node(path, name, Kind.FOLDER, status)

    def walk(self, under: str = "") -> Iterator[Node]:
        """Yield all that is to be shown below a folder, depth first, sorted by name."""
        with self.folder(under) as folder:
            yield from self._walk(folder)

    def _walk(self, folder: Open) -> Iterator[Node]:
        for node in self.children(folder):
            yield node
            if node.kind is Kind.FOLDER:
                with self.inside(folder, node.name) as below:
                    if below is not None:
                        yield from self._walk(below)

    def open(self, path: str) -> int:
        """Open a file for reading and return its descriptor.

        Raises
        ------
        PathNotFoundError
            If there is no file at the path.
        CorruptStoreError
            If the file system cannot open it.
        """
        above, slash, name = path.rpartition("/")
        node = None
        try:
            if slash and not above:
                raise PathNotFoundError
            with self.folder(above) as folder:
                node = self.child(folder, name)
                if node is not None and node.kind is Kind.FILE:
                    return os.open(name, FILE_FLAGS, dir_fd=folder.fd)
        except PathNotFoundError:
            pass  # there is not even the folder
        except OSError as error:
            raise CorruptStoreError(
                f"{path!r} cannot be read: {error.strerror or error}."
            ) from error
        if node is None and path:
            raise PathNotFoundError(f"The snapshot holds no {path!r}.")
        raise PathNotFoundError(f"{path!r} is not a file in this snapshot.")

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))


class FrozenFile(io.FileIO):
    """A file of a snapshot; what cannot be read is damaged."""

    def __init__(self, fd: int, path: str) -> None:
        super().__init__(fd, "rb")
        self._path = path

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Read some bytes. Raise CorruptStoreError if they are damaged."""
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise self._damaged(error) from error

    def readall(self) -> bytes:
        """Read the rest. Raise CorruptStoreError if it is damaged."""
        try:
            return super().readall() or b""
        except OSError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: OSError) -> CorruptStoreError:
        return CorruptStoreError(f"{self._path!r} cannot be read: {error.strerror or error}.")


def _is_environment(fd: int) -> bool:
    for marker in MARKERS:
        try:
            os.stat(marker, dir_fd=fd, follow_symlinks=False)
        except OSError:
            continue
        return True
    return False


def _why(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "it was being replaced while the folder was read"
    return f"the folder cannot be read: {error.strerror or error}"


def _unreadable(root: str, error: OSError) -> SnapshotError:
    return SnapshotError(
        f"The folder {root} cannot be read: {error.strerror or error}. Nothing was changed."
    )


def _raise_if_ours(error: OSError) -> None:
    """Raise where a folder cannot be read because this process is out of something."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise SnapshotError(
            f"The folder could not be read: {error.strerror}. Nothing is lost. Close other "
            "programs or raise the limit (ulimit -n), then try again."
        ) from None
