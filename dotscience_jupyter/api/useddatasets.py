# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The datasets that a run read and wrote, and which runs made what it read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dotscience_jupyter.datasets import Attachments, DatasetError, Datasets
from dotscience_jupyter.records import Records, RecordsError
from dotscience_jupyter.records import models as rows
from dotscience_jupyter.records.metadata import dataset_versions
from dotscience_jupyter.snapshots import SnapshotError

from . import models

Key = tuple[str, str]  # a path within a dataset, and the dataset's commit that wrote it


class Maker(NamedTuple):
    """The run that made a version of a file, and the workspace it is in if that is another one."""

    run: str
    workspace: str | None = None
    """The workspace's id, empty if that is not known; None if it is the one that asks."""


def run_datasets(records: Records, root: Path | None, run: rows.Run) -> list[models.RunDataset]:
    """Return what a run did with datasets, inputs first, by name.

    Parameters
    ----------
    records
        Those of the workspace.
    root
        The workspace's root; None where the records are not those of a workspace.
    run
        The run, as :meth:`.Records.get_run` gives it.
    """
    named = {(file.direction, file.dataset): list[rows.RunDatasetFile]() for file in run.datasets}
    if not named:
        return []
    for file in run.datasets:
        named[file.direction, file.dataset].append(file)
    versions = {(each.direction, each.name): each for each in dataset_versions(run.commit.details)}
    paths: dict[tuple[str, str], str] = {}
    with suppress(DatasetError):  # a file that cannot be read is told of by what needs it
        attached = [] if root is None else Attachments(root).all()
        paths = {(each.name, each.id): each.path for each in attached}
    found = []
    for (direction, name), files in sorted(named.items()):
        version = versions.get((direction, name))
        id_ = "" if version is None else version.id
        made_by: Mapping[Key, Maker] = {}
        if direction == "input":
            made_by = writers(records, id_, name, files)
        found.append(
            models.RunDataset(
                name=name,
                dataset=id_,
                direction="input" if direction == "input" else "output",
                version=None if version is None else version.version,
                path=paths.get((name, id_)),
                files=[
                    _file(run, file, made_by.get((file.path, file.version or ""))) for file in files
                ],
            )
        )
    return found


def _file(run: rows.Run, file: rows.RunDatasetFile, maker: Maker | None) -> models.RunFile:
    return models.RunFile(
        path=file.path,
        version=file.version,
        digest=file.digest,
        size=file.size,
        made_by=None if maker is None else maker.run,
        made_in=None if maker is None else maker.workspace,
        authority=run.authority if file.authority == "workload" else file.authority,
    )


def writers(
    records: Records,
    id: str,  # noqa: A002 - the API's own word
    name: str,
    files: Iterable[rows.RunDatasetFile],
) -> dict[Key, Maker]:
    """Return the runs that wrote versions of a dataset's files.

    Runs of this workspace first, else what the dataset itself tells, if it is on this machine.
    """
    wanted = {(file.path, file.version) for file in files if file.version}
    found = {key: Maker(run) for key, run in records.dataset_writers(name, wanted).items()}
    lacking = wanted - found.keys()
    if lacking and id:
        with suppress(DatasetError, RecordsError, SnapshotError, OSError):
            dataset = Datasets().by_id(id)
            if dataset is not None:
                told = Records.open(dataset.workspace.database_url)
                try:
                    makers = _told(told, dataset.workspace.id, lacking)
                finally:
                    told.close()
                # a workspace that was copied has the runs of the one that it was copied from
                here = records.known_runs({maker.run for maker in makers.values()})
                for key, maker in makers.items():
                    found[key] = Maker(maker.run) if maker.run in here else maker
    return found


def _told(records: Records, own: str, wanted: Iterable[Key]) -> dict[Key, Maker]:
    """Return what a dataset's own records tell of the runs that wrote versions of its files."""
    wanted = set(wanted)
    found = {key: Maker(run, own) for key, run in records.writers_of(wanted).items()}
    for version in {version for _, version in wanted - found.keys()}:
        details = records.get_commit(version).details
        for key, text in sorted(details.items()):
            run, dot, rest = key.removeprefix("run.").partition(".")
            if key.startswith("run.") and dot and rest == "dataset-output-files":
                for path in json.loads(text):
                    if (path, version) in wanted:
                        where = str(details.get("workspace", ""))
                        found.setdefault((path, version), Maker(run, where))
    return found
