# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One thing at a time that is done with a workspace's datasets, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from dotscience_jupyter.datasets import DatasetError
from dotscience_jupyter.sync import Patience

from . import models
from .errors import ApiError
from .hubs import ATTEMPTS

WAIT = 1.5
"""Seconds that a request waits for what it began; what takes longer is told of by events."""

TELL = 0.2
"""Seconds between two words about how far it is, at least."""

STOPPED = "stopped"

log = logging.getLogger(__name__)


class Work:
    """Something that is under way.

    Parameters
    ----------
    activity
        What is done.
    name
        With which dataset.
    on_change
        Told how far it is, now and then; from any thread.
    """

    def __init__(
        self, activity: models.DatasetActivity, name: str, on_change: Callable[[], None]
    ) -> None:
        self.activity = activity
        self.name = name
        self.patience = Patience(attempts=ATTEMPTS)
        self.ended = threading.Event()
        self.error: ApiError | None = None
        self._done = self._total = 0
        self._on_change = on_change
        self._told = time.monotonic()

    def tell(self, done: int, total: int, _what: str) -> None:
        """Take how far it is. Raise DatasetError ``stopped`` where it is to end."""
        if self.patience.stopped.is_set():
            raise DatasetError(STOPPED, "It was stopped.")
        self._done, self._total = done, total
        now = time.monotonic()
        if now - self._told >= TELL:
            self._told = now
            self._on_change()

    def body(self) -> models.DatasetWork:
        """Return what the API says of it."""
        return models.DatasetWork(
            activity=self.activity, name=self.name, done=self._done, total=self._total
        )


class Worker:
    """Does one thing at a time. All methods may be called from any thread.

    Parameters
    ----------
    on_change
        Told when something began, went on or ended.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._work: Work | None = None
        self._closed = False
        self._failed: ApiError | None = None

    def state(self) -> tuple[models.DatasetWork | None, ApiError | None]:
        """Return what is under way, and why the last work failed whose failure nobody was told."""
        with self._lock:
            return (None if self._work is None else self._work.body()), self._failed

    def run(
        self,
        activity: models.DatasetActivity,
        name: str,
        do: Callable[[Work], None],
    ) -> None:
        """Begin something, and wait a moment for its end.

        Parameters
        ----------
        activity, name
            For people.
        do
            Does it; blocks. Its errors are errors of the API.

        Raises
        ------
        ApiError
            409 ``busy`` if something else is under way, ``stopped`` when the workspace is being
            closed; or what doing it raised, if that was at once.
        """
        work = Work(activity, name, self._on_change)
        with self._lock:
            if self._closed:
                raise ApiError(409, STOPPED, "The workspace is being closed. Nothing was changed.")
            if self._work is not None:
                raise ApiError(
                    409,
                    "busy",
                    f"Something is being done with the dataset {self._work.name} of this workspace "
                    "already. Nothing was changed; try again when that has ended, or stop it.",
                )
            self._work = work
            self._failed = None
        self._on_change()
        threading.Thread(
            target=self._run, args=(work, do), name="dotscience-datasets", daemon=True
        ).start()
        if work.ended.wait(WAIT) and work.error is not None:
            self._forget(work.error)  # whoever asked is told
            raise work.error

    def stop(self) -> None:
        """End what is under way as soon as can be."""
        with self._lock:
            work = self._work
        if work is not None:
            work.patience.stopped.set()

    def close(self) -> None:
        """End what is under way; nothing is begun afterwards."""
        with self._lock:
            self._closed = True
        self.stop()

    def _forget(self, error: ApiError) -> None:
        with self._lock:
            if self._failed is error:
                self._failed = None

    def _run(self, work: Work, do: Callable[[Work], None]) -> None:
        try:
            do(work)
        except ApiError as error:
            work.error = error
        except Exception:
            # a thread that nobody looks at must not die silently
            log.exception("Work on the dataset %s failed", work.name)
            work.error = ApiError(
                500, "failed", "Something went wrong with the dataset; the server's log says what."
            )
        with self._lock:
            self._work = None
            if work.error is not None and work.error.code != STOPPED:
                self._failed = work.error
        work.ended.set()
        self._on_change()
