# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The tables of a hub: who there is, which projects, who may see them, and what was done."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dotscience_jupyter.records.models import UTCDateTime

ID = String(36)


class Base(DeclarativeBase):
    """Common base of the hub's tables; those of the records have their own."""


class UserRow(Base):
    """A person (or a machine) that may log in. Never deleted, because the audit log names it."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    # names that differ in case only would be mistaken for each other, and S3 buckets have no case
    name_key: Mapped[str] = mapped_column(String(64), unique=True)
    password: Mapped[str | None] = mapped_column(Text)  # argon2id in PHC form; None: keys only
    admin: Mapped[bool] = mapped_column(Boolean)
    disabled: Mapped[bool] = mapped_column(Boolean)
    created: Mapped[datetime] = mapped_column(UTCDateTime())
    jupyterhub: Mapped[str | None] = mapped_column(String(255))  # name there, who came from there

    __table_args__ = (Index("uq_users_jupyterhub", "jupyterhub", unique=True),)


class ApiKeyRow(Base):
    """A key that stands for a user. The key itself was shown once and is not kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the key
    created: Mapped[datetime] = mapped_column(UTCDateTime())
    expires: Mapped[datetime | None] = mapped_column(UTCDateTime())
    used: Mapped[datetime | None] = mapped_column(UTCDateTime())
    revoked: Mapped[datetime | None] = mapped_column(UTCDateTime())


class S3KeyRow(Base):
    """An access key of S3. Checking a signature needs the secret, so it is kept, encrypted."""

    __tablename__ = "s3_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # the access key id
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    secret: Mapped[bytes] = mapped_column(LargeBinary)  # nonce + AES-GCM
    created: Mapped[datetime] = mapped_column(UTCDateTime())
    revoked: Mapped[datetime | None] = mapped_column(UTCDateTime())


class ProjectRow(Base):
    """A project, a dataset, or a dot that belongs to neither."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(16))  # project, dot, dataset
    name: Mapped[str] = mapped_column(String(100))
    dot: Mapped[str] = mapped_column(String(64))  # in the owner's namespace
    created: Mapped[datetime] = mapped_column(UTCDateTime())
    deleted: Mapped[datetime | None] = mapped_column(UTCDateTime())
    # name and dot while there is the project; its id once it is deleted, so that both are free
    name_key: Mapped[str] = mapped_column(String(100))
    dot_key: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        UniqueConstraint("owner_id", "kind", "name_key", name="uq_projects_name"),
        UniqueConstraint("owner_id", "dot_key", name="uq_projects_dot"),
    )


class CollaboratorRow(Base):
    """Somebody besides the owner who may read a project, or read and write it."""

    __tablename__ = "collaborators"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    added: Mapped[datetime] = mapped_column(UTCDateTime())
    access: Mapped[str] = mapped_column(String(8), server_default="write")  # read, write


class TaskLockRow(Base):
    """A task that has a project to itself now: nobody uploads to it or changes it in place."""

    __tablename__ = "task_locks"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    id: Mapped[str] = mapped_column(ID, unique=True)  # another one each time it is taken
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    holder: Mapped[str] = mapped_column(String(100))
    task: Mapped[str] = mapped_column(String(100))
    taken: Mapped[datetime] = mapped_column(UTCDateTime())
    until: Mapped[datetime] = mapped_column(UTCDateTime())  # it counts for nothing after


class AuditRow(Base):
    """Who did what to which object when. Only ever appended to."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    time_ns: Mapped[str] = mapped_column(String(24))  # as text: part of what is hashed
    actor: Mapped[str] = mapped_column(String(64))  # user name, or "(local)" for the command line
    action: Mapped[str] = mapped_column(String(64))
    object: Mapped[str] = mapped_column(Text)
    details: Mapped[str] = mapped_column(Text)  # canonical JSON
    digest: Mapped[str] = mapped_column(String(64))  # over the one before and all of the above
