# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Folders as tar archives: uploaded ones as edits of a snapshot, and snapshots' folders as streams.

An archive comes from anybody. It is read through once before anything of it is used, and refused
as a whole if a name leaves the folder that it is unpacked to, if something would be written through
a link, if a link points out of that folder, or if it holds what is neither file, folder nor link.
"""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from dotscience_jupyter.snapshots import Edit, Entry, Kind
from dotscience_jupyter.snapshots.ignore import NEVER

from .names import BadNameError, clean_key

MAX_MEMBERS = 200_000
MAX_HEADER = 1 << 20
"""Bytes of one header of a member at most; long names and their attributes are in there."""

CHUNK = 1 << 20
_BLOCK = tarfile.RECORDSIZE
_ERRORS = (tarfile.TarError, ValueError, OverflowError, EOFError, ArithmeticError, RecursionError)


class ArchiveError(ValueError):
    """An archive that is not unpacked; the message says why, for users."""


class Source(Protocol):
    """A snapshot whose folders are sent."""

    def walk(self, under: str) -> Iterator[Entry]:
        """Yield every entry below a folder, depth first, sorted."""

    def open(self, path: str) -> BinaryIO:
        """Open a file."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of an archive that may be unpacked, with its name cleaned."""

    name: str
    info: tarfile.TarInfo  # of a hard link, the file that it is a name of


class _Guarded:
    """A file of which no header can take more than so much memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.limited = True

    def read(self, size: int = -1) -> bytes:
        if self.limited and not 0 <= size <= MAX_HEADER:
            raise tarfile.HeaderError("a header is too large")
        return self._file.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()


class Archive:
    """An uploaded archive, checked.

    Parameters
    ----------
    file
        It, seekable; read until the edits have been used, and not closed.

    Raises
    ------
    ArchiveError
        If it is none, is damaged, or holds what is not unpacked.

    Attributes
    ----------
    repeats : bool
        Whether a file is in it twice.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.repeats = False
        self._guarded = _Guarded(file)
        try:
            file.seek(0)
            self._tar = tarfile.open(  # noqa: SIM115 - read as long as the edits are
                fileobj=cast(BinaryIO, self._guarded), mode="r:", encoding="utf-8"
            )
            self._members = self._checked(file)
        except _ERRORS as error:
            if isinstance(error, ArchiveError):
                raise
            raise ArchiveError(
                "What was sent is no whole tar archive, so nothing was unpacked. Send it again."
            ) from None

    def edits(self, destination: str, *, first: bool = False) -> Iterator[Edit]:
        """Yield what unpacking does to a snapshot in which the destination does not exist.

        Parameters
        ----------
        destination : str
            Folder path.
        first : bool
            Take the first of files that are there twice; unpacking leaves the last.
        """
        self._guarded.limited = False
        yield Edit(destination, None, 0o755, folder=True)
        members = self._members
        if first:
            by_name = {member.name: member for member in reversed(members)}
            members = [member for member in members if by_name[member.name] is member]
        for member in members:
            info, path = member.info, f"{destination}/{member.name}"
            mtime_ns = _nanoseconds(info)
            if info.isdir():
                yield Edit(path, None, info.mode & 0o777 | 0o700, mtime_ns, folder=True)
            elif info.issym():
                yield Edit(path, None, 0o777, mtime_ns, info.linkname)
            else:
                source = self._tar.extractfile(info)
                assert source is not None
                yield Edit(path, cast(BinaryIO, source), info.mode & 0o777 | 0o400, mtime_ns)

    def _checked(self, file: BinaryIO) -> list[_Member]:
        members: list[_Member] = []
        kinds: dict[str, tarfile.TarInfo] = {}
        folders: set[str] = set()  # those on the way to members
        before = -1
        for info in self._tar:
            if info.offset <= before or info.size < 0 or len(members) >= MAX_MEMBERS:
                raise ArchiveError("The archive is damaged or too large. Nothing was unpacked.")
            before = info.offset
            name = _name(info)
            # the folder itself, and what no snapshot ever holds, whoever froze it
            if not name or not NEVER.isdisjoint(name.split("/")):
                continue
            found = self._resolved(info, kinds) if info.islnk() else info
            _check(name, found, kinds, folders)
            self.repeats = self.repeats or (name in kinds and not found.isdir())
            kinds[name] = found
            members.append(_Member(name, found))
        self._check_end(file)
        return members

    def _resolved(
        self, info: tarfile.TarInfo, kinds: dict[str, tarfile.TarInfo]
    ) -> tarfile.TarInfo:
        """Return the file that a hard link is another name of."""
        target = kinds.get(posixpath.normpath(info.linkname))
        if target is None or not target.isreg():
            raise ArchiveError(
                f"{info.name[:160]!r} is a link to something that is not in the archive before it. "
                "Nothing was unpacked."
            )
        return target

    def _check_end(self, file: BinaryIO) -> None:
        """Raise if something comes after what was read: a damaged header ends reading, too."""
        file.seek(0, os.SEEK_END)
        size = file.tell()
        if self._tar.offset > size:
            raise tarfile.ReadError("the end is missing")
        file.seek(self._tar.offset)
        while block := file.read(_BLOCK):
            if block.count(0) != len(block):
                raise tarfile.ReadError("a header is damaged")


