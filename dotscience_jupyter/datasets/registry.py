# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which datasets there are on this machine, for this user, and where they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from jupyter_core.paths import jupyter_data_dir

from dotscience_jupyter.records import Workspace, WorkspaceError
from dotscience_jupyter.snapshots import Progress

from . import checkouts
from .dataset import Dataset, identity, opened
from .errors import DatasetError
from .files import read_json, unreadable, write_json

FOLDER = "dotscience"
"""Our folder in Jupyter's data folder."""

FILE = "datasets.json"
_WHAT = "which datasets there are on this machine"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_LOCK_SECONDS = 60.0


class Datasets:
    """The datasets of this user on this machine, by name. Several processes may use it at once.

    Parameters
    ----------
    folder
        Where the list, new datasets and checkouts are kept; by default ``dotscience`` in Jupyter's
        data folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(jupyter_data_dir()) / FOLDER

    def all(self) -> list[Dataset]:
        """Return every dataset, by name. Raise DatasetError if the list cannot be read."""
        path = self.folder / FILE
        document = read_json(path, _WHAT).get("datasets", {})
        try:
            return [
                Dataset(name, str(each["id"]), Path(each["path"]))
                for name, each in sorted(document.items())
            ]
        except (AttributeError, KeyError, TypeError):
            raise unreadable(path, _WHAT, "it is not as it was written") from None

    def find(self, name: str) -> Dataset | None:
        """Return the dataset of that name, or None."""
        return next((each for each in self.all() if each.name == name), None)

    def get(self, name: str) -> Dataset:
        """Return the dataset of that name. Raise DatasetError ``not_found``."""
        found = self.find(name)
        if found is None:
            known = ", ".join(each.name for each in self.all())
            raise DatasetError(
                "not_found",
                f"There is no dataset {name!r} on this machine. "
                + (f"There is: {known}." if known else "'ds dataset create' makes one."),
            )
        return found

    def by_id(self, id: str) -> Dataset | None:  # noqa: A002 - as everywhere here
        """Return a dataset by its id, whatever it is called here."""
        return next((each for each in self.all() if each.id == id), None)

    def at(self, folder: Path) -> Dataset | None:
        """Return the dataset whose live folder that is, or None."""
        real = os.path.realpath(folder)
        return next((each for each in self.all() if os.path.realpath(each.root) == real), None)

    def owner(self, path: Path) -> tuple[Dataset, str | None] | None:
        """Return the dataset in whose live folder or checkout a path lies; None if in neither.

        Returns
        -------
        tuple of Dataset and str or None
            The commit that is checked out there; None where it is the live folder.
        """
        real = Path(os.path.realpath(path))
        every = self.all()
        top = Path(os.path.realpath(self.folder)) / checkouts.FOLDER
        if real.is_relative_to(top) and len(parts := real.relative_to(top).parts) >= 2:
            version = checkouts.version_of(top / parts[0] / parts[1], parts[0])
            dataset = next((each for each in every if each.id == parts[0]), None)
            return None if dataset is None or version is None else (dataset, version)
        for each in every:
            if real.is_relative_to(os.path.realpath(each.root)):
                return each, None
        return None

    def home(self, name: str) -> Path:
        """Return where a dataset lies for which nobody names a folder."""
        return self.folder / "datasets" / name

    def checkout(self, dataset: Dataset, commit: str, progress: Progress | None = None) -> Path:
        """Return a folder with a version of a dataset that nobody writes to; made if need be.

        Raises
        ------
        DatasetError, RecordsError, SnapshotError
        """
        return checkouts.check_out(self.folder, dataset, commit, progress)

    def create(
        self,
        name: str,
        folder: Path | None = None,
        *,
        author: str,
        message: str = "Initial commit",
        progress: Progress | None = None,
    ) -> Dataset:
        """Make a folder a dataset, and its content the first version.

        A folder that is a workspace already keeps its history. One that is a dataset here already,
        or again after it was moved, is given the name.

        Parameters
        ----------
        name : str
            Letters, digits, ``-`` and ``_``, up to 64.
        folder : pathlib.Path, optional
            An existing folder; by default a new one, :meth:`home`.
        author : str
            Who makes the first commit.
        message : str
            That commit's.
        progress : callable, optional
            Told of the snapshot's progress.

        Raises
        ------
        DatasetError, RecordsError, SnapshotError
            ``exists`` if the name is another dataset's. The folder's files are as they were.
        """
        check_name(name)
        with self._changing():
            self._check_free(name)
            if folder is None:
                folder = self.home(name)
                _make(folder)
            else:
                _check_place(folder)
            folder = Path(os.path.abspath(folder))
            try:
                workspace = Workspace.create(folder)
            except WorkspaceError as error:
                raise DatasetError("invalid_request", str(error)) from None
            found = Dataset(name, "", workspace.root)
            with opened(workspace) as (records, _):
                known = identity(records)
            if known is None:
                found.commit(message, author=author, progress=progress)
            return self._note(found)

    def add(self, name: str, folder: Path) -> Dataset:
        """Give a name to a workspace with a history, such as a clone of a dataset.

        Raises
        ------
        DatasetError, RecordsError, SnapshotError
        """
        check_name(name)
        with self._changing():
            self._check_free(name)
            return self._note(Dataset(name, "", Path(os.path.abspath(folder))))

    def _note(self, found: Dataset) -> Dataset:
        with opened(found.workspace) as (records, _):
            id_ = identity(records)
        if id_ is None:
            raise DatasetError(
                "invalid_request", f"{found.root} has no commit yet, so it is no dataset."
            )
        found.id = id_
        others = [each for each in self.all() if each.name != found.name]
        for each in others:
            if each.root == found.root:
                raise DatasetError(
                    "exists",
                    f"{found.root} is the dataset {each.name} already. Nothing was changed.",
                )
        document = {each.name: {"id": each.id, "path": str(each.root)} for each in (*others, found)}
        write_json(self.folder / FILE, {"datasets": document}, "the dataset")
        return found

    def _check_free(self, name: str) -> None:
        for each in self.all():
            # names that differ in case only would be one folder on some file systems
            if each.name.lower() == name.lower() and (
                each.name != name or Workspace.is_at(each.root)
            ):
                raise DatasetError(
                    "exists",
                    f"There is a dataset {each.name} already, in {each.root}. Nothing was "
                    "changed; choose another name.",
                )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f".{FILE}.lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout:
            raise DatasetError(
                "busy",
                "Another program has been making a dataset for a minute. Nothing was changed; try "
                "again when it is done.",
            ) from None
        except PermissionError as error:
            raise DatasetError(
                "unreadable",
                f"{error.filename or self.folder} cannot be written to. Nothing was changed.",
            ) from None


def check_name(name: str) -> None:
    """Raise DatasetError where a text cannot be the name of a dataset."""
    if not _NAME.fullmatch(name):
        raise DatasetError(
            "invalid_request",
            f"{name[:80]!r} cannot be the name of a dataset: names are up to 64 letters, digits, "
            "dashes and underscores, and do not begin with a dash. Nothing was changed.",
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(
            "unreadable",
            f"{folder} cannot be made ({error.strerror or error}). Nothing was changed; name a "
            "folder that you can write to.",
        ) from None


def _check_place(folder: Path) -> None:
    """Refuse a folder whose files another workspace freezes as well."""
    outer = Workspace.find(Path(os.path.abspath(folder)).parent)
    if outer is not None:
        raise DatasetError(
            "invalid_request",
            f"{folder} lies inside of the workspace {outer.root}, whose commits hold its files. "
            "Nothing was changed. Name a folder elsewhere, then attach the dataset where the "
            "workspace needs it.",
        )
