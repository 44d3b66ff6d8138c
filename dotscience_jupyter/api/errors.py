# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The one error of the API: a status, a code for programs and a sentence for people."""

from __future__ import annotations

from . import models


class ApiError(Exception):
    """Something that the caller can understand and act on.

    Attributes
    ----------
    status : int
        HTTP status.
    code : str
        Machine-readable: ``no_workspace``, ``not_found``, ``ambiguous``, ``invalid_request``,
        ``invalid_where``, ``conflict``, ``exists``, ``changed``, ``not_empty``,
        ``refused``, ``forbidden_path``, ``unwritable``, ``unreadable``, ``held``,
        ``transfer_cut``, ``unsupported_contents``, ``locked`` or ``internal``.
    message : str
        One sentence or two: what happened and what to do.
    details : str or None
        More, for who wants to know.
    """

    def __init__(self, status: int, code: str, message: str, details: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def problem(self) -> models.Problem:
        """Return the body of the error answer."""
        return models.Problem(code=self.code, message=self.message, details=self.details)
