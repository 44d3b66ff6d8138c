# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""From the errors of the rooms below to errors of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dotscience_jupyter.committer import CommitterError
from dotscience_jupyter.datasets import DatasetError
from dotscience_jupyter.records import (
    AmbiguousError,
    ConflictError,
    DuplicateRunError,
    NotFoundError,
    RecordsError,
    WhereError,
    WorkspaceError,
)
from dotscience_jupyter.snapshots import (
    CorruptStoreError,
    HeldError,
    PathNotFoundError,
    SnapshotError,
    SnapshotNotFoundError,
    TransferError,
    UnavailableError,
)

from .errors import ApiError
from .paths import PathMapper

_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (NotFoundError, 404, "not_found"),
    (AmbiguousError, 400, "ambiguous"),
    (WhereError, 400, "invalid_where"),
    (ConflictError, 409, "conflict"),
    (DuplicateRunError, 409, "conflict"),
    (SnapshotNotFoundError, 404, "not_found"),
    (PathNotFoundError, 404, "not_found"),
    (CorruptStoreError, 500, "unreadable"),
    (HeldError, 409, "held"),
    (TransferError, 409, "transfer_cut"),
    (UnavailableError, 503, "unavailable"),
    (CommitterError, 409, "conflict"),
    (SnapshotError, 500, "unreadable"),
    (RecordsError, 500, "unreadable"),
    (WorkspaceError, 500, "unreadable"),
)

_DATASET_STATUS = {"not_found": 404, "invalid_request": 400, "unreadable": 500}


@contextmanager
def translated(mapper: PathMapper, root: Path) -> Iterator[None]:
    """Turn the errors of the rooms below into errors of the API, without OS paths."""
    try:
        yield
    except tuple(kind for kind, _, _ in _STATUS) as error:
        for kind, status, code in _STATUS:
            if isinstance(error, kind):
                raise ApiError(status, code, mapper.scrub(str(error), root)) from error
        raise


@contextmanager
def translated_datasets(clean: Callable[[str], str] = str) -> Iterator[None]:
    """Turn what datasets raise into errors of the API."""
    try:
        yield
    except DatasetError as error:
        status = _DATASET_STATUS.get(error.code, 409)
        raise ApiError(status, error.code, clean(error.message)) from error
