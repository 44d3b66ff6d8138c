# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Projects of a hub that become new folders of the server."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Body
from .sync import SyncProgress

CloneState = Literal["cloning", "cloned", "failed", "stopped"]


class NewestCommit(Body):
    """The newest commit of a project on a hub."""

    project: str = Field(description="The project's id")
    commits: int = Field(description="How many commits it has")
    created: datetime | None = Field(description="When it was made; None: there is no commit")
    author: str
    message: str


class NewestCommits(Body):
    """The newest commits of projects of a hub; those of which it does not tell are left out."""

    items: list[NewestCommit]


class CloneProject(Body):
    """Make a new folder with a project of a hub."""

    address: str = Field(
        description="URL/OWNER/PROJECT, URL/PROJECT for one's own, or URL/ID; 'hub:' in place of "
        "'URL/' if one is logged in on one hub only"
    )
    folder: str = Field(description="Contents path of a new or an empty folder")


class ProjectClone(Body):
    """A project on its way into a new folder."""

    id: str
    address: str = Field(description="The project's, for doing it again")
    name: str = Field(description="OWNER/PROJECT")
    folder: str = Field(description="Contents path of the folder")
    state: CloneState = Field(
        description="cloning: it is under way. cloned: the folder is a workspace that belongs to "
        "the project. failed, stopped: what arrived is kept in the folder, which is no workspace; "
        "cloning there again goes on"
    )
    progress: SyncProgress | None = Field(description="None where nothing was moved yet")
    message: str = Field(
        description="Why it failed, or what is waited for, for people; may be empty"
    )
    code: str = Field(description="The error's code where it failed")


class ProjectClones(Body):
    """What is being cloned, and what was cloned since the server started, oldest first."""

    items: list[ProjectClone]


class EndClone(Body):
    """Stop a clone that is under way, or forget one that has ended."""

    id: str
