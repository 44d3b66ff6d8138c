# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Attaching datasets to a workspace: from this machine, or from the hub that has them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from dotscience_jupyter.datasets import (
    Attached,
    Attachments,
    Dataset,
    DatasetError,
    Datasets,
    OpenDataset,
    check_name,
)
from dotscience_jupyter.records import AmbiguousError, NotFoundError
from dotscience_jupyter.records.workspace import MARKER
from dotscience_jupyter.snapshots import Progress
from dotscience_jupyter.sync import (
    Credentials,
    Patience,
    Pulled,
    Remote,
    RemoteStore,
    Sync,
    clone,
    find_project,
    is_address,
)

FOLDER = "datasets"
"""Where in a workspace a dataset appears for which nobody names a path."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A dataset of which a hub lacks versions.

    Attributes
    ----------
    name : str
        The dataset.
    commits : int
        How many of its commits its hub lacks.
    remote : str or None
        ``URL/OWNER/NAME``; None if it belongs to no hub.
    """

    name: str
    commits: int
    remote: str | None


class Attaching:
    """What the user does with the datasets of one workspace. Everything blocks.

    Parameters
    ----------
    root
        The workspace's root.
    datasets
        Those of this machine.
    credentials
        Where the user's API keys are; by default the user's own file.
    patience
        How long a hub that cannot be reached is tried.
    """

    def __init__(
        self,
        root: Path,
        datasets: Datasets | None = None,
        *,
        credentials: Credentials | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.attachments = Attachments(root)
        self.datasets = datasets or Datasets()
        self._credentials = credentials
        self._patience = patience

    def attach(
        self,
        name: str,
        version: str = "",
        path: str = "",
        *,
        write: bool = False,
        called: str = "",
        progress: Progress | None = None,
    ) -> Attached:
        """Let a dataset appear in the workspace.

        Parameters
        ----------
        name : str
            A dataset of this machine, one that is attached already, or the address of one on a
            hub, which is cloned.
        version : str
            A commit of it, its beginning, or ``HEAD~n``; "" for the newest, whichever that is when
            it is attached.
        path : str
            A folder path in text form; by default where it is attached already, else
            ``datasets/NAME``.
        write : bool
            Attach the live folder, so that runs make new versions, and not a checkout.
        called : str
            What a dataset of a hub that is not on this machine yet is to be called here; by
            default as there.
        progress : callable, optional
            Told of the progress.

        Raises
        ------
        DatasetError, SyncError, RecordsError, SnapshotError
            Nothing is attached then.
        """
        if write and version:
            raise DatasetError(
                "invalid_request",
                "A version never changes, so it cannot be attached for writing. Nothing was "
                "changed; leave out either the version or --write.",
            )
        if is_address(name):
            if path:
                self.attachments.check(path)  # before anything large is moved
            dataset = self._from_hub(name, progress, called)
        else:
            dataset = self._named(name, progress)
        if os.path.realpath(dataset.root) == os.path.realpath(self.attachments.root):
            raise DatasetError(
                "invalid_request",
                f"This folder is the dataset {dataset.name}, which cannot be attached to itself. "
                "Nothing was changed.",
            )
        if write and (own := self.datasets.at(self.attachments.root)) is not None:
            # two that write to each other would wait for each other
            raise DatasetError(
                "invalid_request",
                f"This folder is the dataset {own.name}, and a dataset can have others for reading "
                "only. Nothing was changed; leave out --write.",
            )
        known = self.attachments.find(dataset.name)
        if known is not None and known.id != dataset.id:
            raise DatasetError(
                "exists",
                f"Another dataset is attached as {known.name}, at {known.path}. Nothing was "
                f"changed; detach it first: 'ds dataset detach {known.name}'.",
            )
        wanted = Attached(
            dataset.name,
            dataset.id,
            path or (known.path if known else f"{FOLDER}/{dataset.name}"),
            self._commit(dataset, version, progress) if version else None,
            "write" if write else "read",
            remote_of(dataset),
        )
        self.attachments.put(wanted, self._target(dataset, wanted, progress))
        return wanted

    def attach_all(self, progress: Progress | None = None) -> list[Attached]:
        """Make the links of all attached datasets anew, as after a clone; bring what is newest.

        Where a dataset belongs to a hub by now, the workspace's file says so afterwards.

        Raises
        ------
        DatasetError, SyncError, RecordsError, SnapshotError
            Those by name before the one that could not be attached are.
        """
        return [self._again(each, progress) for each in self.attachments.all()]

    def attach_again(self, name: str, progress: Progress | None = None) -> Attached:
        """Do for one dataset what :meth:`attach_all` does for all."""
        return self._again(self.attachments.get(name), progress)

    def _again(self, attached: Attached, progress: Progress | None) -> Attached:
        dataset = self._here(attached, progress)
        if attached.version is not None:
            self._commit(dataset, attached.version, progress)
        now = replace(attached, remote=remote_of(dataset) or attached.remote)
        target = self._target(dataset, now, progress)
        if now == attached:
            self.attachments.link(now, target)
        else:
            self.attachments.put(now, target)
        return now

    def pull(self, name: str, progress: Progress | None = None) -> Pulled:
        """Bring an attached dataset to the newest version of its hub; what is attached stays.

        Raises
        ------
        DatasetError, SyncError, RecordsError, SnapshotError
            As :meth:`.Sync.pull`.
        """
        with self._here(self.attachments.get(name), progress).opened() as opened:
            return self._sync(opened).pull(progress)

    def detach(self, name: str) -> Attached:
        """Let a dataset not appear in the workspace any more. Raise DatasetError."""
        return self.attachments.remove(name)

    def waiting(self) -> list[Waiting]:
        """Return the attached datasets that have commits which no hub, or their hub, lacks.

        The hub is not asked. Raise DatasetError, SyncError, RecordsError or SnapshotError.
        """
        found = []
        for each in self.attachments.all():
            dataset = self.datasets.by_id(each.id)
            if dataset is None or not (dataset.root / MARKER).is_dir():
                continue
            remote = remote_of(dataset)
            with dataset.opened() as opened:
                if remote is None:
                    _, commits = opened.records.list_commits(limit=1)
                else:
                    commits = self._sync(opened).status().ahead
            if commits:
                found.append(Waiting(each.name, commits, remote))
        return found

    # -- finding them -----------------------------------------------------------------------------

    def _named(self, name: str, progress: Progress | None) -> Dataset:
        known = self.attachments.find(name)
        if known is not None:
            return self._here(known, progress)
        return self.datasets.get(name)

    def _here(self, attached: Attached, progress: Progress | None) -> Dataset:
        """Return a dataset that is attached, from its hub if it is not on this machine."""
        found = self.datasets.by_id(attached.id)
        if found is not None and (found.root / MARKER).is_dir():
            return Dataset(attached.name, found.id, found.root)
        if attached.remote is None:
            raise DatasetError(
                "not_found",
                f"The dataset {attached.name} is not on this machine, and the workspace does not "
                "know a hub that has it. Nothing was changed. If you have its folder: 'ds dataset "
                f"create {attached.name} FOLDER'.",
            )
        made = self._from_hub(attached.remote, progress, attached.name)
        if made.id != attached.id:
            raise DatasetError(
                "not_found",
                f"What is on {attached.remote} now is another dataset than the one that is "
                f"attached as {attached.name}. It was cloned to {made.root}; nothing was attached.",
            )
        return made

    def _from_hub(self, address: str, progress: Progress | None, name: str = "") -> Dataset:
        """Clone a dataset, unless that was done before; return it."""
        remote = find_project(
            address, kind="dataset", credentials=self._credentials, patience=self._patience
        )
        for each in self.datasets.all():
            there = _remote(each)
            if there is not None and (there.url, there.project) == (remote.url, remote.project):
                return Dataset(name or each.name, each.id, each.root)
        name = name or remote.name.rpartition("/")[2]
        check_name(name)
        if self.datasets.find(name) is not None:
            raise DatasetError(
                "exists",
                f"There is another dataset {name} on this machine. Nothing was changed. Choose "
                "another name for the one of the hub ('--as NAME').",
            )
        home = self.datasets.home(name)
        clone(
            remote,
            home,
            credentials=self._credentials,
            patience=self._patience,
            progress=progress,
        )
        return self.datasets.add(name, home)

    def _commit(self, dataset: Dataset, version: str, progress: Progress | None) -> str:
        """Return the whole id of a version; it is fetched from the hub if it is not here."""
        with dataset.opened() as opened:
            try:
                return opened.records.get_commit(version).id
            except AmbiguousError as error:
                raise DatasetError("invalid_request", str(error)) from None
            except NotFoundError:
                if _remote(dataset) is not None:
                    self._sync(opened).fetch(progress)
                try:
                    return opened.records.get_commit(version).id
                except NotFoundError:
                    raise DatasetError(
                        "not_found",
                        f"The dataset {dataset.name} has no version {version!r}. Nothing was "
                        f"changed; 'ds dataset versions {dataset.name}' lists them.",
                    ) from None

    def _target(self, dataset: Dataset, wanted: Attached, progress: Progress | None) -> Path:
        if wanted.mode == "write":
            return dataset.root
        commit = wanted.version
        if commit is None:
            with dataset.opened() as opened:
                commit = opened.records.get_commit("HEAD").id
        return self.datasets.checkout(dataset, commit, progress)

    def _sync(self, opened: OpenDataset) -> Sync:
        return Sync(
            opened.dataset.workspace,
            opened.records,
            opened.engine,
            credentials=self._credentials,
            patience=self._patience,
        )


def remote_of(dataset: Dataset) -> str | None:
    """Return the address of a dataset on its hub, if it has one. Raise SyncError."""
    remote = _remote(dataset)
    return None if remote is None else str(remote)


def _remote(dataset: Dataset) -> Remote | None:
    return RemoteStore(dataset.root / MARKER).get()
