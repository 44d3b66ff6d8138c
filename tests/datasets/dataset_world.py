# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A workspace with a committer, and datasets that are attached to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from committer_world import World, new_id, run_record

from dotscience_jupyter.api.datasets import Attaching
from dotscience_jupyter.datasets import Attached, Dataset, Datasets
from dotscience_jupyter.records import models


class DatasetWorld(World):
    """A workspace, and the datasets of this machine."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.datasets = Datasets()
        self.attaching = Attaching(root, self.datasets)

    def dataset(self, name: str, **files: str) -> Dataset:
        """Make a dataset; in names ``__`` is a slash and ``_`` a dot."""
        made = self.datasets.home(name)
        for file, content in files.items():
            put(made, file.replace("__", "/").replace("_", "."), content)
        return self.datasets.create(name, author="Ada")

    def attach(self, name: str, **options: Any) -> Attached:
        return self.attaching.attach(name, **options)

    def publish(self, work: Callable[[], object] = lambda: None, **run: Any) -> str:
        """Let a run do something now, and publish; ``observed`` as the library tells it."""
        observed = run.pop("observed", None)
        run_id = new_id()
        start = datetime.now(UTC) - timedelta(milliseconds=30)
        work()
        end = datetime.now(UTC) + timedelta(milliseconds=30)
        times = {"start": stamp(start), "end": stamp(end)}
        extra = {} if observed is None else {"observed": observed}
        self.spool(run_record(run_id, self.root, extra, **{**times, **run}))
        return run_id

    def used(self, run_id: str, direction: str) -> dict[str, models.RunDatasetFile]:
        """The files of datasets that a run read or wrote, by dataset and path."""
        return {
            f"{file.dataset}:{file.path}": file
            for file in self.run(run_id).datasets
            if file.direction == direction
        }

    def metadata(self, run_id: str) -> dict[str, str]:
        """The metadata of the run's commit."""
        return dict(self.records.get_commit(self.run(run_id).commit_id).details)


def put(root: Path, path: str, content: str | bytes) -> None:
    full = root / path
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_bytes(content if isinstance(content, bytes) else content.encode())


def stamp(time: datetime) -> str:
    return time.strftime("%Y%m%dT%H%M%S.%f")


def history(dataset: Dataset) -> list[models.Commit]:
    """The commits of a dataset, oldest first; all of it is proved."""
    with dataset.opened() as opened:
        assert opened.records.verify() == []
        assert opened.engine.verify(opened.records.snapshots()) == []
        return list(reversed(opened.records.list_commits(limit=1000)[0]))


def listed(commit: models.Commit, run_id: str) -> list[str]:
    """The files that a dataset's commit says a run wrote."""
    found = json.loads(commit.details[f"run.{run_id}.dataset-output-files"])
    assert isinstance(found, list)
    return found


def changes(dataset: Dataset, commit: models.Commit) -> dict[str, str]:
    """The files that a commit of a dataset changed."""
    with dataset.opened() as opened:
        every = opened.records.files.versions()
    return {each.path: each.change for each in every if each.commit == commit.id}
