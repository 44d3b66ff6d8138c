# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which runs read and wrote a dataset, and in which versions."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from .metadata import dataset_versions
from .models import Run, RunDatasetFile
from .rows import clean


class DatasetUse(NamedTuple):
    """A run that read or wrote a version of a dataset.

    ``direction`` is ``input`` or ``output``; ``version`` is a commit of the dataset.
    """

    run: Run
    direction: str
    dataset: str
    version: str


def dataset_uses(session: Session, name: str, limit: int) -> list[DatasetUse]:
    """Return the newest runs that used a dataset, newest first; at most ``limit`` of them.

    Which version it was the metadata of a run's commit say: a file's own version is the one that
    changed that file last.
    """
    file = RunDatasetFile
    used = (
        select(file.run_id, file.direction).where(file.dataset == clean(name)).distinct().subquery()
    )
    query = (
        select(Run, used.c.direction)
        .join(used, used.c.run_id == Run.id)
        .options(joinedload(Run.commit))
        .order_by(Run.sequence.desc(), used.c.direction)
        .limit(limit)
    )
    found = []
    for run, direction in session.execute(query):
        for each in dataset_versions(run.commit.details):
            if (each.direction, each.name) == (direction, name):
                found.append(DatasetUse(run, direction, each.id, each.version))
    return found
