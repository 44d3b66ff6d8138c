# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Pushing in the background: after each commit, and until it worked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from dotscience_jupyter.records import RecordsError
from dotscience_jupyter.snapshots import Progress, SnapshotError

from .connection import Patience
from .errors import OfflineError, RefusedError, SyncError
from .pushing import Pushed
from .synced import Sync

log = logging.getLogger(__name__)

FIRST = 2.0
"""Seconds to wait after a first failure; they double up to :data:`LONGEST`."""

LONGEST = 300.0

REFUSED = 600.0
"""Seconds after which what the hub refused is tried again: a key may be a new one by then."""

LOCKED = 30.0
"""The same while a task has the project to itself."""


class Pusher:
    """A thread that pushes whenever it is woken, and again for as long as the hub is out of reach.

    Parameters
    ----------
    sync
        The workspace and its hub; with a patience of few attempts, since this one waits itself.
    on_change
        Told ``pushing``, then ``pushed`` or ``failed``, from the thread.
    progress
        Told of the bytes sent.
    """

    def __init__(
        self,
        sync: Sync,
        on_change: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._sync = sync
        self._on_change = on_change
        self._progress = progress
        self._wanted = threading.Event()
        self._stopping = False
        self._waits = Patience(first=FIRST, longest=LONGEST)
        self._thread = threading.Thread(target=self._run, name="dotscience-push", daemon=True)
        self.last: Pushed | None = None
        """What the last push that worked did."""

    def start(self) -> None:
        """Begin, and push what has waited since the last time."""
        self.wake()
        self._thread.start()

    def wake(self) -> None:
        """Push soon: there is a commit, or a hub, or a network."""
        self._wanted.set()

    def stop(self, timeout: float = 10.0) -> bool:
        """End it; what is on its way is cut. Return whether it has ended in time."""
        self._stopping = True
        self._sync.patience.stopped.set()
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failed = 0
        pause: float | None = None
        while True:
            self._wanted.wait(pause)
            self._wanted.clear()
            if self._stopping:
                return
            pause = self._push()
            if pause is None:
                failed = 0
            elif not pause:
                failed += 1
                pause = self._waits.pause(failed)

    def _push(self) -> float | None:
        """Push once. Return when to try again: None not by itself, 0 for soon."""
        try:
            if self._sync.remote is None:
                return None
            self._tell("pushing")
            self.last = self._sync.push(self._progress)
        except OfflineError as error:
            log.info("Not pushed yet: %s", error)
            return self._failed(0.0)
        except (SyncError, RecordsError, SnapshotError) as error:
            if isinstance(error, RefusedError) and error.code == "locked":
                log.info("Not pushed yet: %s", error)
                return self._failed(LOCKED)
            if not self._stopping:
                log.warning("Not pushed: %s", error)
            return self._failed(REFUSED)
        except Exception:
            # a thread that nobody looks at must not die silently
            log.exception("Pushing to the hub failed")
            return self._failed(REFUSED)
        self._tell("pushed")
        return None

    def _failed(self, pause: float) -> float:
        self._tell("failed")
        return pause

    def _tell(self, what: str) -> None:
        if self._on_change is not None:
            try:
                self._on_change(what)
            except Exception:
                log.exception("A listener of the pusher failed")
