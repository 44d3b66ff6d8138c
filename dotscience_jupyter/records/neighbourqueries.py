# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The statements of :mod:`.neighbours`, built once: a walk executes them hundreds of times."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    FromClause,
    Integer,
    ScalarSelect,
    Text,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from .lines import on_main
from .models import MODEL_LABEL, Beside, Commit, Environment, FileChange, Run, RunFile, RunValue

CORRECTION = "correction"

_files: FromClause = RunFile.__table__
_runs: FromClause = Run.__table__
_commits: FromClause = Commit.__table__
_changes: FromClause = FileChange.__table__
_values: FromClause = RunValue.__table__
_environments: FromClause = Environment.__table__
_wrote = _files.alias("wrote")
_writer = _runs.alias("writer")
_f, _r, _c = _files.c, _runs.c, _commits.c


def _many(name: str) -> Any:
    return bindparam(name, expanding=True)


def _one(name: str, type_: Any = Text) -> Any:
    return bindparam(name, type_=type_)


def _next_writes(path: Any, since: Any) -> list[ScalarSelect[Any]]:
    """Return sub-queries for the next commits that wrote a path; each is one look-up."""
    after, changed = _files.alias("after").c, _changes.alias("changed").c
    outputs = select(func.min(after.sequence)).where(
        after.path == path, after.direction == "output", after.sequence > since
    )
    changes = [
        select(func.min(changed.sequence)).where(
            changed.path == path, changed.change == change, changed.sequence > since
        )
        for change in ("added", "modified", "removed")
    ]
    return [query.scalar_subquery() for query in (outputs, *changes)]


# files that are observed in a run which declared others say so; all of an observed run are
_AUTHORITY = case((_r.authority == "derived", "derived"), else_=_f.authority)
_NOT_EMPTY = or_(_f.size.is_(None), _f.size > 0)

HEADS = (
    select(
        _r.id,
        _r.sequence,
        _r.commit_id,
        _c.sequence,
        _c.created,
        _r.authority,
        _r.status,
        _r.description,
        _r.error,
        _r.workload_type,
        _r.workload_file,
        _r.author,
        _r.started,
        _r.ended,
        _r.environment_id,
    )
    .join_from(_runs, _commits, _c.id == _r.commit_id)
    .where(_r.id.in_(_many("runs")))
)

NEWEST = (
    select(_r.id)
    .where(_r.authority != CORRECTION)
    .order_by(_r.sequence.desc())
    .limit(_one("most", Integer))
)

ANY_BESIDE = select(Beside.sequence).limit(1)

COMMITS = select(_c.id, _c.sequence, _c.created).where(_c.id.in_(_many("commits")))

COMMIT_AT = select(_c.id).where(_c.sequence == _one("sequence", Integer))

INPUTS = (
    select(
        _f.run_id,
        _f.path,
        _f.version,
        _f.digest,
        _f.size,
        _f.sequence,
        _c.sequence,
        _writer.c.id,
        _writer.c.sequence,
        _writer.c.authority,
        _AUTHORITY,
    )
    .select_from(
        _files.join(_runs, _r.id == _f.run_id)
        .outerjoin(_commits, _c.id == _f.version)
        .outerjoin(
            _wrote,
            and_(
                _wrote.c.path == _f.path,
                _wrote.c.direction == "output",
                _wrote.c.sequence == _c.sequence,
            ),
        )
        .outerjoin(_writer, _writer.c.id == _wrote.c.run_id)
    )
    .where(_f.direction == "input", _f.run_id.in_(_many("runs")))
)

_LAST_OF_COMMIT = (
    select(func.max(_writer.c.sequence))
    .select_from(_wrote.join(_writer, _writer.c.id == _wrote.c.run_id))
    .where(
        _wrote.c.path == _f.path,
        _wrote.c.direction == "output",
        _wrote.c.sequence == _f.sequence,
        _writer.c.authority != CORRECTION,
    )
    .scalar_subquery()
)

OUTPUTS = (
    select(
        _f.run_id,
        _f.path,
        _r.commit_id,
        _f.digest,
        _f.size,
        _f.sequence,
        _AUTHORITY,
        *_next_writes(_f.path, _f.sequence),
    )
    .join_from(_files, _runs, _r.id == _f.run_id)
    .where(
        _f.direction == "output",
        _r.authority != CORRECTION,
        _r.sequence == _LAST_OF_COMMIT,
        _f.run_id.in_(_many("runs")),
    )
)

WRITERS = (
    select(_f.run_id, _f.path, _f.digest, _f.size, _f.sequence)
    .join_from(_files, _runs, _r.id == _f.run_id)
    .where(
        _f.direction == "output",
        _r.authority != CORRECTION,
        _f.path.in_(_many("paths")),
        _f.sequence.in_(_many("sequences")),
    )
    .order_by(_r.sequence)
)

NEXT_WRITES = select(*_next_writes(_one("path"), _one("since", Integer)))

