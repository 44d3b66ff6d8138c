# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Log-ins that were refused, in the audit log: who was tried from where, and how often.

Anybody can make these entries, so there is a bound to them. Those of one name and address are
written at the first, second, fourth, eighth, ... of a spell; and all together are not more than
:data:`BURST` at once and one a minute after that, with the number of those that were left out.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Literal

from dotscience_jupyter.api.errors import ApiError

from .audit import Audit
from .identity import KEY_PREFIX, NAME, S3_KEY
from .limits import Attempts, RateLimit

Way = Literal["password", "key", "s3key"]

BURST = 100
RATE = 1 / 60

_log = logging.getLogger("dotscience.hub")
_TOKEN = re.compile(r"[0-9a-fA-F]{32,}")


class FailedLogins:
    """What is written of refused log-ins. Thread-safe; each process has bounds of its own."""

    def __init__(self, audit: Audit, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._tries = Attempts(clock=clock)
        self._room = RateLimit(RATE, BURST, clock)
        self._counting = threading.Lock()
        self._left_out = 0

    def note(self, name: str, way: Way, address: str, access_key: str = "") -> None:
        """Write that somebody was not let in, if it is to be written.

        What cannot be written is told of in the hub's log; nothing is raised.

        Parameters
        ----------
        name
            The user name that was tried, "" if none was. What does not look like one may be a
            secret that was typed in the wrong place, and is not written.
        way
            What it was tried with.
        address
            Of the client.
        access_key
            The id of an access key of S3; the same goes for it.
        """
        name = name if _is_name(name) else ""
        access_key = access_key if S3_KEY.fullmatch(access_key) else ""
        times = self._tries.failed(f"{way} {address} {name} {access_key}")
        if times & (times - 1):
            return
        with self._counting:
            if self._room.take(""):
                self._left_out += 1
                return
            left_out, self._left_out = self._left_out, 0
        details: dict[str, str | int] = {"address": address, "with": way, "times": times}
        if access_key:
            details["access_key"] = access_key
        if left_out:
            details["left_out"] = left_out
        about = f"user:{name}" if name else f"address:{address}"
        try:
            self._audit.append(Audit.NOBODY, "login.failed", about, details)
        except ApiError as error:
            _log.error("A refused log-in is not in the audit log: %s", error.message)


def _is_name(text: str) -> bool:
    """Whether a text looks like a user name, and not like a key or a token."""
    is_key = text.startswith(KEY_PREFIX) or _TOKEN.fullmatch(text) is not None
    return NAME.fullmatch(text) is not None and not is_key
