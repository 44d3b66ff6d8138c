# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Walking the live folder, with what is known from the last walk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Set

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
from .listing import EMPTY, Listing, is_known
from .objects import Item
from .packs import hash_bytes

MAX_DEPTH = 200
"""Folders nested deeper than this are reported as skipped: each level costs an open descriptor."""

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_SPECIAL = {
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFIFO: "it is a named pipe",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}


_LISTED, _HERE, _BELOW = 1, 2, 4
"""Why a folder is looked at each time: a file in it, the folder itself, a folder below it."""

_NO_FOLDERS: dict[str, Folder] = {}
_NONE_IGNORED: dict[str, bool] = {}


class Folder:
    """What is known of one live folder. Never changed once made, so that walks can share them.

    Attributes
    ----------
    listing
        The files and links in it.
    tree
        The id of the folder object; empty if something in it was not read.
    mtime_ns
        As of the last time when what the folder holds was seen to change: ignored and
        temporary files come and go without changing a snapshot.
    unsure
        Not 0 where it, or a folder below it, is looked at even if no change was told of: a file
        must be read again or may be changed under a name elsewhere, something was skipped (and
        is to be reported each time), or it is on another file system than the root.
    """

    __slots__ = (
        "bytes",
        "files",
        "folders",
        "ignored",
        "listing",
        "mode",
        "mtime_ns",
        "rules_id",
        "tree",
        "unsure",
    )

    def __init__(self) -> None:
        self.mode = 0
        self.mtime_ns = 0
        self.listing = EMPTY
        self.folders = _NO_FOLDERS
        self.ignored = _NONE_IGNORED
        self.rules_id = b""
        self.tree = b""
        self.files = 0
        self.bytes = 0
        self.unsure = 0


_NOTHING_KNOWN = Folder()


class Marks:
    """Where a walk has to look, as a tree of folders; what is not marked did not change.

    Attributes
    ----------
    names
        Names in the folder to be looked at.
    here
        The whole folder is to be listed again.
    deep
        So is all that is below it, and nothing that was known of that is relied on.
    """

    __slots__ = ("below", "deep", "here", "names")

    def __init__(self) -> None:
        self.below: dict[str, Marks] = {}
        self.names: set[str] = set()
        self.here = False
        self.deep = False

    def at(self, path: str) -> Marks:
        """Return the marks of a folder below this one."""
        marks = self
        for name in path.split("/") if path else ():
            inner = marks.below.get(name)
            if inner is None:
                inner = marks.below[name] = Marks()
            marks = inner
        return marks

    def add(self, path: str) -> None:
        """Mark a file, or a folder with all that is below it; what is no folder path is not."""
        parent, _, name = path.rpartition("/")
        if "\0" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
            return
        self.at(parent).names.add(name)
        self.at(path).deep = True


_NO_MARKS = Marks()


class _UntoldError(Exception):
    """Something may have changed of which nothing was told, so all is to be walked."""


