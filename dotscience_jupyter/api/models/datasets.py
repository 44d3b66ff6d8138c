# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Datasets: those of a workspace, of this machine and of hubs, and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Body

DatasetMode = Literal["read", "write"]
DatasetActivity = Literal["attaching", "creating", "fetching", "saving"]
DatasetPlace = Literal["there", "lost", "absent", "unreadable"]


class DatasetVersion(Body):
    """A version of a dataset: one of its commits."""

    id: str
    created: datetime
    author: str
    message: str


class AttachedDataset(Body):
    """A dataset that the workspace uses."""

    name: str = Field(description="What the workspace's runs call it")
    id: str = Field(description="The dataset's, the same for every clone of it")
    path: str = Field(description="Where it appears in the workspace, as a folder path")
    folder: str | None = Field(description="The same as a contents path; None: it is not served")
    mode: DatasetMode = Field(
        description="read: a version that nobody can change. write: the live folder, of which runs "
        "make new versions"
    )
    pinned: str | None = Field(description="The version that was chosen; None: the newest")
    place: DatasetPlace = Field(
        description="there: what is attached can be read. lost: its link has to be made anew, as "
        "in a clone. absent: the dataset is not on this machine. unreadable: `error` says why"
    )
    version: DatasetVersion | None = Field(description="What is there now; None: nothing is known")
    newest: DatasetVersion | None = Field(description="The dataset's newest on this machine")
    newer: bool = Field(description="Whether the newest was made after what is there now")
    remote: str | None = Field(description="Its address on a hub")
    error: str = Field(description="What is wrong, for people; empty: nothing is")


class DatasetWork(Body):
    """Something that is done with a dataset, and takes a while."""

    activity: DatasetActivity
    name: str = Field(description="The dataset")
    done: int = Field(description="How far it has come: files, or bytes that are moved")
    total: int = Field(description="Of how many; 0 while that is not known")


class DatasetStatus(Body):
    """The datasets of the workspace, and what is done with them."""

    items: list[AttachedDataset] = Field(description="By name")
    work: DatasetWork | None = Field(description="None: nothing is under way")
    error: str = Field(
        description="Why the last work failed that went on after its request was answered, for "
        "people; empty: it did not"
    )
    code: str = Field(description="The error's code")


class KnownDataset(Body):
    """A dataset of this machine."""

    name: str
    id: str
    folder: str | None = Field(
        description="Contents path of its live folder; None where the server does not serve that"
    )
    version: DatasetVersion | None = Field(description="Its newest version")
    attached: bool = Field(description="Whether the workspace uses it")
    error: str = Field(description="Why it cannot be read, for people; empty: it can")


class KnownDatasets(Body):
    """The datasets of this machine."""

    items: list[KnownDataset] = Field(description="By name")


class DatasetUse(Body):
    """A run of this workspace that used a version of a dataset."""

    run: str = Field(description="Its id")
    description: str
    direction: Literal["input", "output"] = Field(description="Whether it read or wrote")


class ListedVersion(DatasetVersion):
    """A version of a dataset, and who used it."""

    runs: list[str] = Field(description="Ids of the runs that made it, of any workspace")
    uses: list[DatasetUse] = Field(
        description="The newest runs of this workspace that read it, or made it; at most 20"
    )
    total_uses: int = Field(description="How many they are, of the newest 1,000 runs that used any")


class DatasetVersionList(Body):
    """A page of the versions of a dataset."""

    items: list[ListedVersion] = Field(description="Newest first")
    total: int
    offset: int


class AttachDataset(Body):
    """Let a dataset appear in the workspace, or appear otherwise."""

    name: str = Field(
        "",
        description="A dataset of this machine, or one that is attached; of one of a hub what it "
        "is to be called here, by default as there",
    )
    url: str = Field("", description="The hub that has it, if it is to come from one")
    project: str = Field("", description="The dataset's id on that hub")
    version: str = Field(
        "", description="A commit of it, or how its id begins; empty: the newest as of now"
    )
    to: str = Field(
        "",
        description="Folder path in the workspace; empty: where it is attached already, else "
        "datasets/NAME",
    )
    mode: DatasetMode = "read"


class CreateDataset(Body):
    """Make a dataset of a folder, and attach it."""

    name: str
    folder: str = Field(
        "",
        description="Contents path of a folder. One outside of all workspaces becomes the dataset "
        "itself, one inside of a workspace is copied. Empty: a new, empty one is made",
    )
    message: str = Field("Initial commit", description="Of the first version")
    to: str = Field("", description="Folder path in the workspace; empty: datasets/NAME")
    mode: DatasetMode = "read"


class NameDataset(Body):
    """Say which of the attached datasets is meant."""

    name: str


class RestoreDatasets(Body):
    """Say which of the attached datasets are meant."""

    name: str = Field("", description="Empty: all of them")


class SaveDataset(Body):
    """Make a version of a dataset's live folder as it is now."""

    name: str
    message: str = "Saved by hand"
