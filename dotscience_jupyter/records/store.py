# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading and writing the records of one workspace (or, later, of a hub)."""

from __future__ import annotations

import time
import zlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from sys import byteorder

from sqlalchemy import func, select

from . import history, lines, models, reading, refs, verification, writing
from .ancestry import Ancestry
from .database import Database
from .datasetneighbours import DatasetNeighbours, InDataset
from .datasetuses import DatasetUse, dataset_uses
from .errors import (
    AmbiguousError,
    ConflictError,
    DuplicateRunError,
    NotFoundError,
    RecordsError,
    RefusedError,
)
from .exchange import Taken
from .fileversions import FileVersions
from .neighbours import Version
from .new import (
    DatasetVersion,
    NewChange,
    NewCommit,
    NewDatasetFile,
    NewFile,
    NewRun,
    NewSeries,
    NewValue,
)
from .rows import NAME_LENGTH, clean, fit
from .sharing import Sharing
from .tables import RunTables
from .verification import Progress

__all__ = [
    "AmbiguousError",
    "ConflictError",
    "DatasetVersion",
    "DuplicateRunError",
    "NewChange",
    "NewCommit",
    "NewDatasetFile",
    "NewFile",
    "NewRun",
    "NewSeries",
    "NewValue",
    "NotFoundError",
    "Records",
    "RecordsError",
    "RefusedError",
    "Taken",
]


