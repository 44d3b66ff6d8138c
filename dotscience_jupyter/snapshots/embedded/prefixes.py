# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How far the hashing of large files has come at some places, kept in memory.

What begins like a file that was hashed before need not be hashed from its start: of a file that
grew what is new, of one that changed what is behind the change and a little before it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from blake3 import blake3

STEP = 1 << 25
"""Bytes of a file, or a little more, from one place to the next."""
_MOST = 4096
"""So many places are kept, of 2 kB each."""


class Prefixes:
    """Hashers that were given the first chunks of files, by a digest of these chunks' ids.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: OrderedDict[bytes, blake3] = OrderedDict()

    def longest(self, places: Iterable[tuple[int, bytes]]) -> tuple[int, blake3]:
        """Return the last of some places (number of chunks, digest) that is known, and its hasher.

        That is one of one's own. Where none is known it is the start of the file.
        """
        with self._lock:
            for count, key in reversed([*places]):
                if (state := self._states.get(key)) is not None:
                    self._states.move_to_end(key)
                    return count, state.copy()
        return 0, blake3()

    def keep(self, states: Mapping[bytes, blake3]) -> None:
        """Keep hashers of chunks that are proven to be right; they are not given bytes any more."""
        with self._lock:
            self._states.update(states)
            while len(self._states) > _MOST:
                self._states.popitem(last=False)


def places(chunks: Iterable[tuple[bytes, int]]) -> list[tuple[int, bytes]]:
    """Return the places of a file with these chunks (id, length): see :meth:`Prefixes.longest`."""
    found = []
    ids = blake3()
    size = 0
    for count, (digest, length) in enumerate(chunks, 1):
        ids.update(digest)
        size += length
        if size >= STEP:
            found.append((count, ids.digest()))
            size = 0
    return found
