# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What can go wrong with the records, in words for users."""

from __future__ import annotations


class RecordsError(Exception):
    """Something a user can understand and act on went wrong with the records."""


class NotFoundError(RecordsError):
    """No commit, run or series is called that."""


class AmbiguousError(RecordsError):
    """Several commits or runs have ids that start like that."""


class DuplicateRunError(RecordsError):
    """A run of that id is recorded already; nothing was written. ``ids`` are the runs' ids."""

    def __init__(self, message: str, ids: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.ids = ids


class ConflictError(RecordsError):
    """A ref, such as the head, is not where it was expected to be; nothing was written."""


class RefusedError(RecordsError):
    """What another store sent are not commits that can be recorded; nothing was written."""
