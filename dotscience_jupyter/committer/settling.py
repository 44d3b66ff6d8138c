# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The work that a snapshot engine put off, done when nobody waits for anything."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from dotscience_jupyter.snapshots.engine import Engine, SnapshotError

log = logging.getLogger(__name__)

DELAY = 1.0
"""Seconds without a commit after which the engine settles."""

EVERY = 300.0
"""Seconds after which it settles again without a commit: an engine may look after itself then."""

RETRY = 60.0
"""Seconds after which it is tried again when it could not be done."""

YIELD = 0.05
"""Seconds that a piece of work waits at most for a commit; the engine may hold a lock meanwhile."""

PATIENCE = 5.0
"""Seconds to wait for the thread at the end; the store withstands being closed under its hands."""


class _StoppedError(Exception):
    """It is to end now; what is not done is done another time."""


class Settler:
    """Lets an engine settle in a thread of its own; all methods may be called from any thread.

    Parameters
    ----------
    engine : Engine
        Whose put-off work is done.
    is_busy : callable
        Whether a commit is being made: that goes first.
    done : callable
        Told after each time, in the thread, with the error or None.
    """

    def __init__(
        self,
        engine: Engine,
        is_busy: Callable[[], bool],
        done: Callable[[Exception | None], None],
    ) -> None:
        self._engine = engine
        self._is_busy = is_busy
        self._done = done
        self._wake = threading.Condition()
        self._due = math.inf
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; what others left is done first."""
        self._thread = threading.Thread(target=self._run, name="dotscience-settler", daemon=True)
        self._thread.start()
        self.ask()

    def ask(self, delay: float = DELAY) -> None:
        """Let the engine settle after a while; asked again meanwhile, the while begins anew."""
        with self._wake:
            self._due = time.monotonic() + delay
            self._wake.notify()

    def close(self) -> None:
        """End; what is under way is given up."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(PATIENCE)
            self._thread = None

    def _run(self) -> None:
        while self._wait():
            error: Exception | None = None
            try:
                self._engine.settle(self._give_way)
            except _StoppedError:
                return
            except (SnapshotError, OSError) as problem:
                error = problem
            except Exception as problem:
                if self._closing:
                    return
                log.exception("What a snapshot engine put off could not be done")
                error = problem
            with self._wake:
                if self._due == math.inf:  # else somebody asked meanwhile
                    self._due = time.monotonic() + (EVERY if error is None else RETRY)
            self._done(error)

    def _wait(self) -> bool:
        """Wait until there is something to do and nothing else is done; False at the end."""
        with self._wake:
            while not self._closing:
                now = time.monotonic()
                if now < self._due:
                    self._wake.wait(min(self._due - now, EVERY))
                elif self._is_busy():
                    self._wake.wait(DELAY)
                else:
                    self._due = math.inf
                    return True
            return False

    def _give_way(self, done: int, total: int, what: str) -> None:
        """Stop where it is to end, and let a commit that is being made go first."""
        with self._wake:
            if not self._closing and self._is_busy():
                self._wake.wait(YIELD)
            if self._closing:
                raise _StoppedError


def settle_briefly(engine: Engine, seconds: float) -> None:
    """Let an engine settle, for a program that is about to end; give up after some seconds.

    What is not done then, or cannot be, is done by whoever comes next.
    """
    end = time.monotonic() + seconds

    def stop(done: int, total: int, what: str) -> None:
        if time.monotonic() > end:
            raise _StoppedError

    try:
        engine.settle(stop)
    except Exception as error:
        # whatever it is, what the program was started for is done
        log.debug("Not everything that was put off was done", exc_info=error)
