# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Walking the live folder, with what is known from the last walk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from dotscience_jupyter.snapshots.engine import Skipped, SnapshotError
from dotscience_jupyter.snapshots.ignore import IGNORE_FILE, MARKERS, Rules, read_ignore_file

from . import objects
from .capture import (
    READ_FLAGS,
    Capture,
    Clock,
    Fingerprint,
    NotCapturedError,
    OtherKindError,
    fingerprint,
    is_settled,
)
from .database import Session
from .packs import hash_bytes

MAX_DEPTH = 200
"""Folders nested deeper than this are reported as skipped: each level costs an open descriptor."""

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_STEP = 256

_SPECIAL = {
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFIFO: "it is a named pipe",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}


class Folder:
    """What is known of one live folder. Never changed once made, so that walks can share them.

    Attributes
    ----------
    raw
        The encoded entry of each file and link; None for one that was not read (see Walk).
    prints
        The fingerprint of each file and link, None where it must be read again in any case.
    tree
        The id of the folder object; empty if something in it was not read.
    mtime_ns
        As of the last time when what the folder holds was seen to change: ignored and
        temporary files come and go without changing a snapshot.
    """

    __slots__ = (
        "bytes",
        "files",
        "folders",
        "ignored",
        "mode",
        "mtime_ns",
        "prints",
        "raw",
        "rules_id",
        "tree",
    )

    def __init__(self) -> None:
        self.mode = 0
        self.mtime_ns = 0
        self.raw: dict[str, bytes | None] = {}
        self.prints: dict[str, Fingerprint | None] = {}
        self.folders: dict[str, Folder] = {}
        self.ignored: dict[str, bool] = {}
        self.rules_id = b""
        self.tree = b""
        self.files = 0
        self.bytes = 0


_EMPTY = Folder()


