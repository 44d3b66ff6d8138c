# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The files and links of one live folder as they were last seen, packed into few bytes.

A million files are kept in memory between two walks and are read from the stat cache by every new
process, so there is no object for each of them: they are unpacked for one folder at a time.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import objects
from .capture import Fingerprint

_PRINT = struct.Struct("<IQqqQ")
_UNKNOWN = bytes(_PRINT.size)
"""In place of a fingerprint: no file has a mode of 0, so that nothing is ever equal to it."""


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
        The encoded entries without their names, and how long each is: 0 for a file that was not
        read (see Walk).
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
        entries = [_nameless(raw[name]) for name in names]
        rows = [_pack(prints[name]) for name in names]
        return cls(
            os.fsencode("/".join(names)),
            b"".join(rows),
            b"".join(entries),
            struct.pack(f"<{len(entries)}I", *map(len, entries)),
            _UNKNOWN in rows or any(entry[0] & objects.HARD_LINKED for entry in entries if entry),
        )

    def __len__(self) -> int:
        return len(self.lengths) // 4

    def __iter__(self) -> Iterator[str]:
        return iter(os.fsdecode(self.names).split("/") if self.names else ())

    def fingerprints(self) -> dict[str, Fingerprint]:
        """Return the fingerprints by name; those that are not known are equal to no file's."""
        return dict(zip(self, _PRINT.iter_unpack(self.prints), strict=True))

    def raw(self) -> dict[str, bytes | None]:
        """Return the encoded entries by name; None for a file that was not read."""
        found: dict[str, bytes | None] = {}
        at = 0
        head = objects.ENTRY_HEAD.size
        entries = self.entries
        names = self.names.split(b"/") if self.names else ()
        for name, length in zip(names, struct.unpack(f"<{len(self)}I", self.lengths), strict=True):
            end = at + length
            entry = entries[at : at + head] + name + entries[at + head : end] if length else None
            found[os.fsdecode(name)] = entry
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
        return self is other or (
            self.lengths == other.lengths
            and self.names == other.names
            and self.entries == other.entries
        )


def is_known(print_: Fingerprint) -> bool:
    """Whether a fingerprint from a listing is one."""
    return print_[0] != 0


def _nameless(entry: bytes | None) -> bytes:
    if not entry:
        return b""
    head = objects.ENTRY_HEAD.size
    return entry[:head] + entry[head + objects.ENTRY_HEAD.unpack_from(entry)[-1] :]


def _pack(print_: Fingerprint | None) -> bytes:
    if print_ is None:
        return _UNKNOWN
    try:
        return _PRINT.pack(*print_)
    except struct.error:  # times after the year 2262, which some file systems can have
        return _UNKNOWN


EMPTY = Listing(b"", b"", b"", b"", False)
