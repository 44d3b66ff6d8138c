# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The projects of a hub: who has which, and those that are open."""

from __future__ import annotations

import functools
import logging
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import ColumnElement, Executable, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.records import RecordsError
from dotscience_jupyter.snapshots import COMMIT_HOLD, SnapshotError

from . import stamps
from .audit import Audit
from .database import HubDatabase
from .identity import NAME, User
from .members import project_row
from .openprojects import OpenProjects
from .project import NEWER, OLDER, RECORDS, Project, ProjectInfo
from .storage import ContentStorage, records_beside
from .tables import CollaboratorRow, ProjectRow, TaskLockRow, UserRow

T = TypeVar("T")
Kind = Literal["project", "dot", "dataset"]

MOST_OPEN = 32
_log = logging.getLogger("dotscience.hub")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

_WITH_OWNER = select(ProjectRow, UserRow.name).join(UserRow, UserRow.id == ProjectRow.owner_id)
_LISTED = _WITH_OWNER.order_by(UserRow.name_key, ProjectRow.name, ProjectRow.kind, ProjectRow.id)


class Projects:
    """All projects. Thread-safe.

    Parameters
    ----------
    database
        The hub's own.
    data
        The data folder.
    records_url
        Of a PostgreSQL database where the records of projects are; "" for one SQLite file each.
    require_free
        Raises ApiError where nobody may write to a project now; see :attr:`Project.require_free`.
    storage
        Where content is for good; None for the data folder.
    upgrade
        Whether records of older versions are migrated when a project is opened; those projects are
        refused otherwise.
    """

    def __init__(
        self,
        database: HubDatabase,
        audit: Audit,
        data: Path,
        records_url: str = "",
        *,
        require_free: Callable[[ProjectInfo], None] = lambda info: None,
        storage: ContentStorage | None = None,
        upgrade: bool = False,
        most_open: int = MOST_OPEN,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._audit = audit
        self._folder = data / "projects"
        self._records_url = records_url
        self._require_free = require_free
        self._storage = storage
        self._upgrade = upgrade
        self._clock = clock
        self._opened = OpenProjects(self._load, most_open)

    # -- making and finding --------------------------------------------------------------------

    def create(
        self, owner: User, name: str, kind: Kind = "project", *, actor: str | None = None
    ) -> ProjectInfo:
        """Make a project with no commit, or a dataset, or a dot that belongs to neither.

        A project's dot has a name of its own; that of a dataset is the dataset's.

        Raises
        ------
        ApiError
            409 ``exists`` if the owner has one of that name, 400 for a bad name.
        """
        _check_name(name, kind)
        id_ = str(uuid.uuid4())
        dot = f"project-{id_[:8]}-default-workspace" if kind == "project" else name
        row = ProjectRow(
            id=id_,
            owner_id=owner.id,
            kind=kind,
            name=name,
            dot=dot,
            created=self._clock(),
            name_key=name,
            dot_key=dot,
        )
        try:
            with self._database.writing() as session:
                session.add(row)
                session.flush()
                self._audit.append(
                    owner.name if actor is None else actor,
                    f"{kind}.create",
                    f"{kind}:{id_}",
                    {"name": name, "owner": owner.name},
                    session=session,
                )
        except IntegrityError:
            raise _exists(owner.name, name) from None
        return _info(row, owner.name)

    def get(self, id_: str) -> ProjectInfo | None:
        """Return the project with that id."""
        if not _UUID.fullmatch(id_):
            return None
        return self._one(ProjectRow.id == id_)

    def by_name(self, owner_name: str, name: str) -> ProjectInfo | None:
        """Return the owner's project of that name."""
        return self._one(
            UserRow.name_key == owner_name.lower(),
            ProjectRow.kind == "project",
            ProjectRow.name_key == name,
        )

    def by_dot(self, namespace: str, dot: str) -> ProjectInfo | None:
        """Return the project whose dot that is in the namespace of a user."""
        return self._one(UserRow.name_key == namespace.lower(), ProjectRow.dot_key == dot)

    def _one(self, *conditions: ColumnElement[bool]) -> ProjectInfo | None:
        query = _WITH_OWNER.where(ProjectRow.deleted.is_(None), *conditions)
        with self._database.reading() as session:
            found = session.execute(query).one_or_none()
        return None if found is None else _info(*found)

    def visible_to(self, user: User, kind: Kind | None = None) -> list[ProjectInfo]:
        """Return what a user may see, by owner and name: all for an admin."""
        query = _LISTED.where(ProjectRow.deleted.is_(None))
        if kind is not None:
            query = query.where(ProjectRow.kind == kind)
        if not user.admin:
            mine = select(CollaboratorRow.project_id).where(CollaboratorRow.user_id == user.id)
            query = query.where(or_(ProjectRow.owner_id == user.id, ProjectRow.id.in_(mine)))
        return self._listed(query)

    def all(self) -> list[ProjectInfo]:
        """Return all that were not deleted, by owner and name."""
        return self._listed(_LISTED.where(ProjectRow.deleted.is_(None)))

    def deleted(self) -> list[ProjectInfo]:
        """Return those that were deleted and not purged."""
        return self._listed(_LISTED.where(ProjectRow.deleted.is_not(None)))

    def _listed(self, query: Executable) -> list[ProjectInfo]:
        with self._database.reading() as session:
            return [_info(row, owner) for row, owner in session.execute(query)]

    def count(self) -> int:
        """Return how many projects and dots there are."""
        query = select(func.count()).select_from(ProjectRow).where(ProjectRow.deleted.is_(None))
        with self._database.reading() as session:
            return session.scalar(query) or 0

    # -- changing and deleting -----------------------------------------------------------------

    def rename(self, info: ProjectInfo, name: str, *, actor: str = Audit.LOCAL) -> ProjectInfo:
        """Give a project another name; its dot keeps its own. Errors as :meth:`create`."""
        if info.kind != "project":
            raise ApiError(409, "refused", f"A {info.kind}'s name is its address, so it stays.")
        _check_name(name, "project")
        try:
            with self._database.writing() as session:
                row = project_row(session, info)
                row.name = row.name_key = name
                session.flush()
                self._note(session, actor, "project.rename", info, {"from": info.name, "to": name})
        except IntegrityError:
            raise _exists(info.owner, name) from None
        return _info(row, info.owner)

    def delete(self, info: ProjectInfo, *, confirm: str, actor: str = Audit.LOCAL) -> None:
        """Take a project away from everybody; an admin can bring it back until it is purged.

        Parameters
        ----------
        confirm
            The project's name, so that nobody deletes the wrong one.

        Raises
        ------
        ApiError
            409 ``refused`` if ``confirm`` is not its name.
        """
        if confirm != info.name:
            raise ApiError(
                409,
                "refused",
                f"Nothing was deleted. To delete this {info.kind}, give its name as well.",
            )
        with self._database.writing() as session:
            row = project_row(session, info)
            row.deleted = self._clock()
            row.name_key = row.dot_key = row.id
            self._note(session, actor, f"{info.kind}.delete", info, {"name": info.name})

    def restore(self, id_: str, *, actor: str = Audit.LOCAL) -> ProjectInfo:
        """Bring a deleted project back.

        Raises
        ------
        ApiError
            404 if there is none; 409 ``exists`` if its owner has another of that name now.
        """
        info = self._deleted(id_)
        try:
            with self._database.writing() as session:
                row = session.get_one(ProjectRow, id_)
                row.deleted, row.name_key, row.dot_key = None, row.name, row.dot
                session.flush()
                self._note(session, actor, f"{info.kind}.restore", info, {"name": info.name})
        except IntegrityError:
            raise _exists(info.owner, info.name) from None
        return info

    def purge(self, id_: str, *, actor: str = Audit.LOCAL) -> None:
        """Remove a deleted project with its records and content, for good.

        Raises
        ------
        ApiError
            404 if there is none.
        SnapshotError
            If its content is in a bucket that cannot be reached (UnavailableError), or a data set
            that is in use. It may be gone in part; purging it again removes the rest.
        """
        info = self._deleted(id_)
        self._opened.close_one(id_)
        if self._storage is not None:
            # before the rest, since nothing would remember it afterwards
            self._storage.remove(id_)
        with self._database.writing() as session:
            for table in (CollaboratorRow, TaskLockRow):
                session.execute(delete(table).where(table.project_id == id_))
            session.execute(delete(ProjectRow).where(ProjectRow.id == id_))
            self._note(session, actor, f"{info.kind}.purge", info, {"name": info.name})
            if self._records_url:
                from sqlalchemy import text

                schema = Project.schema_of(id_)
                session.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        shutil.rmtree(self._folder / id_, ignore_errors=True)
        if self._storage is not None:
            # again: it may have been in use, or on its way there
            self._storage.remove(id_)
        if self._is_beside:
            file = records_beside(self._folder / id_)
            for suffix in ("", "-wal", "-shm", ".lock"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)

    def settle(self) -> None:
        """Bring all content to where it is for good: that of a hub which did without until now.

        Raises
        ------
        UnavailableError
            If that cannot be reached; doing it again goes on where it was.
        """
        for info in [*self.all(), *self.deleted()]:
            with self.open(info) as project:
                project.engine.hold(project.records.snapshots(), COMMIT_HOLD)

    def _deleted(self, id_: str) -> ProjectInfo:
        for info in self.deleted():
            if info.id == id_:
                return info
        raise ApiError(404, "not_found", "There is no deleted project with that id.")

    def _note(
        self, session: Session, actor: str, action: str, info: ProjectInfo, details: dict[str, str]
    ) -> None:
        self._audit.append(actor, action, f"{info.kind}:{info.id}", details, session=session)

    def tmp(self, info: ProjectInfo) -> Path:
        """Return a folder for what is being uploaded to a project; it is made if need be."""
        if self._storage is not None:
            self._storage.prepare(self._folder / info.id)
        folder = self._folder / info.id / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def stamps(self, infos: Iterable[ProjectInfo]) -> dict[str, str]:
        """Return something by id that is another text as soon as a project has other commits.

        It takes no opening of projects. There is none for some, which may have changed just now.
        """
        ids = [info.id for info in infos]
        if self._records_url:
            return stamps.of_schemas(self._database, ids)
        return stamps.of_files({id_: self._records_file(id_) for id_ in ids})

    def _records_file(self, id_: str) -> Path:
        folder = self._folder / id_
        return records_beside(folder) if self._is_beside else folder / RECORDS

    @property
    def _is_beside(self) -> bool:
        return self._storage is not None and self._storage.beside

    # -- those that are open -------------------------------------------------------------------

    @contextmanager
    def open(self, info: ProjectInfo) -> Iterator[Project]:
        """Give the open project; it stays open for a while after, and as long as anybody uses it.

        Raises
        ------
        RecordsError, SnapshotError
            If its records or content cannot be opened.
        """
        with self._opened.using(info) as project:
            yield project

    def visit(self, infos: Iterable[ProjectInfo], work: Callable[[Project], T]) -> list[T]:
        """Do something with each project but those whose records are of another version.

        Those are told of in the log: nobody may use them, and the others are not concerned.
        """
        found: list[T] = []
        for info in infos:
            try:
                with self.open(info) as project:
                    found.append(work(project))
            except ApiError as error:
                if error.code not in (OLDER, NEWER):
                    raise
                _log.warning("Left out of a list: %s", error.message)
        return found

    def visit_all(
        self, infos: Iterable[ProjectInfo], work: Callable[[Project], object]
    ) -> list[tuple[ProjectInfo, str]]:
        """Do something with each project; return with which that failed, and why."""
        failed: list[tuple[ProjectInfo, str]] = []
        for info in infos:
            try:
                with self.open(info) as project:
                    work(project)
            except ApiError as error:
                failed.append((info, error.message))
            except (RecordsError, SnapshotError) as error:
                failed.append((info, str(error)))
        return failed

    def _load(self, info: ProjectInfo) -> Project:
        project = Project.load(
            info,
            self._folder / info.id,
            self._records_url,
            self._storage,
            upgrade=self._upgrade,
        )
        project.require_free = functools.partial(self._require_free, info)
        return project

    def count_open(self) -> int:
        """Return how many are open now."""
        return len(self._opened)

    def close(self) -> None:
        """Close all; nobody may use one any more."""
        self._opened.close()


def _info(row: ProjectRow, owner: str) -> ProjectInfo:
    return ProjectInfo(
        row.id, row.owner_id, owner, row.kind, row.name, row.dot, row.created, row.deleted
    )


def _exists(owner: str, name: str) -> ApiError:
    return ApiError(409, "exists", f"{owner} has a project of the name {name} already.")


def _check_name(name: str, kind: Kind) -> None:
    if kind != "project":
        if not NAME.fullmatch(name):
            raise ApiError(
                400,
                "invalid_request",
                f"A {kind}'s name has 1 to 64 letters (a-z), digits, '-' and '_'.",
            )
    elif not 1 <= len(name) <= 100 or not all(c.isprintable() for c in name) or not name.strip():
        raise ApiError(
            400, "invalid_request", "A project's name has 1 to 100 characters that can be seen."
        )
