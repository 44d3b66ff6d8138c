# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How much one client may ask for: requests by token, and guesses at a password."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_MOST = 10_000  # clients that are remembered


class RateLimit:
    """A bucket of tokens for each client. Thread-safe.

    Parameters
    ----------
    rate
        Requests a second that a client may make for ever; 0 for no limit.
    burst
        Requests that it may make at once after a pause.
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self.burst = max(1.0, burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Count a request; return 0, or for how many seconds the client has to wait."""
        if self.rate <= 0:
            return 0.0
        now = self._clock()
        with self._lock:
            left, since = self._buckets.pop(client, (self.burst, now))
            left = min(self.burst, left + (now - since) * self.rate)
            wait = 0.0 if left >= 1 else (1 - left) / self.rate
            self._buckets[client] = (left if wait else left - 1, now)
            if len(self._buckets) > _MOST:
                self._buckets.popitem(last=False)
        return wait


class Attempts:
    """Wrong passwords of late, by user name and address. Thread-safe.

    After ``free`` of them the next has to wait, twice as long each time and at most ``longest``
    seconds; one that is right is forgotten with all before it.
    """

    def __init__(
        self,
        free: int = 5,
        longest: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = free
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, who: str) -> float:
        """Return for how many seconds no further attempt is looked at; 0 mostly."""
        with self._lock:
            count, last = self._failed.get(who, (0, 0.0))
            return max(0.0, last + self._pause(count) - self._clock()) if count else 0.0

    def failed(self, who: str) -> int:
        """Note a wrong one; return how many there were of late."""
        now = self._clock()
        with self._lock:
            count, last = self._failed.pop(who, (0, now))
            if now - last > 10 * self._longest:
                count = 0
            self._failed[who] = (count + 1, now)
            if len(self._failed) > _MOST:
                self._failed.popitem(last=False)
        return count + 1

    def succeeded(self, who: str) -> None:
        """Forget the wrong ones."""
        with self._lock:
            self._failed.pop(who, None)

    def _pause(self, count: int) -> float:
        if count < self._free:
            return 0.0
        return min(self._longest, 2.0 ** min(count - self._free, 30))