def _name(info: tarfile.TarInfo) -> str:
    """Return a member's folder path, "" for the folder that is unpacked to."""
    if posixpath.normpath(info.name or "/") == "." and info.isdir():
        return ""
    try:
        # .dotscience is refused at the top only, and this is below the destination
        return clean_key(f"x/{info.name}")[2:] if not info.name.startswith("/") else _refused(info)
    except BadNameError:
        return _refused(info)


def _refused(info: tarfile.TarInfo) -> str:
    raise ArchiveError(
        f"The name {info.name[:160]!r} leads out of the folder that the archive is unpacked to, or "
        "cannot be a file's. Nothing was unpacked."
    )


def _check(
    name: str, info: tarfile.TarInfo, kinds: dict[str, tarfile.TarInfo], folders: set[str]
) -> None:
    """Raise unless a member may be unpacked after those before it."""
    if info.isdev() or not (info.isreg() or info.isdir() or info.issym()) or info.sparse:
        raise ArchiveError(
            f"{name[:160]!r} is neither a file, a folder nor a symbolic link. Nothing was unpacked."
        )
    position = name.find("/")
    while position >= 0:
        above = kinds.get(name[:position])
        if above is not None and not above.isdir():
            raise ArchiveError(
                f"{name[:160]!r} would be written through {name[:position][:160]!r}, which is no "
                "folder in the archive. Nothing was unpacked."
            )
        folders.add(name[:position])
        position = name.find("/", position + 1)
    old = kinds.get(name)
    if (name in folders and not info.isdir()) or (old and old.isdir() != info.isdir()):
        raise ArchiveError(
            f"{name[:160]!r} is both a folder and something else in the archive. Nothing was "
            "unpacked."
        )
    if info.issym():
        target = info.linkname
        where = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if not target or target.startswith("/") or where == ".." or where.startswith("../"):
            raise ArchiveError(
                f"The link {name[:160]!r} points out of the folder that the archive is unpacked "
                "to. Nothing was unpacked."
            )


def _nanoseconds(info: tarfile.TarInfo) -> int | None:
    """Return when a member was changed; None if the archive gives a time that no file has."""
    return int(info.mtime * 10**9) if 0 <= info.mtime < 2**33 else None


def packed(source: Source, folder: str) -> Iterator[bytes]:
    """Yield a folder of a snapshot as an uncompressed archive; names are relative to it.

    Memory stays flat whatever the size of the files.
    """
    sent = 0
    for entry in source.walk(folder):
        header = _header(entry, entry.path[len(folder) + 1 :] if folder else entry.path)
        sent += len(header)
        yield header
        if entry.kind is not Kind.FILE:
            continue
        with source.open(entry.path) as file:
            left = entry.size
            while left:
                data = file.read(min(CHUNK, left))
                if not data:
                    raise OSError("a file is shorter than it was")
                left -= len(data)
                yield data
        padding = -entry.size % tarfile.BLOCKSIZE
        sent += entry.size + padding
        if padding:
            yield bytes(padding)
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(sent + end) % _BLOCK)


def _header(entry: Entry, name: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.mode = entry.mode
    info.mtime = entry.mtime_ns // 10**9
    if entry.kind is Kind.FOLDER:
        info.type = tarfile.DIRTYPE
    elif entry.kind is Kind.SYMLINK:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
    else:
        info.size = entry.size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