_READING = (
    select(_f.run_id, _f.path, _f.version, _f.digest, _f.size, _f.sequence, _AUTHORITY)
    .join_from(_files, _runs, _r.id == _f.run_id)
    .where(_f.direction == "input", _f.path.in_(_many("paths")))
    .order_by(_f.sequence, _f.run_id, _f.path)
)

READERS = _READING.where(
    _f.version.in_(_many("versions")),
    _f.sequence > _one("since", Integer),
    _f.sequence <= _one("until", Integer),
)

READERS_OUTSIDE = _READING.where(_f.version.is_(None))

_COUNTED = select(_f.run_id).where(_f.direction == "input", _f.path == _one("path"))

COUNT_READERS = select(func.count()).select_from(
    _COUNTED.where(
        _f.version == _one("version"),
        _f.sequence > _one("since", Integer),
        _f.sequence <= _one("until", Integer),
    )
    .limit(_one("most", Integer))
    .subquery()
)

COUNT_READERS_OUTSIDE = select(func.count()).select_from(
    _COUNTED.where(
        _f.version.is_(None),
        or_(_f.digest == _one("digest"), and_(_f.digest.is_(None), _one("digest").is_(None))),
    )
    .limit(_one("most", Integer))
    .subquery()
)

FIRST_READINGS = (
    select(_f.path, _f.digest, func.min(_f.sequence))
    .where(_f.path.in_(_many("paths")), _f.direction == "input", _f.version.is_(None))
    .group_by(_f.path, _f.digest)
)

# what runs read is told once a version; grouped by expressions, or SQLite would read the table in
# the order of the index, row by row
_OUTPUT_OF = case((_f.direction == "output", _f.run_id), else_="")
IDENTICAL = (
    select(_OUTPUT_OF, _f.path, _f.version, _f.digest, func.max(_f.size), func.min(_f.sequence))
    .where(_f.digest.in_(_many("digests")), _f.direction.in_(_many("directions")), _NOT_EMPTY)
    .group_by(_OUTPUT_OF, _f.path.concat(""), _f.path, _f.version, _f.digest)
)

FILES_WITH_DIGEST = (
    select(_f.path, case((_f.direction == "output", _r.commit_id), else_=_f.version), _f.digest)
    .join_from(_files, _runs, _r.id == _f.run_id)
    .where(func.substr(_f.digest, 1, _one("length", Integer)) == _one("prefix"))
)

CHANGES_WITH_DIGEST = select(_changes.c.path, _changes.c.commit_id, _changes.c.digest).where(
    _changes.c.change != "removed",
    func.substr(_changes.c.digest, 1, _one("length", Integer)) == _one("prefix"),
)

LAST_WRITES = select(
    select(func.max(_f.sequence))
    .where(
        _f.path == _one("path"),
        _f.direction == "output",
        _f.sequence <= _one("upto", Integer),
        on_main(_f.sequence),
    )
    .scalar_subquery(),
    *(
        select(func.max(_changes.c.sequence))
        .where(
            _changes.c.path == _one("path"),
            _changes.c.change == change,
            _changes.c.sequence <= _one("upto", Integer),
            on_main(_changes.c.sequence),
        )
        .scalar_subquery()
        for change in ("added", "modified")
    ),
)

LAST_READ = (
    select(_f.version, _f.digest)
    .where(_f.path == _one("path"), _f.direction == "input", on_main(_f.sequence))
    .order_by(_f.sequence.desc(), _f.run_id)
    .limit(1)
)

# what a version's first reader with a digest tells of it
TOLD = (
    select(_f.digest, _f.size)
    .where(
        _f.path == _one("path"),
        _f.direction == "input",
        _f.sequence > _one("since", Integer),
        _f.version == _one("version"),
        _f.digest.is_not(None),
    )
    .order_by(_f.sequence)
    .limit(1)
)

CHANGE_DIGEST = select(_changes.c.digest).where(
    _changes.c.commit_id == _one("commit"), _changes.c.path == _one("path")
)

MODELS = (
    select(_values.c.run_sequence, _values.c.name, _values.c.text)
    .where(
        _values.c.run_sequence.in_(_many("runs")),
        _values.c.kind == "label",
        func.substr(_values.c.name, 1, len(MODEL_LABEL)) == MODEL_LABEL,
    )
    .order_by(_values.c.run_sequence, _values.c.name)
)

MODEL = (
    select(_r.id, _values.c.text)
    .join_from(_values, _runs, _r.sequence == _values.c.run_sequence)
    .where(_values.c.kind == "label", _values.c.name == _one("name"))
    .order_by(_values.c.run_sequence.desc())
    .limit(1)
)

PARAMETERS = select(_values.c.run_sequence, _values.c.name, _values.c.text, _values.c.type).where(
    _values.c.run_sequence.in_(_many("runs")), _values.c.kind == "parameter"
)

ENVIRONMENTS = select(_environments.c.id, _environments.c.document).where(
    _environments.c.id.in_(_many("ids"))
)
