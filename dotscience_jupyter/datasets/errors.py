# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What goes wrong with datasets, in words for users."""

from __future__ import annotations


class DatasetError(Exception):
    """Something about a dataset that a user can act on; the message says what and what to do.

    Attributes
    ----------
    code
        One word for programs: ``not_found``, ``exists``, ``invalid_request``, ``unreadable``,
        ``busy``, ``not_empty``.
    message
        Sentences for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