class Records(Sharing):
    """The records of one workspace. Thread-safe; several processes may share the database.

    What its methods return is detached from the database: complete as far as each method says,
    safe to keep and to hand to other threads. Every method raises RecordsError, in words for
    users, when the database cannot be read or written.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self.tables = RunTables(database)
        """Many runs as rows, and what they have, as columns."""
        self.files = FileVersions(database)
        """Which commits changed a file, and which runs wrote it."""
        self.ancestry = Ancestry(database)
        """Which commits others came from."""

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Callable[[], int] = time.time_ns,
        schema: str | None = None,
        pool: int = 5,
        upgrade: bool = True,
    ) -> Records:
        """Open a database, creating or migrating its schema.

        Parameters
        ----------
        url : str
            ``sqlite:///PATH`` or an SQLAlchemy URL of a PostgreSQL database.
        clock : callable
            Returns nanoseconds since the epoch; commits take their time from it.
        schema : str, optional
            The schema of a PostgreSQL database that holds the tables; made if it is missing. Each
            has its own lock, so that writers of two of them do not wait for each other.
        pool : int
            So many connections are kept open at most; a few more under load.
        upgrade : bool
            Whether the database of an older version is migrated; it is refused otherwise.

        Raises
        ------
        RecordsError
            If that cannot be done, or a newer version made the database, or an older one that is
            not to be migrated (it is left as it is).
        """
        return cls(Database.open(url, schema=schema, pool=pool, upgrade=upgrade), clock)

    def close(self) -> None:
        """Release connections."""
        self._database.close()

    def commit(
        self,
        commits: Sequence[NewCommit],
        *,
        expected_head: str | None,
        ref: str = refs.HEAD,
    ) -> list[models.Commit]:
        """Record commits, each the parent of the next, and all their runs in one transaction.

        The first one's parent is where the ref stands; the ref is at the last one then.
        ``FILE@COMMIT`` versions that are None on inputs are resolved against the ref's earlier
        commits, those of this call included (:meth:`last_written`).

        Parameters
        ----------
        commits : sequence of NewCommit
            What to record, in order.
        expected_head : str or None
            Where the ref must be now; None if there is none yet.
        ref : str
            Which ref, see :meth:`set_ref`.

        Returns
        -------
        list of Commit
            With their parents and the columns of their runs, as :meth:`get_commit` gives them.

        Raises
        ------
        DuplicateRunError
            If one of the runs is recorded already.
        ConflictError
            If the ref is not at ``expected_head`` any more.
        """
        ids = writing.record(self._database, commits, expected_head, ref, self._clock)
        with self._database.reading() as session:
            return reading.commits_by_id(session, ids)

    def head(self) -> models.Commit | None:
        """Return the newest commit, or None."""
        with self._database.reading() as session:
            id_ = history.head_id(session)
            if id_ is None:
                return None
            return session.get_one(models.Commit, id_, options=reading.whole_commit())

    def known_runs(self, ids: Iterable[str]) -> set[str]:
        """Return those of the ids that are recorded."""
        with self._database.reading() as session:
            return writing.known_runs(session, ids)

    def last_written(self, path: str) -> str | None:
        """Return the newest commit that wrote a path (text form), the first one if none did later.

        A commit wrote what it lists as added or modified and what its runs declared as outputs.
        None when there is no commit, or the path was removed and not written again. Only HEAD and
        its first parents count.
        """
        with self._database.reading() as session:
            path = clean(path)
            line = lines.line_of(session, history.head_id(session))
            newest = history.newest_writers(session, [path], line)
            return newest[path] if path in newest else lines.first_on(session, line)

    def last_written_before(self, paths: Collection[str], commit: str) -> dict[str, str | None]:
        """Return, for paths (text form), the newest commit that wrote each, as of a commit.

        As :meth:`last_written`, with the commit (whole id) and its first parents in place of
        HEAD's.
        """
        with self._database.reading() as session:
            line = lines.line_of(session, commit)
            names = {path: clean(path) for path in paths}
            newest = history.newest_writers(session, set(names.values()), line)
            first = lines.first_on(session, line)
        return {path: newest.get(name, first) for path, name in names.items()}

    def get_commit(self, prefix: str) -> models.Commit:
        """Return a commit by id, unique prefix (4+), ``HEAD``, ``HEAD~n`` or another ref.

        Its parents are loaded, and its runs but for their ``details`` and relations.

        Raises
        ------
        RecordsError
            NotFoundError if there is none, AmbiguousError if the prefix is that of several.
        """
        with self._database.reading() as session:
            id_ = history.find_commit(session, prefix)
            return session.get_one(models.Commit, id_, options=reading.whole_commit())

    def list_commits(
        self, *, search: str = "", offset: int = 0, limit: int = 100
    ) -> tuple[list[models.Commit], int]:
        """Return a page of HEAD and its ancestors, newest first, and the total; see :meth:`log`.

        With ``search`` those whose message or author contains each of its words, or whose id
        begins with it.
        """
        with self._database.reading() as session:
            return reading.page_of_commits(session, offset, limit, search)

    def counted_changes(self, commits: Collection[str]) -> dict[str, int]:
        """Return how many files commits (whole ids) changed, but for those that changed none."""
        with self._database.reading() as session:
            return reading.counted_changes(session, commits)

    def get_run(self, prefix: str) -> models.Run:
        """Return a run by id or unique prefix (4+), all relations loaded.

        The points of its series are read by :meth:`series` only.

        Raises
        ------
        RecordsError
            NotFoundError if there is none, AmbiguousError if the prefix is that of several.
        """
        with self._database.reading() as session:
            id_ = history.find_run(session, prefix)
            return reading.runs_by_id(session, [id_], *reading.whole_run())[id_]

    def get_runs(self, ids: Collection[str]) -> dict[str, models.Run]:
        """Return the recorded ones of these runs by id, loaded as by :meth:`get_run`."""
        with self._database.reading() as session:
            known = writing.known_runs(session, ids)
            return reading.runs_by_id(session, known, *reading.whole_run())

    def list_runs(
        self,
        *,
        where: str = "",
        search: str = "",
        sort: str = "",
        offset: int = 0,
        limit: int = 100,
    ) -> tuple[list[reading.RunHead], int]:
        """Return a page of runs, values and commit loaded, and how many there are.

        Parameters
        ----------
        where : str
            A filter such as ``metrics.accuracy > 0.9``, see :mod:`.where`.
        search : str
            Words that must all occur in description, workload file, author, error, labels or the
            names of parameters and metrics, in upper or lower case.
        sort : str
            Fields such as ``metrics.accuracy desc, started``; without one, newest first.
        offset, limit : int
            Which page.

        Raises
        ------
        WhereError
            If ``where`` or ``sort`` cannot be understood; it tells the position.
        """
        with self._database.reading() as session:
            found, page = self.tables.find(session, where, search, sort, offset, limit)
            return reading.runs_in_order(session, page), found.total

    def value_names(self) -> dict[str, list[str]]:
        """Return all names by kind (``parameter``, ``metric``, ``label``), sorted."""
        return self.tables.names()

    def counts(self) -> tuple[int, int]:
        """Return how many commits HEAD and its ancestors are, and how many runs there are."""
        with self._database.reading() as session:
            runs = session.scalar(select(func.count()).select_from(models.Run))
            return reading.count_commits(session), runs or 0

    def runs_by_notebook(self) -> dict[str, int]:
        """Return how many runs each workload file has published."""
        file = models.Run.workload_file
        query = select(file, func.count()).where(file.is_not(None)).group_by(file)
        with self._database.reading() as session:
            return {path: count for path, count in session.execute(query) if path is not None}

    def series(self, run_id: str, name: str) -> tuple[list[float], list[float], list[float]]:
        """Return steps, values and times (seconds since the epoch) of one metric.

        Raises
        ------
        RecordsError
            If there is none, or what is stored is damaged.
        """
        query = select(models.Series.data, models.Series.count).where(
            models.Series.run_id == clean(run_id),
            models.Series.name == fit(name, NAME_LENGTH),
        )
        with self._database.reading() as session:
            row = session.execute(query).one_or_none()
        if row is None:
            raise NotFoundError(f"The run {run_id} has no series {name!r}.")
        try:
            points = array("d", zlib.decompress(row[0]))
        except (zlib.error, ValueError):
            points = array("d")
        if len(points) != 3 * row[1]:
            raise RecordsError(
                f"The points of {name!r} of the run {run_id} are damaged in the database. "
                "Run `jupyter dotscience verify` to see what else is."
            )
        if byteorder == "big":
            points.byteswap()
        steps, values, times = (points[i * row[1] : (i + 1) * row[1]].tolist() for i in range(3))
        return steps, values, times

    def logs(self, commit_id: str) -> list[models.Log]:
        """Return the logs of a commit by name (unpack ``data`` with zlib)."""
        query = select(models.Log).where(models.Log.commit_id == clean(commit_id))
        with self._database.reading() as session:
            return list(session.scalars(query.order_by(models.Log.name)))

    def writer_of(self, path: str, version: str) -> str | None:
        """Return the id of the run that wrote a path (text form) in a commit, or None.

        Corrections wrote nothing: they tell of changes that no run explains.
        """
        return self.writers_of([(path, version)]).get((path, version))

    def writers_of(self, versions: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return :meth:`writer_of` for many (path, commit) pairs at once, where a run did."""
        wanted = {(clean(path), clean(version)): (path, version) for path, version in versions}
        with self._database.reading() as session:
            found = history.writing_runs(session, wanted)
        return {wanted[version]: run for version, run in found.items()}

    def dataset_writers(
        self, dataset: str, versions: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], str]:
        """Return the runs that wrote files of a dataset, of (path, dataset's commit) pairs."""
        wanted = {
            Version(str(InDataset(dataset, path)), version): (path, version)
            for path, version in versions
        }
        with self.neighbours() as near:
            return {wanted[file]: row.run for file, row in near.writers(wanted).items()}

    def dataset_uses(self, dataset: str, limit: int) -> list[DatasetUse]:
        """Return the newest runs that read or wrote a dataset of that name, newest first."""
        with self._database.reading() as session:
            return dataset_uses(session, dataset, limit)

    @contextmanager
    def neighbours(self) -> Iterator[DatasetNeighbours]:
        """Give the queries of a walk from runs to files and on; all of them see one moment."""
        with self._database.reading() as session:
            yield DatasetNeighbours(session)

    def snapshots(self) -> list[str]:
        """Return every snapshot id that a commit needs, oldest first."""
        query = select(models.Commit.snapshot).order_by(models.Commit.sequence)
        with self._database.reading() as session:
            return list(dict.fromkeys(session.scalars(query)))

    def needs_snapshot(self, snapshot: str) -> bool:
        """Whether a commit needs the snapshot of that id."""
        query = select(models.Commit.id).where(models.Commit.snapshot == clean(snapshot)).limit(1)
        with self._database.reading() as session:
            return session.scalar(query) is not None

    def verify(self, progress: Progress | None = None) -> list[tuple[str | None, str]]:
        """Recompute the hash chain and every digest; return (commit, what is wrong) pairs.

        Every column of every table is covered; nothing is changed.
        """
        return verification.verify(self._database, progress)