class Walk:
    """One walk over the live folder.

    With a session, files whose fingerprint is unknown are read and stored and every folder of the
    result has its object in the store. Without one nothing is read: such files have no encoded
    entry in the result, and what ``lstat`` says of them is in :attr:`unread`.

    Parameters
    ----------
    on_folder
        Called with a descriptor and the path of each folder before it is listed, unless it is
        known and only marked to be listed again, or on another file system than the root.
    keep_unread
        Whether to fill :attr:`unread`.

    Attributes
    ----------
    whole
        Whether all was looked at.
    gone
        Folders that are not part of the result and were part of what was known.
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
        on_folder: Callable[[int, str], None] | None = None,
        keep_unread: bool = True,
    ) -> None:
        self._root = root
        self._store_inode = _identity(store)
        self._clock = clock
        self._capture = capture
        self._session = session
        self._rules = rules
        self._on_file = on_file
        self._on_folder = on_folder
        self._keep_unread = keep_unread
        self._device = -1
        self.whole = True
        self.skipped: list[Skipped] = []
        self.unread: dict[str, os.stat_result] = {}
        self.gone: list[str] = []

    def run(self, old: Folder | None, marks: Marks | None = None) -> Folder:
        """Return the folder as it is now; ``old`` itself where nothing changed.

        With ``marks`` only marked folders are looked at, and those where ``old`` is unsure.
        """
        try:
            fd = os.open(self._root, _FOLDER_FLAGS & ~os.O_NOFOLLOW)
        except OSError as error:
            raise SnapshotError(
                f"The folder {self._root} cannot be read: {error.strerror or error}. "
                "Nothing was frozen."
            ) from error
        try:
            self._device = os.fstat(fd).st_dev
            if old is None or (marks is not None and marks.deep):
                marks = None
            folder = self._run(fd, old, marks)
        except RecursionError:
            raise SnapshotError(
                f"The folder {self._root} is nested too deeply to be frozen."
            ) from None
        finally:
            os.close(fd)
        assert folder is not None
        self.skipped.sort(key=lambda skipped: skipped.path)
        return folder

    def _run(self, fd: int, old: Folder | None, marks: Marks | None) -> Folder | None:
        if marks is not None:
            self.whole = False
            try:
                return self._folder(fd, "", old, Rules(), 0, marks)
            except _UntoldError:
                self.whole = True
                for found in (self.skipped, self.unread, self.gone):
                    found.clear()
        return self._folder(fd, "", old, Rules(), 0, None)

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
        self,
        fd: int,
        path: str,
        old: Folder | None,
        above: Rules,
        depth: int,
        marks: Marks | None,
    ) -> Folder | None:
        """Return the state of an open folder; None if it is ignored after all or cannot be read."""
        prefix = f"{path}/" if path else ""
        rules = above
        names = self._names(marks, old)
        if old is not None and names is not None and old.rules_id != above.id:
            rules = self._rules_in(fd, path, above)
            if old.rules_id != rules.id:
                rules, names = above, None
        entries: list[os.DirEntry[str]] = []
        try:
            status = os.fstat(fd)
            if names is None:
                if marks is None and self._on_folder is not None and status.st_dev == self._device:
                    self._on_folder(fd, path)
                with os.scandir(fd) as found:
                    entries = list(found)
        except OSError as error:
            _raise_if_ours(error)
            self._skip(path, f"the folder cannot be read: {error.strerror or error}")
            return None
        if IGNORE_FILE in [entry.name for entry in entries]:
            rules = self._rules_in(fd, path, above)
        known = old or _NOTHING_KNOWN
        trusted = known if old is not None and old.rules_id == rules.id else _NOTHING_KNOWN
        if trusted is not known:
            marks = None
        if names is None:
            fresh, below, stays = _listed(entries, trusted)
            folders: dict[str, Folder] = {}
        else:
            fresh, below, stays = _told(fd, names, trusted)
            folders = trusted.folders.copy()

        if depth and not MARKERS.isdisjoint(fresh) and not above.keeps_environment(path):
            if self._on_folder is not None:
                self._on_folder(fd, path)  # it may cease to be one
            return None

        skipped = len(self.skipped)
        listing, ignored = trusted.listing, trusted.ignored
        if stays is not None:
            ignored = {name: is_dir for name, is_dir in ignored.items() if name in stays}
            files = _Files(known, trusted, stays)
            for name in fresh:
                place = prefix + name
                folders.pop(name, None)
                try:
                    live = os.stat(name, dir_fd=fd, follow_symlinks=False)
                except OSError as error:
                    if error.errno != errno.ENOENT:
                        self._skip(place, f"it cannot be read: {error.strerror or error}")
                    continue
                is_dir = stat.S_ISDIR(live.st_mode)
                if rules.ignored(place, name, is_dir):
                    ignored[name] = is_dir
                elif is_dir:
                    below.append(name)
                else:
                    self._file(fd, name, place, live, files)
            listing = files.listing()

        unsure = status.st_dev != self._device or len(self.skipped) > skipped
        if names is not None and marks is not None:
            below += marks.below.keys() & folders.keys()
            if trusted.unsure & _BELOW:
                below += [name for name, child in folders.items() if child.unsure]
        for name in dict.fromkeys(below):
            before = known.folders.get(name)
            inner: Marks | None = None
            if marks is not None and before is not None:
                inner = marks.below.get(name, _NO_MARKS)
                if inner is _NO_MARKS and not before.unsure:
                    folders[name] = before
                    continue
            skipped = len(self.skipped)
            child = self._below(fd, name, prefix + name, before, rules, depth, inner)
            if child is not None:
                folders[name] = child
            else:
                folders.pop(name, None)
                unsure |= len(self.skipped) > skipped
        return self._result(path, status, old, rules, listing, folders, ignored, unsure)

    def _names(self, marks: Marks | None, old: Folder | None) -> Set[str] | None:
        """Return the names in a folder to be looked at, or None if it is to be listed."""
        if marks is None or old is None or marks.here or old.unsure & _HERE:
            return None
        names = marks.names.union(marks.below.keys() - old.folders.keys())
        if old.unsure & _LISTED:
            names |= old.listing.unsure_names()
        if IGNORE_FILE in names or not MARKERS.isdisjoint(names):
            return None
        return names

    def _below(
        self,
        fd: int,
        name: str,
        path: str,
        old: Folder | None,
        rules: Rules,
        depth: int,
        marks: Marks | None,
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
            if marks is not None and marks.deep:
                marks = None
            return self._folder(child, path, old, rules, depth + 1, marks)
        finally:
            os.close(child)

    def _file(self, fd: int, name: str, path: str, live: os.stat_result, files: _Files) -> None:
        """Read a file or link that is new or looks changed."""
        if files.keep(name, fingerprint(live)):
            # only the ignore rules changed; what is known of the file holds
            return
        if not self.whole and live.st_nlink > 1 and not files.was_linked(name):
            # it may have been here under another name, at which nobody would look
            raise _UntoldError
        if stat.S_ISLNK(live.st_mode):
            try:
                target = os.readlink(name, dir_fd=fd)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    self._skip(path, "it was being replaced while the folder was read")
                return
            settled = live.st_nlink == 1 and is_settled(live, self._clock.now())
            entry = objects.encode_link(name, live.st_mtime_ns, target)
            files.add(name, entry, fingerprint(live) if settled else None)
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
            if self._keep_unread:
                self.unread[path] = live
            files.add(name, None, None)
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
        files.add(
            name, captured.encode(name), fingerprint(captured.stat) if captured.settled else None
        )

    def _result(
        self,
        path: str,
        status: os.stat_result,
        old: Folder | None,
        rules: Rules,
        listing: Listing,
        folders: dict[str, Folder],
        ignored: dict[str, bool],
        unsure: bool,
    ) -> Folder:
        result = Folder()
        result.mode = stat.S_IMODE(status.st_mode)
        result.rules_id = rules.id
        result.listing = listing
        result.ignored = ignored or _NONE_IGNORED
        result.folders = folders or _NO_FOLDERS
        result.unsure = _unsure(listing, unsure, folders)
        if old is not None and listing.same_entries(old.listing):
            same_folders = folders == old.folders
            if (
                same_folders
                and listing == old.listing
                and ignored == old.ignored
                and result.mode == old.mode
                and rules.id == old.rules_id
                and result.unsure == old.unsure
            ):
                return old
            if same_folders or _same_entries(folders, old.folders):
                result.mtime_ns, result.tree = old.mtime_ns, old.tree
                result.files, result.bytes = old.files, old.bytes
                return result
        if old is not None:
            prefix = f"{path}/" if path else ""
            self.gone += [prefix + name for name in old.folders.keys() - folders.keys()]
        result.mtime_ns = objects.storable_time(status.st_mtime_ns)
        if self._session is not None:
            store_tree(result, self._session)
        return result


_Compared = tuple[list[str], list[str], Set[str] | None]
"""Names to be looked at; of known folders that are there; of known files, links and ignored names
that stay, or None if these are all as they are known."""


def _listed(entries: Iterable[os.DirEntry[str]], known: Folder) -> _Compared:
    """Compare what is in a folder with what is known of it."""
    prints, folders, ignored = known.listing.fingerprints(), known.folders, known.ignored
    same = 0
    fresh: list[str] = []
    below: list[str] = []
    # the hot loop: nothing but this runs for a file that did not change
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
            same += 1
        else:
            fresh.append(name)
    if not fresh and same == len(prints) + len(ignored):
        return fresh, below, None
    return fresh, below, {entry.name for entry in entries}.difference(fresh)


def _told(fd: int, names: Iterable[str], known: Folder) -> _Compared:
    """Compare a few names in a folder with what is known of them; the others are as known."""
    prints, folders, ignored = known.listing.fingerprints(), known.folders, known.ignored
    fresh: list[str] = []
    below: list[str] = []
    for name in names:
        try:
            live = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.ENOENT or name in prints or name in folders or name in ignored:
                fresh.append(name)
            continue
        is_dir = stat.S_ISDIR(live.st_mode)
        if is_dir and name in folders:
            below.append(name)
        elif ignored.get(name) != is_dir and prints.get(name) != fingerprint(live):
            fresh.append(name)
    if not fresh:
        return fresh, below, None
    return fresh, below, (prints.keys() | ignored.keys()).difference(fresh)


class _Files:
    """The listing of a folder in the making.

    Starts with what is trusted of the names that did not change; ``known`` may be more than that
    where the ignore rules are others.
    """

    def __init__(self, known: Folder, trusted: Folder, present: Set[str]) -> None:
        self._known_prints = known.listing.fingerprints()
        self._known_raw = known.listing.raw()
        self._raw: dict[str, bytes | None] = {}
        self._prints: dict[str, Fingerprint | None] = {}
        for name in trusted.listing:
            if name in present:
                self._raw[name] = self._known_raw[name]
                self._prints[name] = self._known_prints[name]

    def keep(self, name: str, live: Fingerprint) -> bool:
        """Add what is known of a file, if its fingerprint is still the same."""
        if self._known_prints.get(name) != live:
            return False
        self.add(name, self._known_raw[name], live)
        return True

    def add(self, name: str, raw: bytes | None, print_: Fingerprint | None) -> None:
        """Add a file or link; without a fingerprint if it must be read again in any case."""
        self._raw[name], self._prints[name] = raw, print_

    def was_linked(self, name: str) -> bool:
        """Whether a file was known to have other names (and a link to be looked at each time)."""
        raw = self._known_raw.get(name)
        if not raw:
            return False
        return bool(raw[0] & objects.HARD_LINKED) or (
            raw[0] == objects.LINK and not is_known(self._known_prints[name])
        )

    def listing(self) -> Listing:
        """Return the listing."""
        return Listing.of(self._raw, self._prints)


def store_tree(folder: Folder, session: Session) -> None:
    """Add a folder's objects to a session; set its tree and totals from its entries and folders."""
    entries: dict[str, bytes] = {}
    folder.files = folder.bytes = 0
    for name, encoded in folder.listing.raw().items():
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
    folder.tree = store_pages(entries, session)


