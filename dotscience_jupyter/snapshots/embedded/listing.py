# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The files and links of one live folder as they were last seen, packed into few bytes.

A million files are kept in memory between two walks and are read from the stat cache by every new
process, so there is no object for each of them: they are unpacked for one folder at a time.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import objects
from .capture import Fingerprint

_PRINT = struct.Struct("<HQqqQ")
_UNKNOWN = bytes(_PRINT.size)
"""In place of a fingerprint: no file has a mode of 0, so that nothing is ever equal to it."""
_SHORT = 0x40
"""Set in the kind of an entry whose mode, time and size are those of the fingerprint: they are
not kept twice."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Names, fingerprints and encoded entries, in the order of a folder object. Never changed.

    Attributes
    ----------
    names
        Joined by slashes.
    prints
        A row for each name; zeros where the file must be read again in any case.
    entries, lengths
        The encoded entries without what the other columns say, and how long each is: 0 for a file
        that was not read (see Walk).
    unsure
        Whether a file has to be looked at each time, even where changes are told of: one whose
        fingerprint is not known, or one with names that may be outside of what is watched.
    """

    names: bytes
    prints: bytes
    entries: bytes
    lengths: bytes
    unsure: bool

    @classmethod
    def of(
        cls, raw: Mapping[str, bytes | None], prints: Mapping[str, Fingerprint | None]
    ) -> Listing:
        """Pack entries and fingerprints, which have the same names."""
        if not raw:
            return EMPTY
        names = objects.sorted_names(raw)
        rows = [_pack(prints[name]) for name in names]
        entries = [_shortened(raw[name], row) for name, row in zip(names, rows, strict=True)]
        return cls(
            os.fsencode("/".join(names)),
            b"".join(rows),
            b"".join(entries),
            struct.pack(f"<{len(entries)}H", *map(len, entries)),
            _UNKNOWN in rows or any(entry[0] & objects.HARD_LINKED for entry in entries if entry),
        )

    def __len__(self) -> int:
        return len(self.lengths) // 2

    def __iter__(self) -> Iterator[str]:
        return iter(os.fsdecode(self.names).split("/") if self.names else ())

    def fingerprints(self) -> dict[str, Fingerprint]:
        """Return the fingerprints by name; those that are not known are equal to no file's."""
        return dict(zip(self, _PRINT.iter_unpack(self.prints), strict=True))

    def raw(self) -> dict[str, bytes | None]:
        """Return the encoded entries by name; None for a file that was not read."""
        found: dict[str, bytes | None] = {}
        at = 0
        entries = self.entries
        names = self.names.split(b"/") if self.names else ()
        lengths = struct.unpack(f"<{len(self)}H", self.lengths)
        prints = _PRINT.iter_unpack(self.prints)
        for name, length, print_ in zip(names, lengths, prints, strict=True):
            end = at + length
            found[os.fsdecode(name)] = _whole(entries[at:end], name, print_) if length else None
            at = end
        return found

    def unsure_names(self) -> set[str]:
        """Return the names of what has to be looked at each time; see :attr:`unsure`."""
        if not self.unsure:
            return set()
        prints = self.fingerprints()
        return {
            name
            for name, raw in self.raw().items()
            if not is_known(prints[name]) or (raw and raw[0] & objects.HARD_LINKED)
        }

    def same_entries(self, other: Listing) -> bool:
        """Whether a folder object with the other's entries would be the same."""
        if self is other:
            return True
        if self.names != other.names:
            return False
        if self.prints == other.prints:
            return self.lengths == other.lengths and self.entries == other.entries
        return self.raw() == other.raw()


def is_known(print_: Fingerprint) -> bool:
    """Whether a fingerprint from a listing is one."""
    return print_[0] != 0


def _shortened(entry: bytes | None, row: bytes) -> bytes:
    """Return an entry without its name, and without what the packed fingerprint says as well."""
    if not entry:
        return b""
    head = objects.ENTRY_HEAD
    code, mode, mtime_ns, size, length = head.unpack_from(entry)
    rest = entry[head.size + length :]
    print_ = _PRINT.unpack(row)
    if (mode, size, mtime_ns) == (stat.S_IMODE(print_[0]), *print_[1:3]):
        return bytes((code | _SHORT,)) + rest
    return entry[: head.size] + rest


def _whole(short: bytes, name: bytes, print_: Fingerprint) -> bytes:
    """Return the entry that :func:`_shortened` made this of."""
    head = objects.ENTRY_HEAD
    code = short[0]
    if not code & _SHORT:
        return short[: head.size] + name + short[head.size :]
    mode, size, mtime_ns = print_[:3]
    return (
        head.pack(code & ~_SHORT, stat.S_IMODE(mode), mtime_ns, size, len(name)) + name + short[1:]
    )


def _pack(print_: Fingerprint | None) -> bytes:
    if print_ is None:
        return _UNKNOWN
    try:
        return _PRINT.pack(*print_)
    except struct.error:  # times after the year 2262, which some file systems can have
        return _UNKNOWN


EMPTY = Listing(b"", b"", b"", b"", False)
