# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A workspace and its project on a hub."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, SecretStr

from .base import Body

SyncActivity = Literal["idle", "pushing", "fetching", "pulling"]
SyncState = Literal[
    "nothing", "current", "published", "behind", "diverged", "fetched", "pulled", "failed"
]


class SyncRemote(Body):
    """The project of a hub that a workspace belongs to."""

    url: str
    project: str = Field(description="The project's id")
    name: str = Field(description="OWNER/PROJECT, for people")
    user: str | None = Field(description="Who is logged in there; None: nobody is")


class SyncProgress(Body):
    """How far what is under way has come."""

    done: int = Field(description="Bytes")
    total: int = Field(description="Bytes; 0 while it is not known")


class SyncResult(Body):
    """What moving commits did."""

    state: SyncState = Field(
        description="nothing: there is no commit on the side that was to give them. current: "
        "there was nothing to move. published: the hub's head is the one here. behind: the hub "
        "has all of it, and more. diverged: what is here is kept on the hub, beside its head. "
        "failed: the message says why"
    )
    commits: int = Field(description="How many were moved, or by how many the files went forward")
    head: str | None = Field(description="The hub's newest commit")
    message: str
    code: str = Field(default="", description="The error's code where it failed")


class SyncStatus(Body):
    """How a workspace and its hub stand to each other, as far as is known here."""

    supported: bool = Field(description="Whether the workspace's engine can be moved to a hub")
    remote: SyncRemote | None = Field(description="None: the workspace belongs to no hub")
    activity: SyncActivity
    progress: SyncProgress | None = Field(description="None where nothing was moved yet")
    ahead: int = Field(description="Commits that only the workspace has")
    behind: int = Field(description="Commits that only the hub has, of those that were fetched")
    newer: bool = Field(description="Whether the hub was seen to have commits that are not here")
    diverged: bool = Field(
        description="Whether both have commits that the other one does not build upon"
    )
    theirs: str | None = Field(description="The hub's newest commit, where that is here")
    asked: datetime | None = Field(description="When the hub was asked the last time")
    error: str = Field(description="Why it failed the last time, for people; empty: it did not")
    code: str = Field(description="The error's code")
    retries: bool = Field(description="Whether what failed is tried again by itself")
    fetched: SyncResult | None = Field(
        description="What the last fetch came to; None while it is under way"
    )
    pulled: SyncResult | None = Field(
        description="What the last pull came to; None while it is under way"
    )


class HubLogin(Body):
    """Who one is on a hub."""

    url: str
    user: str
    exposed: bool = Field(description="Whether what is sent there can be read on its way")


class HubLogins(Body):
    """The hubs on which the user of this server is logged in."""

    items: list[HubLogin]


class LogIn(Body):
    """Log in on a hub, with a password or with an API key."""

    url: str
    user: str = ""
    password: SecretStr = SecretStr("")
    key: SecretStr = Field(SecretStr(""), description="In place of user and password")


class LogOut(Body):
    """Forget who one is on a hub."""

    url: str


class HubProject(Body):
    """A project that one may see."""

    project: str = Field(description="Its id")
    name: str = Field(description="OWNER/PROJECT")
    kind: Literal["project", "dataset"] = "project"


class HubProjects(Body):
    """The projects of a hub that one may see."""

    items: list[HubProject]


class ConnectHub(Body):
    """Let the workspace belong to a project of a hub."""

    url: str
    project: str = Field("", description="The id of a project that is there")
    name: str = Field("", description="The name of one's own project, made if it is not there")