class Walk:
    """One walk over the live folder.

    With a session, files whose fingerprint is unknown are read and stored and every folder of the
    result has its object in the store. Without one nothing is read: such files have no encoded
    entry in the result, and what ``lstat`` says of them is in :attr:`unread`.
    """

    def __init__(
        self,
        root: str,
        *,
        store: str,
        clock: Clock,
        capture: Capture,
        session: Session | None,
        rules: dict[bytes, Rules],
        on_file: Callable[[str], None] | None = None,
    ) -> None:
        self._root = root
        self._store_inode = _identity(store)
        self._clock = clock
        self._capture = capture
        self._session = session
        self._rules = rules
        self._on_file = on_file
        self.skipped: list[Skipped] = []
        self.unread: dict[str, os.stat_result] = {}

    def run(self, old: Folder | None) -> Folder:
        """Return the folder as it is now; ``old`` itself where nothing changed."""
        try:
            fd = os.open(self._root, _FOLDER_FLAGS & ~os.O_NOFOLLOW)
        except OSError as error:
            raise SnapshotError(
                f"The folder {self._root} cannot be read: {error.strerror or error}. "
                "Nothing was frozen."
            ) from error
        try:
            folder = self._folder(fd, "", old, Rules(), 0)
        except RecursionError:
            raise SnapshotError(
                f"The folder {self._root} is nested too deeply to be frozen."
            ) from None
        finally:
            os.close(fd)
        assert folder is not None
        self.skipped.sort(key=lambda skipped: skipped.path)
        return folder

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))

    def _rules_in(self, fd: int, path: str, above: Rules) -> Rules:
        content = read_ignore_file(IGNORE_FILE, fd)
        if content is None:
            return above
        key = above.id + hash_bytes(os.fsencode(path) + b"\0" + content)
        rules = self._rules.get(key)
        if rules is None:
            rules = self._rules[key] = above.child(path, content)
        return rules

    def _folder(
        self, fd: int, path: str, old: Folder | None, above: Rules, depth: int
    ) -> Folder | None:
        """Return the state of an open folder; None if it is ignored after all or cannot be read."""
        try:
            status = os.fstat(fd)
            with os.scandir(fd) as found:
                entries = list(found)
        except OSError as error:
            _raise_if_ours(error)
            self._skip(path, f"the folder cannot be read: {error.strerror or error}")
            return None
        prefix = f"{path}/" if path else ""
        rules = above
        if IGNORE_FILE in [entry.name for entry in entries]:
            rules = self._rules_in(fd, path, above)
        known = old or _EMPTY
        trusted = known if old is not None and old.rules_id == rules.id else _EMPTY
        prints, folders, ignored = trusted.prints, trusted.folders, trusted.ignored

        # the hot loop: nothing but this runs for a file that did not change
        same = 0
        fresh: list[str] = []
        below: list[str] = []
        still_ignored = 0
        for entry in entries:
            name = entry.name
            if name in prints:
                try:
                    if fingerprint(entry.stat(follow_symlinks=False)) == prints[name]:
                        same += 1
                    else:
                        fresh.append(name)
                except OSError:
                    fresh.append(name)
            elif name in folders and entry.is_dir(follow_symlinks=False):
                below.append(name)
            elif name in ignored and ignored[name] == entry.is_dir(follow_symlinks=False):
                still_ignored += 1
            else:
                fresh.append(name)

        if depth and not MARKERS.isdisjoint(fresh) and not above.keeps_environment(path):
            return None

        raw: dict[str, bytes | None] = {}
        new_prints: dict[str, Fingerprint | None] = {}
        new_ignored: dict[str, bool] = {}
        if trusted is not _EMPTY:
            changed = set(fresh)
            if same == len(prints):
                raw, new_prints = trusted.raw, prints
                if changed:
                    raw, new_prints = raw.copy(), new_prints.copy()
            else:
                present = {entry.name for entry in entries} - changed
                raw = {name: value for name, value in trusted.raw.items() if name in present}
                new_prints = {name: prints[name] for name in raw}
            if still_ignored == len(ignored):
                new_ignored = ignored.copy() if changed else ignored
            else:
                names = {entry.name for entry in entries} - changed
                new_ignored = {name: value for name, value in ignored.items() if name in names}

        for name in fresh:
            place = prefix + name
            try:
                live = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    self._skip(place, f"it cannot be read: {error.strerror or error}")
                continue
            is_dir = stat.S_ISDIR(live.st_mode)
            if rules.ignored(place, name, is_dir):
                new_ignored[name] = is_dir
            elif is_dir:
                below.append(name)
            else:
                self._file(fd, name, place, live, known, raw, new_prints)

        new_folders: dict[str, Folder] = {}
        for name in below:
            child = self._below(fd, name, prefix + name, known.folders.get(name), rules, depth)
            if child is not None:
                new_folders[name] = child
        return self._result(status, old, rules, raw, new_prints, new_folders, new_ignored)

    def _below(
        self, fd: int, name: str, path: str, old: Folder | None, rules: Rules, depth: int
    ) -> Folder | None:
        if depth >= MAX_DEPTH:
            self._skip(path, f"it is nested more than {MAX_DEPTH} folders deep")
            return None
        try:
            child = os.open(name, _FOLDER_FLAGS, dir_fd=fd)
        except OSError as error:
            _raise_if_ours(error)
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                self._skip(path, "it was being replaced while the folder was read")
            elif error.errno != errno.ENOENT:
                self._skip(path, f"the folder cannot be read: {error.strerror or error}")
            return None
        try:
            if _same_inode(child, self._store_inode):
                return None
            return self._folder(child, path, old, rules, depth + 1)
        finally:
            os.close(child)

    def _file(
        self,
        fd: int,
        name: str,
        path: str,
        live: os.stat_result,
        known: Folder,
        raw: dict[str, bytes | None],
        prints: dict[str, Fingerprint | None],
    ) -> None:
        """Read a file or link that is new or looks changed, into ``raw`` and ``prints``."""
        print_ = fingerprint(live)
        if known.prints.get(name) == print_:
            # only the ignore rules changed; what is known of the file holds
            raw[name], prints[name] = known.raw[name], print_
            return
        if stat.S_ISLNK(live.st_mode):
            try:
                target = os.readlink(name, dir_fd=fd)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    self._skip(path, "it was being replaced while the folder was read")
                return
            raw[name] = objects.encode_link(name, live.st_mtime_ns, target)
            prints[name] = print_ if is_settled(live, self._clock.now()) else None
            return
        if not stat.S_ISREG(live.st_mode):
            reason = _SPECIAL.get(stat.S_IFMT(live.st_mode), "it is neither file, folder nor link")
            self._skip(path, f"{reason}, which has no content to freeze")
            return
        if self._session is None:
            try:
                os.close(os.open(name, READ_FLAGS, dir_fd=fd))
            except (PermissionError, FileNotFoundError):
                return self._skip(path, "this program may not read it")
            except OSError:
                pass  # whoever reads it will say why it cannot be read
            self.unread[path] = live
            raw[name] = prints[name] = None
            return
        if self._on_file is not None:
            self._on_file(path)
        try:
            captured = self._capture.read(name, fd)
        except FileNotFoundError:
            return
        except OtherKindError:
            self._skip(path, "it was being replaced while the folder was read")
            return
        except NotCapturedError as error:
            self._skip(path, str(error))
            return
        raw[name] = captured.encode(name)
        prints[name] = fingerprint(captured.stat) if captured.settled else None

    def _result(
        self,
        status: os.stat_result,
        old: Folder | None,
        rules: Rules,
        raw: dict[str, bytes | None],
        prints: dict[str, Fingerprint | None],
        folders: dict[str, Folder],
        ignored: dict[str, bool],
    ) -> Folder:
        mode = stat.S_IMODE(status.st_mode)
        unchanged = (
            old is not None
            and (raw is old.raw or raw == old.raw)
            and len(folders) == len(old.folders)
            and all(_same_entry(child, old.folders.get(name)) for name, child in folders.items())
        )
        if (
            old is not None
            and unchanged
            and prints is old.prints
            and ignored is old.ignored
            and mode == old.mode
            and rules.id == old.rules_id
            and all(child is old.folders[name] for name, child in folders.items())
        ):
            return old
        result = Folder()
        result.mode = mode
        result.raw, result.prints = raw, prints
        result.folders, result.ignored = folders, ignored
        result.rules_id = rules.id
        if old is not None and unchanged:
            result.mtime_ns, result.tree = old.mtime_ns, old.tree
            result.files, result.bytes = old.files, old.bytes
            return result
        result.mtime_ns = status.st_mtime_ns
        if self._session is not None:
            store_tree(result, self._session)
        return result


