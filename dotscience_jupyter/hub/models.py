# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Bodies of the hub's own requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from dotscience_jupyter.api.models import Body


class Login(Body):
    """A user name and a password, to be exchanged for a key."""

    user: str
    password: str
    name: str = Field(default="login", description="What the key is to be called")


class LoginWays(Body):
    """How one logs in on this hub; a user name with a password always is one way."""

    page: str | None = Field(
        description="Page below the hub's address where a browser gets an API key, if there is one"
    )


class User(Body):
    """Who a request is from."""

    name: str
    admin: bool


class LoggedIn(Body):
    """A new API key."""

    user: User
    key: str = Field(description="Shown this once")


class NewKey(Body):
    """A key to be made."""

    name: str
    expires: datetime | None = Field(default=None, description="With a time zone")


class Key(Body):
    """What is known of a key without its secret."""

    id: str
    name: str
    created: datetime
    expires: datetime | None = None
    used: datetime | None = Field(default=None, description="Last use, to about ten minutes")


class MadeKey(Key):
    """A new API key."""

    key: str = Field(description="Shown this once")


class MadeS3Key(Key):
    """A new access key of S3; ``id`` is the access key id."""

    secret: str = Field(description="Shown this once")


class KeyList(Body):
    """Keys, oldest first."""

    items: list[Key]


class NewPassword(Body):
    """A password to replace one."""

    password: str
    new: str


class NewProject(Body):
    """A project to be made, or a dataset."""

    name: str
    kind: Literal["project", "dataset"] = "project"


class ChangedProject(Body):
    """What of a project is to change."""

    name: str


class Project(Body):
    """A project."""

    id: str
    name: str
    owner: str
    kind: Literal["project", "dot", "dataset"]
    dot: str = Field(description="Its default workspace in the owner's namespace")
    created: datetime
    role: Literal["owner", "collaborator", "admin"] | None = Field(
        default=None, description="What the asker is to it; not told in lists"
    )
    access: Literal["read", "write"] | None = Field(
        default=None, description="What the asker may do with its content; not told in lists"
    )
    commits: int | None = Field(default=None, description="Not told in lists")
    runs: int | None = Field(default=None, description="Not told in lists")
    head: str | None = Field(default=None, description="Newest commit; not told in lists")


class ProjectList(Body):
    """Projects by owner and name."""

    items: list[Project]


class Member(Body):
    """Somebody who may use a project."""

    name: str
    role: Literal["owner", "collaborator", "admin"]
    access: Literal["read", "write"]


class MemberList(Body):
    """The owner, then the collaborators by name."""

    items: list[Member]


class NewMember(Body):
    """Somebody to be let in, or a collaborator who gets another access."""

    name: str
    access: Literal["read", "write"] = "write"


class NewLock(Body):
    """A task that wants to have a project to itself for a while."""

    task: str = Field(description="Its id, 1 to 100 characters; taking it again renews the lock")
    holder: str = Field(default="", description="Who is told of; the user's name if it is empty")
    seconds: int = Field(default=300, ge=1, le=86_400)


class RenewedLock(Body):
    """How long a lock is to be held from now on."""

    seconds: int = Field(default=300, ge=1, le=86_400)


class Lock(Body):
    """A task that has a project to itself."""

    id: str = Field(description="By which it is renewed and released")
    task: str
    holder: str
    user: str
    taken: datetime
    until: datetime = Field(description="It counts for nothing after")


class LockState(Body):
    """Whether a task has a project to itself."""

    lock: Lock | None


class UserState(Body):
    """What an admin is told of a user."""

    name: str
    admin: bool
    disabled: bool
    created: datetime


class UserList(Body):
    """Users by name."""

    items: list[UserState]


class NewUser(Body):
    """A user to be added."""

    name: str
    password: str | None = Field(default=None, description="None: only keys open the door")
    admin: bool = False


class MadeUser(Body):
    """A new user with a first key."""

    user: User
    key: str = Field(description="Shown this once")


class ChangedUser(Body):
    """What of a user is to change; None stays."""

    disabled: bool | None = None
    admin: bool | None = None
    password: str | None = None


class AuditEntry(Body):
    """Who did what to which object when."""

    sequence: int
    time: datetime
    actor: str
    action: str
    object: str
    details: dict[str, Any]
    digest: str


class AuditList(Body):
    """A page of the audit log, newest first."""

    items: list[AuditEntry]
    total: int
    offset: int


class Health(Body):
    """Whether the hub can work."""

    status: Literal["ok", "failed"]
    version: str
    message: str = ""
