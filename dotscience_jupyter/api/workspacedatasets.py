# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The datasets of one workspace: what there is, and attaching them while others work on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from dotscience_jupyter.datasets import (
    Attached,
    Dataset,
    DatasetError,
    Datasets,
    check_name,
    copy_folder,
    version_of,
)
from dotscience_jupyter.records import (
    RecordsError,
    Workspace,
    WorkspaceError,
    from_text,
    to_text,
)
from dotscience_jupyter.records import models as rows
from dotscience_jupyter.records.workspace import MARKER
from dotscience_jupyter.sync import Patience

from . import models
from .core import Core
from .datasets import FOLDER, Attaching
from .datasetwork import Work, Worker
from .errors import ApiError
from .hubs import known, translated_sync
from .knowndatasets import KnownVersions, known_datasets, makers, versions
from .paths import folder_path
from .translate import translated_datasets

USES = 1000
"""How many runs are looked at for who used a version."""

_LISTED = 20


class WorkspaceDatasets:
    """One workspace and its datasets.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`. What may take long goes on in a thread after a moment, and its end
    is told to whoever listens.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._datasets = Datasets()
        self._on_change: Callable[[], None] = _nobody
        self._versions = KnownVersions()
        self._worker = Worker(lambda: self._on_change())

    # -- looking ----------------------------------------------------------------------------------

    def status(self) -> models.DatasetStatus:
        """Return what is attached, and what is under way. No hub is asked.

        Raises
        ------
        ApiError
            500 ``unreadable`` if one of the files that tell of it is damaged.
        """
        # before what it leads to is looked at: when nothing is under way, that is all of it
        work, failed = self._worker.state()
        with self._errors():
            attaching = self._attaching()
            here = {each.id: each for each in self._datasets.all()}
            items = [self._attached(attaching, each, here) for each in attaching.attachments.all()]
        return models.DatasetStatus(
            items=items,
            work=work,
            error="" if failed is None else failed.message,
            code="" if failed is None else failed.code,
        )

    def known(self) -> models.KnownDatasets:
        """Return the datasets of this machine. Raise ApiError as :meth:`status`."""
        with self._errors():
            attached = {each.id for each in self._attaching().attachments.all()}
            found = known_datasets(self._datasets)
        return models.KnownDatasets(
            items=[
                models.KnownDataset(
                    name=each.dataset.name,
                    id=each.dataset.id,
                    folder=self._core.mapper.to_contents(each.dataset.root),
                    version=_version(each.head),
                    attached=each.dataset.id in attached,
                    error=self._clean(each.error),
                )
                for each in found
            ]
        )

    def versions(self, name: str, offset: int, limit: int) -> models.DatasetVersionList:
        """Return versions of an attached dataset, or of one of this machine, newest first.

        Raises
        ------
        ApiError
            404 ``not_found`` if it is not on this machine.
        """
        with self._errors():
            attached = self._attaching().attachments.find(name)
            dataset = self._datasets.by_id(attached.id) if attached else self._datasets.get(name)
            if dataset is None:
                raise DatasetError("not_found", _absent(name, attached))
            commits, total = versions(dataset, offset, limit)
            uses: dict[str, list[models.DatasetUse]] = {}
            for use in self._core.records.dataset_uses(name, USES):
                if use.dataset == dataset.id:
                    uses.setdefault(use.version, []).append(_use(use.run, use.direction))
        return models.DatasetVersionList(
            items=[
                models.ListedVersion(
                    id=commit.id,
                    created=commit.created,
                    author=commit.author,
                    message=commit.message,
                    runs=makers(commit),
                    uses=uses.get(commit.id, [])[:_LISTED],
                    total_uses=len(uses.get(commit.id, [])),
                )
                for commit in commits
            ],
            total=total,
            offset=offset,
        )

    # -- changing ---------------------------------------------------------------------------------

    def attach(self, wanted: models.AttachDataset) -> models.DatasetStatus:
        """Begin to let a dataset appear in the workspace, or appear otherwise.

        Raises
        ------
        ApiError
            What :meth:`.Attaching.attach` raises, if that is at once; 409 ``busy`` if something
            else is under way.
        """
        path = to_text(folder_path(wanted.to))
        name = wanted.name.strip()
        if bool(wanted.url) != bool(wanted.project) or not (name or wanted.project):
            raise ApiError(400, "invalid_request", "Say which dataset is to be attached.")
        with self._errors():
            if wanted.project:
                address = f"{known(wanted.url).url}/{quote(wanted.project, safe='')}"
                called = name
                if called:
                    check_name(called)
            else:
                address, called = name, ""

        def do(work: Work) -> None:
            self._attaching(work.patience).attach(
                address,
                wanted.version.strip(),
                path,
                write=wanted.mode == "write",
                called=called,
                progress=work.tell,
            )

        return self._begin("attaching", name or wanted.project, do)

    def restore(self, wanted: models.RestoreDatasets) -> models.DatasetStatus:
        """Begin to attach again what the workspace's file says. Raise ApiError."""
        with self._errors():
            attachments = self._attaching().attachments
            names = [wanted.name] if wanted.name else [each.name for each in attachments.all()]
            for name in names:
                attachments.get(name)
        if not names:
            return self.status()

        def do(work: Work) -> None:
            for work.name in names:
                self._attaching(work.patience).attach_again(work.name, work.tell)

        return self._begin("attaching", names[0], do)

    def create(self, wanted: models.CreateDataset, author: str | None) -> models.DatasetStatus:
        """Begin to make a dataset of a folder, and to attach it.

        Raises
        ------
        ApiError
            What :meth:`.Datasets.create` and :meth:`.Attaching.attach` raise; 403
            ``forbidden_path`` or 404 ``not_found`` for the folder.
        """
        name = wanted.name.strip()
        path = to_text(folder_path(wanted.to))
        message = wanted.message.strip() or "Initial commit"
        with self._errors():
            check_name(name)
            attachments = self._attaching().attachments
            attachments.check(path or f"{FOLDER}/{name}")
            if attachments.find(name) is not None:
                raise DatasetError(
                    "exists",
                    f"A dataset is attached as {name} already. Nothing was changed; choose "
                    "another name.",
                )
            if self._datasets.find(name) is not None:
                raise DatasetError(
                    "exists",
                    f"There is a dataset {name} on this machine already. Nothing was changed; "
                    "choose another name, or attach that one.",
                )
            folder, is_inside = self._folder(wanted.folder)

        def do(work: Work) -> None:
            place = folder
            if folder is not None and is_inside:
                copy_folder(folder, self._datasets.home(name), work.tell)
                place = None
            who = author or self._core.committer.author
            self._datasets.create(name, place, author=who, message=message, progress=work.tell)
            self._attaching(work.patience).attach(
                name, path=path, write=wanted.mode == "write", progress=work.tell
            )

        return self._begin("creating", name, do)

    def save(self, wanted: models.SaveDataset, author: str | None) -> models.DatasetStatus:
        """Begin to make a version of the live folder of an attached dataset. Raise ApiError."""
        with self._errors():
            attached = self._attaching().attachments.get(wanted.name)
            dataset = self._datasets.by_id(attached.id)
            if dataset is None:
                raise DatasetError("not_found", _absent(wanted.name, attached))
        message = wanted.message.strip() or "Saved by hand"

        def do(work: Work) -> None:
            who = author or self._core.committer.author
            if dataset.commit(message, author=who, progress=work.tell) is None:
                raise DatasetError(
                    "unchanged",
                    f"Nothing has changed in {wanted.name} since its newest version, so none was "
                    "made.",
                )

        return self._begin("saving", wanted.name, do)

    def fetch(self, wanted: models.NameDataset) -> models.DatasetStatus:
        """Begin to bring a dataset to the newest version of its hub. Raise ApiError."""
        with self._errors():
            self._attaching().attachments.get(wanted.name)
        return self._begin(
            "fetching",
            wanted.name,
            lambda work: _ignored(self._attaching(work.patience).pull(wanted.name, work.tell)),
        )

    def detach(self, wanted: models.NameDataset) -> models.DatasetStatus:
        """Let a dataset not appear in the workspace any more. Raise ApiError."""
        with self._errors():
            self._attaching().detach(wanted.name)
        self._on_change()
        return self.status()

    def stop(self) -> models.DatasetStatus:
        """End what is under way as soon as can be; what was moved need not be moved again."""
        self._worker.stop()
        return self.status()

    # -- in the background ------------------------------------------------------------------------

    def listen(self, on_change: Callable[[], None]) -> None:
        """Have somebody told whenever the status may be another one; from any thread."""
        self._on_change = on_change

    def close(self) -> None:
        """End what is under way; nothing is begun afterwards."""
        self._worker.close()

    # -- what they share --------------------------------------------------------------------------

    def _attaching(self, patience: Patience | None = None) -> Attaching:
        return Attaching(self._core.workspace.root, self._datasets, patience=patience)

    def _begin(
        self, activity: models.DatasetActivity, name: str, do: Callable[[Work], None]
    ) -> models.DatasetStatus:
        def translated(work: Work) -> None:
            with self._errors():
                do(work)

        self._worker.run(activity, name, translated)
        return self.status()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        clean = self._clean
        with self._core.errors(), translated_sync(clean), translated_datasets(clean):
            yield

    def _clean(self, message: str) -> str:
        root = self._core.workspace.root
        return self._core.mapper.scrub(message, root, self._datasets.folder)

    def _attached(
        self, attaching: Attaching, attached: Attached, here: dict[str, Dataset]
    ) -> models.AttachedDataset:
        """Return what is attached beside what is there."""
        root = self._core.workspace.root
        found = models.AttachedDataset(
            name=attached.name,
            id=attached.id,
            path=attached.path,
            folder=self._core.mapper.to_contents(root / from_text(attached.path)),
            mode=attached.mode,
            pinned=attached.version,
            place="absent",
            version=None,
            newest=None,
            newer=False,
            remote=attached.remote,
            error="",
        )
        dataset = here.get(attached.id)
        if dataset is None or not (dataset.root / MARKER).is_dir():
            found.error = _absent(attached.name, attached)
            return found
        target = attaching.attachments.linked(attached)
        found.place = "lost" if target is None else "there"
        try:
            newest = self._versions.newest(dataset)
            current = newest
            if target is not None and attached.mode == "read":
                current = self._versions.get(dataset, version_of(target, attached.id) or "")
        except (DatasetError, RecordsError) as error:
            found.place = "unreadable"
            found.error = self._clean(str(error))
            return found
        found.newest = _version(newest)
        if target is not None:
            found.version = _version(current)
        if current is not None and newest is not None:
            # one that was fetched and is not in the live folder yet is the later one
            found.newer = newest.sequence > current.sequence
        return found

    def _folder(self, contents: str) -> tuple[Path | None, bool]:
        """Return the folder that is to become a dataset, and whether a workspace holds it."""
        if not contents.strip("/ "):
            return None, False
        mapper, root = self._core.mapper, Path(os.path.realpath(self._core.workspace.root))
        folder = mapper.to_os(contents)
        if not folder.is_dir():
            raise ApiError(404, "not_found", f"There is no folder {contents!r}. Nothing was made.")
        real = Path(os.path.realpath(folder))
        if root == real or real in root.parents:
            raise ApiError(
                400,
                "invalid_request",
                "The folder holds this workspace, so it cannot be attached to it. Nothing was "
                "made; choose a folder with data only.",
            )
        try:
            is_inside = Workspace.find(folder.parent) is not None
        except WorkspaceError as error:
            raise ApiError(500, "unreadable", self._clean(str(error))) from None
        # what becomes a dataset itself is written to
        return (folder if is_inside else mapper.to_write(contents)), is_inside


def _nobody() -> None:
    """Tell nobody."""


def _ignored(_: object) -> None:
    """Pass over what something returns."""


def _absent(name: str, attached: Attached | None) -> str:
    if attached is not None and attached.remote:
        return f"The dataset {name} is not on this machine yet; {attached.remote} has it."
    return (
        f"The dataset {name} is not on this machine, and the workspace does not know a hub that "
        "has it. If you have its folder, make it a dataset: 'ds dataset create "
        f"{name} FOLDER'."
    )


def _version(commit: rows.Commit | None) -> models.DatasetVersion | None:
    if commit is None:
        return None
    return models.DatasetVersion(
        id=commit.id, created=commit.created, author=commit.author, message=commit.message
    )


def _use(run: rows.Run, direction: str) -> models.DatasetUse:
    return models.DatasetUse(
        run=run.id,
        description=run.description or run.workload_file or "",
        direction="input" if direction == "input" else "output",
    )
