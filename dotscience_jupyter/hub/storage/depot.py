# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a project's store has in the bucket; :mod:`.view` shows the names.

The list of snapshots and what is held is not there: it follows from the commits.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dotscience_jupyter.snapshots import CorruptStoreError, SnapshotError, UnavailableError
from dotscience_jupyter.snapshots.embedded.depot import LOOK_EVERY, Depot
from dotscience_jupyter.snapshots.embedded.packs import Pack
from dotscience_jupyter.snapshots.embedded.store import Store, writing

from .bucket import PART, Stored
from .notes import Notes
from .tails import Tails, tail_of
from .view import PACK, View, listed, name_of, without

if TYPE_CHECKING:
    from .place import Storage

_WHOLE = 8 << 20
"""Packs up to this size are fetched whole when anything of them is read."""
_MUCH = 4
"""And others when a fourth of them has been read in parts."""
_EAGER = 8 << 20
"""A pack of that size goes on its way before anybody waits for it."""
_RENEWED_EVERY = 3600.0
"""A copy that is damaged again so soon is damaged in the bucket."""

log = logging.getLogger("dotscience.hub.storage")


class BucketDepot(Depot):
    """The packs of one project in the bucket.

    Parameters
    ----------
    storage
        Where.
    project
        The project's id.
    is_recorded
        Whether a commit of the project needs a snapshot of that id.
    """

    def __init__(self, storage: Storage, project: str, is_recorded: Callable[[str], bool]) -> None:
        super().__init__()
        self._storage = storage
        self._bucket = storage.bucket
        self._project = project
        self._prefix = f"projects/{project}/"
        self._recorded = is_recorded
        self._view = View()
        self._stamp = 0
        self._looked = float("-inf")
        self._failed = False
        self._looking = threading.Lock()
        self._settling = threading.Lock()
        self._noting = threading.Lock()
        self._state = threading.Lock()
        self._added: dict[str, tuple[float, Stored]] = {}
        self._superseded: set[str] = set()
        self._deleted: set[str] = set()
        self._renewed: dict[str, float] = {}
        self._asked: dict[str, int] = {}

    def open(self, store: Store) -> None:
        """Belong to a store."""
        self._store = store
        self._tails = Tails(store)
        self._notes = Notes(self._bucket, self._prefix, store)
        self._storage.copies.watch(self._project, lambda name: self.on_evicted(name))

    def close(self) -> None:
        """Let go of the store; what is on its way arrives nevertheless."""
        self._storage.copies.unwatch(self._project)
        self._notes.close()

    # -- what is there -------------------------------------------------------------------------

    def look(self, within: float = LOOK_EVERY) -> None:
        """List the bucket, unless that was done so lately; take in what others wrote."""
        if time.monotonic() - self._looked < within:
            return
        with self._looking:
            started = time.monotonic()
            if started - self._looked < within:
                return
            try:
                view = listed(self._bucket, self._prefix)
                self._failed = False
            except UnavailableError:
                self._failed = True
                self._looked = time.monotonic()
                if not self._view.packs:
                    self._remember()
                return
            self._looked = started
            self._take(view, started)
            try:
                self._prepare(view)
                with self._noting:
                    self._notes.take(view)
            except SnapshotError as error:  # who needs more than there is will be told
                log.warning("Not all of %s was looked at: %s", self._prefix, error)

    def _take(self, view: View, started: float) -> None:
        with self._state:
            # what we have put there since the listing began, and what we have taken away
            self._added = {name: each for name, each in self._added.items() if each[0] >= started}
            for name, (_, stored) in self._added.items():
                (view.packs if PACK.fullmatch(name) else view.maps).setdefault(name, stored)
            self._deleted &= view.packs.keys() | view.maps.keys()
            for name in self._superseded | self._deleted:
                view.packs.pop(name, None)
            changed = view.names() != self._view.names()
            self._view = view
            self._stamp += changed

    def _remember(self) -> None:
        """Go by the indexes that are at hand: the bucket cannot be asked."""
        with self._state:
            self._change(packs=dict(self._tails.remembered()))

    def _prepare(self, view: View) -> None:
        """See to it that the indexes of all packs are at hand, and no others."""
        have = self._tails.names()

        def get(each: Stored) -> None:
            with contextlib.suppress(FileNotFoundError, CorruptStoreError):
                self.tail(name_of(each), each.size)

        self._bucket.at_once(get, [view.packs[name] for name in view.packs.keys() - have])
        for name in have - view.packs.keys():
            if self.is_gone(name) and not os.path.exists(self._path(name)):
                self._tails.forget(name)

    @property
    def stamp(self) -> int:
        """Counts what came and went."""
        return self._stamp

    @property
    def is_out_of_reach(self) -> bool:
        """Whether the last look failed."""
        return self._failed

    def packs(self) -> Mapping[str, int]:
        """Return the packs that are not condemned."""
        view = self._view
        return {name: each.size for name, each in view.packs.items() if name not in view.condemned}

    def condemned(self) -> Mapping[str, int]:
        """Return the packs that are."""
        view = self._view
        return {name: each.size for name, each in view.packs.items() if name in view.condemned}

    def is_gone(self, name: str) -> bool:
        """Whether a pack was there, and is not, or is condemned."""
        view = self._view
        if name in view.condemned or name in self._superseded or name in self._deleted:
            return True
        if name in view.packs or self._failed:
            return False
        known = self._tails.age_of(name, time.time())
        # another process may have brought it there since we looked
        return known is not None and known > time.monotonic() - self._looked + 1.0

    def is_young(self, name: str) -> bool:
        """Whether a pack is in the bucket for less than the time of grace."""
        each = self._view.packs.get(name)
        return each is not None and each.modified > self._before_grace()

    def _before_grace(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self._storage.grace)

    def is_recorded(self, snapshot: str) -> bool:
        """Whether a commit needs a snapshot, by that id or by the one of another engine."""
        if self._recorded(snapshot):
            return True
        with self._noting:
            return self._notes.is_known(snapshot, self._recorded)

    # -- reading -------------------------------------------------------------------------------

    def tail(self, name: str, size: int, *, anew: bool = False) -> bytes:
        """Return a pack's index and footer, from the file that is kept of them if it is there."""
        found = None if anew else self._tails.read(name)
        if found is None:
            found = self._tails.fetch(self._bucket, self._key(name), name, size)
        return found

    def fetch(self, name: str) -> None:
        """Download a pack into the store's folder."""
        path = self._path(name)
        with self._storage.fetching(path):
            if not os.path.exists(path):
                self._download(name, path)

    def _download(self, name: str, path: str) -> None:
        with writing(self._store.folder):
            temporary, fd = self._store.temporary()
        try:
            try:
                size = self._bucket.download(self._key(name), fd)
            except FileNotFoundError:
                raise
            except OSError:
                with writing(self._store.folder):
                    raise
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            os.close(fd)
        self._storage.copies.came(path, size)

    def renew(self, name: str) -> bool:
        """Download a pack again, once: its copy is damaged."""
        now = time.monotonic()
        with self._state:
            last = self._renewed.get(name, float("-inf"))
            if now - last < _RENEWED_EVERY or name not in self._view.packs:
                return False
            self._renewed[name] = now
        log.warning("The copy of %s is damaged; it is fetched again", self._key(name))
        with contextlib.suppress(FileNotFoundError):
            self._download(name, self._path(name))
            return True
        return False

    def part(self, name: str, offset: int, length: int) -> bytes | None:
        """Return bytes of a pack by way of blocks; None if it is small, or much of it is read."""
        stored = self._view.packs.get(name)
        if stored is None or stored.size <= _WHOLE:
            return None
        with self._state:
            if self._asked.get(name, 0) > stored.size // _MUCH:
                del self._asked[name]
                return None

        def fetched(count: int) -> None:
            with self._state:
                self._asked[name] = self._asked.get(name, 0) + count

        key = self._key(name)
        data = self._storage.blocks.read(key, stored.size, offset, length, fetched)
        if len(data) != length:
            raise CorruptStoreError("A pack file is cut off.")
        return data

    def used(self, name: str) -> None:
        """Note that a copy is being read."""
        self._storage.copies.used(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._store.packs}/{name}"

    def _key(self, name: str) -> str:
        return f"{self._prefix}packs/{name}"

    # -- writing -------------------------------------------------------------------------------

    def published(self, packs: Iterable[Pack]) -> None:
        """Begin to upload large packs; their room counts from now on."""
        eager = False
        for pack in packs:
            self._storage.copies.came(pack.path, pack.size)
            eager |= pack.size >= _EAGER
        if eager:
            self._storage.later(self._settle_quietly)

    def _settle_quietly(self) -> None:
        try:
            self.settle()
        except SnapshotError as error:
            log.warning("Content waits for its storage: %s", error)

    def settle(self) -> None:
        """Upload packs, maps and notes that are only here; then delete what they replace."""
        with self._settling, self._alone():
            with self._state:
                # what these were merged into is here, and so is brought there below
                going = set(self._superseded)
            settled = False
            while not settled:
                # two looks: a merge may hide a pack from the first, not the pack that it is in then
                pending = [*dict.fromkeys([*self._pending(), *self._pending()])]
                self._upload([each for each in pending if each[1] <= PART])
                for each in pending:
                    if each[1] > PART:
                        self._upload([each])
                settled = not pending
            with self._noting:
                for stored, old in self._notes.bring_maps(self._view.maps):
                    self._note(stored)
                    with self._state:
                        self._change(maps=without(self._view.maps, old))
                self._notes.bring_equals(self._view.equal)
            self._bucket.delete(map(self._key, going))
            with self._state:
                self._superseded -= going
                self._deleted |= going
            for name in going:
                self._tails.forget(name)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold off other processes on this folder: they would upload the same."""
        with writing(self._store.folder):
            fd = os.open(f"{self._store.folder}/settle.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _pending(self) -> Iterator[tuple[str, int]]:
        """Yield the names and sizes of packs that are only here."""
        there = self._tails.names()
        for name in os.listdir(self._store.packs):
            if name not in there and PACK.fullmatch(name):
                with contextlib.suppress(FileNotFoundError):  # merged just now
                    yield name, os.stat(self._path(name)).st_size

    def _upload(self, pending: list[tuple[str, int]]) -> None:
        def send(each: tuple[str, int]) -> None:
            name, size = each
            path = self._path(name)
            with contextlib.suppress(FileNotFoundError):  # merged just now
                tail = tail_of(path, size)
                self._bucket.upload(self._key(name), path)
                self._note(Stored(self._key(name), size, datetime.now(UTC)))
                self._tails.keep(name, tail)

        if len(pending) == 1:
            send(pending[0])
        else:
            self._bucket.at_once(send, pending)

    def _note(self, stored: Stored) -> None:
        name = name_of(stored)
        with self._state:
            self._added[name] = time.monotonic(), stored
            if PACK.fullmatch(name):
                self._change(packs=self._view.packs | {name: stored})
            else:
                self._change(maps=self._view.maps | {name: stored})

    def _change(self, **parts: Any) -> None:
        self._view = replace(self._view, **parts)
        self._stamp += 1

    def supersede(self, names: Iterable[str]) -> None:
        """Delete packs at the end of the next settling."""
        with self._state:
            going = {name for name in names if name in self._view.packs}
            self._superseded |= going
            self._change(packs=without(self._view.packs, going))

    # -- cleaning up ---------------------------------------------------------------------------

    def condemn(self, names: Iterable[str]) -> None:
        """Mark packs as needed no more."""
        self._mark([name for name in names if name in self._view.packs])

    def _mark(self, names: list[str]) -> None:
        self._bucket.at_once(lambda name: self._bucket.put(self._marker(name), b""), names)
        with self._state:
            marked = dict.fromkeys(names, datetime.now(UTC))
            self._change(condemned=self._view.condemned | marked)

    def revive(self, names: Iterable[str]) -> None:
        """Take the marks off."""
        going = list(names)
        self._bucket.delete(map(self._marker, going))
        with self._state:
            self._change(condemned=without(self._view.condemned, going))

    def _marker(self, name: str) -> str:
        return f"{self._prefix}condemned/{name}"

    def sort_maps(self, unneeded: Collection[bytes]) -> None:
        """Mark maps that nothing needs, take the mark off those that something does."""
        view = self._view
        idle = {capture.hex() for capture in unneeded}
        of = {name: name.partition(".")[0] for name in view.maps}
        self.revive(name for name in of if name in view.condemned and of[name] not in idle)
        before = self._before_grace()
        self._mark(
            [
                name
                for name, stored in view.maps.items()
                if of[name] in idle and name not in view.condemned and stored.modified < before
            ]
        )

    def purge(self, began: float) -> None:
        """Delete what was condemned long before a time, and the leftovers of uploads."""
        before = datetime.fromtimestamp(began, UTC) - timedelta(seconds=self._storage.grace)
        view = self._view
        going = [name for name, since in view.condemned.items() if since < before]
        for kind, names in (("packs", view.packs), ("maps", view.maps)):
            self._bucket.delete(f"{self._prefix}{kind}/{name}" for name in going if name in names)
        with self._state:
            self._deleted.update(going)
            self._change(
                packs=without(self._view.packs, going), maps=without(self._view.maps, going)
            )
        # the mark goes last: without it a pack would be believed to be good
        self.revive(going)
        for name in going:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(name))
            self._tails.forget(name)
        with self._noting:
            self._notes.drop_equals(view.equal)
        self._bucket.abort_uploads(self._prefix, before)