def store_tree(folder: Folder, session: Session) -> None:
    """Add a folder's objects to a session; set its tree and totals from its entries and folders."""
    entries: dict[str, bytes] = {}
    folder.files = folder.bytes = 0
    for name, encoded in folder.raw.items():
        assert encoded is not None
        entries[name] = encoded
        code, _, _, size, _ = objects.ENTRY_HEAD.unpack_from(encoded)
        if code != objects.LINK:
            folder.files += 1
            folder.bytes += size
    for name, child in folder.folders.items():
        entries[name] = objects.encode_folder_entry(name, child.mode, child.mtime_ns, child.tree)
        folder.files += child.files
        folder.bytes += child.bytes
    pages = objects.encode_folder(entries)
    ids = []
    for page in pages:
        digest = hash_bytes(page)
        session.put(digest, page)
        ids.append(digest)
    folder.tree = ids[0]
    if len(pages) > 1:
        listing = objects.encode_pages(ids)
        folder.tree = hash_bytes(listing)
        session.put(folder.tree, listing)


def _same_entry(child: Folder, old: Folder | None) -> bool:
    """Whether a folder's entry in its parent is the same; False where something was not read."""
    return child is old or (
        old is not None
        and bool(child.tree)
        and (child.tree, child.mode, child.mtime_ns) == (old.tree, old.mode, old.mtime_ns)
    )


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _same_inode(fd: int, identity: tuple[int, int]) -> bool:
    status = os.fstat(fd)
    return (status.st_dev, status.st_ino) == identity


def _raise_if_ours(error: OSError) -> None:
    """Raise where a folder cannot be read because this process is out of something."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise SnapshotError(
            f"The folder could not be read: {error.strerror}. Nothing was frozen, and nothing is "
            "lost. Close other programs or raise the limit (ulimit -n), then try again."
        ) from error
