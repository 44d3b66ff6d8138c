# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The tables: what is known of commits and runs, on SQLite here and on PostgreSQL for a hub."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    and_,
    func,
    literal_column,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from .sqltext import ordered

MODEL_LABEL = "artefact:"
"""What labels of registered models begin with: run format v1, section 2.6."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime with microseconds, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: a guess about the zone would be recorded for ever."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be recorded")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite gives back naive times; they were UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Common base of all tables."""


class Commit(Base):
    """A snapshot with its metadata and parents. Immutable; ``id`` is the hash of all three."""

    __tablename__ = "commits"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(Integer, unique=True)  # order in this store, from 1
    snapshot: Mapped[str] = mapped_column(String(255), index=True)
    type: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UTCDateTime())
    details: Mapped[dict[str, str]] = mapped_column(JSON)  # the flat metadata, run format v1
    parents: Mapped[list[CommitParent]] = relationship(
        order_by="CommitParent.position",
        foreign_keys="CommitParent.commit_id",
        cascade="all, delete-orphan",
    )
    runs: Mapped[list[Run]] = relationship(order_by="Run.position", back_populates="commit")


class CommitParent(Base):
    """An arrow from a commit to the one before it."""

    __tablename__ = "commit_parents"

    commit_id: Mapped[str] = mapped_column(ForeignKey("commits.id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    parent_id: Mapped[str] = mapped_column(ForeignKey("commits.id"), index=True)


class Beside(Base):
    """A commit beside the line of ``HEAD`` and its first parents: fetched, diverged, a branch's.

    Follows from refs and parents. Where the whole history is one line the table is empty, and
    looking into it costs nothing.
    """

    __tablename__ = "commits_beside"

    sequence: Mapped[int] = mapped_column(ForeignKey("commits.sequence"), primary_key=True)
    merged: Mapped[bool] = mapped_column(Boolean)  # an ancestor of HEAD all the same


class Ref(Base):
    """A name that moves along the history; the workspace's newest commit is ``HEAD``."""

    __tablename__ = "refs"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    commit_id: Mapped[str] = mapped_column(ForeignKey("commits.id"))


class Environment(Base):
    """Where runs ran: Python, machine, distributions. ``id`` is its canonical JSON's SHA-256."""

    __tablename__ = "environments"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class Run(Base):
    """One tracked execution. Belongs to one commit."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    commit_id: Mapped[str] = mapped_column(ForeignKey("commits.id"), index=True)
    position: Mapped[int] = mapped_column(Integer)  # within the commit
    sequence: Mapped[int] = mapped_column(Integer, unique=True)  # order in this store, from 1
    authority: Mapped[str] = mapped_column(String(16))  # workload, derived, correction, remote
    status: Mapped[str] = mapped_column(String(16), index=True)  # succeeded, failed
    description: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    workload_type: Mapped[str] = mapped_column(String(16))  # jupyter, command, remote
    workload_file: Mapped[str | None] = mapped_column(Text, index=True)
    started: Mapped[datetime | None] = mapped_column(UTCDateTime(), index=True)
    ended: Mapped[datetime | None] = mapped_column(UTCDateTime())
    seconds: Mapped[float | None] = mapped_column(Float)
    environment_id: Mapped[str | None] = mapped_column(ForeignKey("environments.id"))
    # cell, traceback, seeds, resources, process: what the run record held beyond the tables
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    commit: Mapped[Commit] = relationship(back_populates="runs")
    environment: Mapped[Environment | None] = relationship()
    values: Mapped[list[RunValue]] = relationship(
        order_by="RunValue.kind, RunValue.name", cascade="all, delete-orphan"
    )
    files: Mapped[list[RunFile]] = relationship(
        order_by="RunFile.direction, RunFile.path", cascade="all, delete-orphan"
    )
    series: Mapped[list[Series]] = relationship(
        order_by="Series.name", cascade="all, delete-orphan"
    )
    datasets: Mapped[list[RunDatasetFile]] = relationship(
        order_by="RunDatasetFile.direction, RunDatasetFile.dataset, RunDatasetFile.path",
        cascade="all, delete-orphan",
    )

    __table_args__ = (Index("ix_runs_seconds", "seconds", "sequence"),)


class RunValue(Base):
    """A parameter, metric or label of a run, as text and, where it is one, as a number.

    The run is known here by its sequence: filtering and sorting ten thousand runs by their values
    takes half the time with numbers than with ids, and half the room.
    """

    __tablename__ = "run_values"

    run_sequence: Mapped[int] = mapped_column(ForeignKey("runs.sequence"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)  # parameter, metric, label
    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(String(16))  # str, int, float, bool, none
    number: Mapped[float | None] = mapped_column(Float)

    # filters and sorts by numbers read this index alone; rows in key order halve a file of SQLite
    __table_args__ = (
        Index("ix_run_values_number", "kind", "name", "number", "run_sequence"),
        {"sqlite_with_rowid": False},
    )


def is_short() -> list[ColumnElement[bool]]:
    """Return the conditions on a value whose text is in the index of texts.

    Metrics are numbers, and what is long an index of PostgreSQL cannot hold. The conditions are
    written out, not bound: only then a database sees that the index has what they are true for.
    """
    return [_NO_METRIC, func.length(RunValue.text) <= literal_column(_SHORT)]


def is_long() -> list[ColumnElement[bool]]:
    """Return the conditions on a value that is no metric and whose text is not in that index."""
    return [_NO_METRIC, func.length(RunValue.text) > literal_column(_SHORT)]


_SHORT = "100"  # characters
_NO_METRIC: ColumnElement[bool] = RunValue.kind != literal_column("'metric'")

# filters and sorts by a text read the first alone, and look into the second, which is mostly empty
for _name, _columns, _which in (
    (
        "ix_run_values_text",
        [ordered(RunValue.text), RunValue.run_sequence, RunValue.number, RunValue.type],
        and_(*is_short()),
    ),
    ("ix_run_values_long", [RunValue.run_sequence], and_(*is_long())),
):
    Index(
        _name,
        RunValue.kind,
        RunValue.name,
        *_columns,
        sqlite_where=_which,
        postgresql_where=_which,
    )


class RunFile(Base):
    """A file that a run read (with the commit that had written it) or wrote."""

    __tablename__ = "run_files"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    direction: Mapped[str] = mapped_column(String(8), primary_key=True)  # input, output
    path: Mapped[str] = mapped_column(Text, primary_key=True)  # text form, see records.paths
    version: Mapped[str | None] = mapped_column(String(64))
    digest: Mapped[str | None] = mapped_column(String(64))
    size: Mapped[int | None] = mapped_column(BigInteger)
    # the commit's sequence again: the newest writer of a path is then one look-up in an index
    sequence: Mapped[int] = mapped_column(Integer)
    # workload: as the run itself is known; derived: the code declared none, this one was observed
    authority: Mapped[str] = mapped_column(String(16), server_default="workload")

    __table_args__ = (
        Index("ix_run_files_path", "path", "direction", "sequence"),
        Index("ix_run_files_digest", "digest"),  # the same bytes under another name
        {"sqlite_with_rowid": False},
    )


class RunDatasetFile(Base):
    """A file of a dataset that a run read or wrote; which dataset, the commit's metadata says."""

    __tablename__ = "run_dataset_files"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    direction: Mapped[str] = mapped_column(String(8), primary_key=True)  # input, output
    dataset: Mapped[str] = mapped_column(String(255), primary_key=True)  # its name
    path: Mapped[str] = mapped_column(Text, primary_key=True)  # within the dataset, text form
    # the dataset's commit that wrote an input last, or with which an output was committed
    version: Mapped[str | None] = mapped_column(String(64))
    digest: Mapped[str | None] = mapped_column(String(64))
    size: Mapped[int | None] = mapped_column(BigInteger)
    authority: Mapped[str] = mapped_column(String(16), server_default="workload")  # as RunFile's

    __table_args__ = (
        Index("ix_run_dataset_files_path", "path", "dataset", "direction"),
        Index("ix_run_dataset_files_digest", "digest"),  # the same bytes elsewhere
        {"sqlite_with_rowid": False},
    )


class Series(Base):
    """All points of one metric: steps, values and times, little-endian float64, zlib-packed."""

    __tablename__ = "series"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the unpacked arrays
    # megabytes, perhaps: read by Records.series() only, never along with a run
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class Log(Base):
    """What a command task printed, zlib-packed."""

    __tablename__ = "logs"

    commit_id: Mapped[str] = mapped_column(ForeignKey("commits.id"), primary_key=True)
    name: Mapped[str] = mapped_column(
        String(255), primary_key=True
    )  # <task id>/workload-stdout.log
    size: Mapped[int] = mapped_column(BigInteger)  # unpacked bytes
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the unpacked bytes
    data: Mapped[bytes] = mapped_column(LargeBinary)


class FileChange(Base):
    """A file that a commit wrote or removed. The first one writes all and lists nothing."""

    __tablename__ = "file_changes"

    commit_id: Mapped[str] = mapped_column(ForeignKey("commits.id"), primary_key=True)
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    change: Mapped[str] = mapped_column(String(16))  # added, modified, removed
    digest: Mapped[str | None] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(Integer)  # the commit's, see RunFile.sequence

    __table_args__ = (
        Index("ix_file_changes_path", "path", "change", "sequence"),
        {"sqlite_with_rowid": False},
    )