def store_pages(entries: dict[str, bytes], session: Session) -> bytes:
    """Add the objects of a folder with these encoded entries to a session; return its id."""
    return store_page_list(
        [stored(page, session) for page in objects.encode_folder(entries)], session
    )


def store_page_list(pages: list[bytes], session: Session) -> bytes:
    """Add what lists a folder's pages to a session, if there is more than one; return its id."""
    return pages[0] if len(pages) == 1 else stored(objects.encode_pages(pages), session)


def stored(data: bytes, session: Session) -> bytes:
    """Add an object to a session; return its id."""
    digest = hash_bytes(data)
    session.put(digest, data)
    return digest


def revived(folder: Folder, is_stored: Callable[[Item], bool], session: Session) -> Folder:
    """Return what is known of a folder with what the store has lost marked to be read again.

    Folder objects that are lost are added again.
    """
    result = Folder()
    for name in ("mode", "mtime_ns", "ignored", "rules_id"):
        setattr(result, name, getattr(folder, name))
    result.folders = {
        name: revived(child, is_stored, session) for name, child in folder.folders.items()
    }
    prints: dict[str, Fingerprint | None] = {**folder.listing.fingerprints()}
    raw = folder.listing.raw()
    for name, entry in raw.items():
        assert entry is not None
        if not is_stored(objects.decode_entry(entry)[0]):
            prints[name] = None
    result.listing = Listing.of(raw, prints)
    result.unsure = _unsure(result.listing, bool(folder.unsure & _HERE), result.folders)
    store_tree(result, session)
    return result


def changed_folders(old: Folder, new: Folder) -> list[str]:
    """Return the paths of the folders that two walks found, and not in the same state."""
    found: list[str] = []
    pending = [("", old, new)]
    while pending:
        path, before, after = pending.pop()
        if after is before:
            continue
        found.append(path)
        prefix = f"{path}/" if path else ""
        pending += [
            (prefix + name, before.folders[name], child)
            for name, child in after.folders.items()
            if name in before.folders
        ]
    return found


def _unsure(listing: Listing, here: bool, folders: Mapping[str, Folder]) -> int:
    below = any(child.unsure for child in folders.values())
    return _LISTED * listing.unsure | _HERE * here | _BELOW * below


def _same_entries(folders: Mapping[str, Folder], old: Mapping[str, Folder]) -> bool:
    """Whether folders' entries in their parent are the same; False where one was not read."""
    return len(folders) == len(old) and all(
        child is (before := old.get(name))
        or (
            before is not None
            and bool(child.tree)
            and (child.tree, child.mode, child.mtime_ns)
            == (before.tree, before.mode, before.mtime_ns)
        )
        for name, child in folders.items()
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
