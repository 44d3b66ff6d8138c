# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What can go wrong between a workspace and its hub, in words for users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SyncError(Exception):
    """Something that a user can understand and act on.

    Attributes
    ----------
    code : str
        Machine-readable: ``no_remote``, ``exists``, ``invalid_url``, ``not_logged_in``,
        ``unsupported_engine``, ``uncommitted_changes``, ``diverged``, ``busy``, ``offline``,
        ``damaged``, ``unreadable``, ``stopped``, or the hub's own.
    message : str
        What happened, what it means for the data, what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class OfflineError(SyncError):
    """The hub could not be reached, or the connection was cut; trying again may help.

    Attributes
    ----------
    after : float
        Seconds that the hub asked to wait, 0 if it did not.
    """

    def __init__(self, message: str, *, code: str = "offline", after: float = 0.0) -> None:
        super().__init__(code, message)
        self.after = after


class RefusedError(SyncError):
    """The hub answered, and the answer is no.

    Attributes
    ----------
    status : int
        The HTTP status.
    document : mapping
        All that the hub said.
    """

    def __init__(self, status: int, code: str, message: str, document: Mapping[str, Any]) -> None:
        super().__init__(code, message)
        self.status = status
        self.document = document
