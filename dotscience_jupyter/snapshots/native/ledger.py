# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is written down of native snapshots beside them.

::

    returned/<id>      a file; mtime, and the line of returning.py in it: when the snapshot was last
                       returned to somebody
    held/<id>.<tag>    an empty file for each hold
    taking.lock        held while a snapshot is taken and compared with the one before
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator

from dotscience_jupyter.snapshots.embedded.store import Store, fsync_folder, require_tag, writing
from dotscience_jupyter.snapshots.returning import age, note, order


class Ledger:
    """Holds, and when each snapshot was last returned. Safe for several processes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._returned = f"{store.folder}/returned"
        self._held = f"{store.folder}/held"
        with writing(store.folder):
            for folder in (self._returned, self._held):
                store.make_part(folder)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for others that are taking a snapshot, and keep them waiting."""
        with writing(self._store.folder):
            path = f"{self._store.folder}/taking.lock"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    # -- when ----------------------------------------------------------------------------------

    def returned(self, snapshot: str) -> None:
        """Note that a snapshot is being returned to somebody now.

        It need not survive a power cut: a snapshot that was taken just before one has its own time.
        """
        with writing(self._store.folder):
            note(f"{self._returned}/{snapshot}", self._store.newest)

    def age(self, snapshot: str) -> float:
        """Return the seconds since a snapshot was last returned; infinite if that is not known."""
        return age(f"{self._returned}/{snapshot}")

    def order(self, snapshot: str, created: float) -> int:
        """Return a number that is the greater the later a snapshot was returned last."""
        return order(f"{self._returned}/{snapshot}", int(created * 1e9))

    def times(self) -> dict[str, float]:
        """Return when each snapshot was last returned, seconds since 1970."""
        found: dict[str, float] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self._returned) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    found[entry.name] = entry.stat().st_mtime_ns / 1e9
        return found

    # -- holds ---------------------------------------------------------------------------------

    def held(self) -> dict[str, set[str]]:
        """Return the tags of each snapshot that has any."""
        found: dict[str, set[str]] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self._held) as entries:
            for entry in entries:
                snapshot, dot, tag = entry.name.partition(".")
                if dot:
                    found.setdefault(snapshot, set()).add(tag)
        return found

    def hold(self, snapshots: Iterable[str], tag: str) -> None:
        """Put a tag on snapshots that are there, durably."""
        require_tag(tag)
        with writing(self._store.folder):
            for snapshot in snapshots:
                path = f"{self._held}/{snapshot}.{tag}"
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
            fsync_folder(self._held)

    def release(self, snapshots: Iterable[str], tag: str) -> None:
        """Take a tag off snapshots, durably."""
        require_tag(tag)
        held = self.held()
        with writing(self._store.folder):
            for snapshot in snapshots:
                if tag in held.get(snapshot, ()):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(f"{self._held}/{snapshot}.{tag}")
            fsync_folder(self._held)

    def forget(self, snapshot: str) -> None:
        """Drop what is written down of a snapshot that is gone."""
        with contextlib.suppress(OSError):  # a few small files too many do no harm
            os.unlink(f"{self._returned}/{snapshot}")
        for tag in self.held().get(snapshot, ()):
            with contextlib.suppress(OSError):
                os.unlink(f"{self._held}/{snapshot}.{tag}")
