# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Where in the history things are: who wrote a path last, which commit ``HEAD~2`` means."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Integer, Select, String, func, literal, select
from sqlalchemy.orm import Session

from .chunking import chunks
from .errors import AmbiguousError, NotFoundError
from .lines import Line, on_main
from .models import Commit, CommitParent, FileChange, Run, RunFile
from .refs import HEAD, is_name, ref_id
from .rows import clean

_SPEC = re.compile(r"(?P<start>[^~^\s]+)(~(?P<back>\d{0,9}))?")


def head_id(session: Session) -> str | None:
    """Return the id of the newest commit of the workspace."""
    return ref_id(session, HEAD)


def newest_writers(session: Session, paths: Collection[str], line: Line) -> dict[str, str | None]:
    """Return the commit of a line that wrote each path last; None where it was removed since.

    Paths of which no commit tells are left out: the first commit wrote them, if they exist at all.
    """
    written: dict[str, int] = {}
    removed: dict[str, int] = {}
    for path, change, sequence in last_changes(session, paths, line):
        kind = removed if change == "removed" else written
        kind[path] = max(sequence, kind.get(path, 0))
    there = {p: s for p, s in written.items() if s > removed.get(p, 0)}
    ids: dict[int, str] = {}
    for numbers in chunks(set(there.values())):
        rows = session.execute(
            select(Commit.sequence, Commit.id).where(Commit.sequence.in_(numbers))
        )
        ids.update((sequence, id_) for sequence, id_ in rows)
    result: dict[str, str | None] = dict.fromkeys(removed)
    result.update((path, ids[sequence]) for path, sequence in there.items())
    return result


def last_changes(
    session: Session, paths: Collection[str], line: Line
) -> Iterator[tuple[str, str, int]]:
    """Yield paths, what happened to them and in which commit of a line; the last of each are."""
    output = literal("output", String)
    for chunk in chunks(paths):
        changes = FileChange.path.in_(chunk)
        outputs = RunFile.path.in_(chunk) & (RunFile.direction == "output")
        if line.upto:
            for query in (
                select(FileChange.path, FileChange.change, func.max(FileChange.sequence))
                .where(changes, *line.has(FileChange.sequence))
                .group_by(FileChange.path, FileChange.change),
                select(RunFile.path, output, func.max(RunFile.sequence))
                .where(outputs, *line.has(RunFile.sequence))
                .group_by(RunFile.path),
            ):
                yield from ((row[0], row[1], row[2]) for row in session.execute(query))
        if line.own:
            for query in (
                select(FileChange.path, FileChange.change, FileChange.sequence).where(
                    changes, ~on_main(FileChange.sequence)
                ),
                select(RunFile.path, output, RunFile.sequence).where(
                    outputs, ~on_main(RunFile.sequence)
                ),
            ):
                for row in session.execute(query):
                    if row[2] in line.own:
                        yield row[0], row[1], row[2]


def writing_runs(
    session: Session, versions: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Return, for (path, commit) pairs, the run that wrote the path in that commit.

    Of several runs in one commit it is the last. A correction wrote nothing: it tells of a
    change that no run explains.
    """
    found: dict[tuple[str, str], str] = {}
    by_commit: dict[str, set[str]] = {}
    for path, commit in versions:
        by_commit.setdefault(commit, set()).add(path)
    for commits in chunks(by_commit, 100):
        paths = sorted({path for commit in commits for path in by_commit[commit]})
        for some in chunks(paths):
            rows = session.execute(
                select(RunFile.path, Run.commit_id, Run.id)
                .join(Run, Run.id == RunFile.run_id)
                .where(
                    RunFile.direction == "output",
                    RunFile.path.in_(some),
                    Run.commit_id.in_(commits),
                    Run.authority != "correction",
                )
                .order_by(Run.sequence)
            )
            found.update(
                ((path, commit), run) for path, commit, run in rows if path in by_commit[commit]
            )
    return found


def find_commit(session: Session, text: str) -> str:
    """Return the id of the commit that an id, a prefix or a ref, perhaps with ``~n``, means."""
    match = _SPEC.fullmatch(clean(text))
    if match is None:
        raise NotFoundError(
            f"There is no commit {text!r}. Give an id, the first characters of one, or HEAD~1."
        )
    if is_name(match["start"]):
        ref = ref_id(session, match["start"])
        if ref is None:
            name = match["start"]
            reason = "commit yet" if name == HEAD else f"commit or branch {name!r}"
            raise NotFoundError(f"There is no {reason}.")
        start = ref
    else:
        start = _by_prefix(session, Commit.id, match["start"].lower(), "commit")
    if match[2] is None:
        return start
    back = int(match["back"] or 1)
    id_ = session.scalar(_ancestor(start, back)) if back else start
    if id_ is None:
        raise NotFoundError(f"There is no commit {text}: the history is not that long.")
    return str(id_)


def find_run(session: Session, text: str) -> str:
    """Return the id of the run that an id or a unique prefix means."""
    return _by_prefix(session, Run.id, clean(text), "run")


def _by_prefix(session: Session, id_column: Any, prefix: str, what: str) -> str:
    ids: Sequence[str] = session.scalars(_id_query(id_column, prefix, exact=True)).all()
    if not ids and len(prefix) >= 4:
        ids = session.scalars(_id_query(id_column, prefix, exact=False)).all()
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise AmbiguousError(
            f"Several {what}s have ids that start with {prefix}. Give more characters of the id."
        )
    hint = " Give at least the first four characters of its id." if len(prefix) < 4 else ""
    raise NotFoundError(f"There is no {what} {prefix!r}.{hint}")


def _id_query(id_column: Any, prefix: str, *, exact: bool) -> Select[Any]:
    if exact:
        return select(id_column).where(id_column == prefix)
    # a range of ids would depend on the database's collation
    return select(id_column).where(func.substr(id_column, 1, len(prefix)) == prefix).limit(2)


def _ancestor(start: str, back: int) -> Select[Any]:
    """Return a query for the commit ``back`` first parents before another."""
    walk = select(literal(start, String(64)).label("id"), literal(0, Integer).label("depth")).cte(
        "walk", recursive=True
    )
    walk = walk.union_all(
        select(CommitParent.parent_id, walk.c.depth + 1)
        .join(walk, CommitParent.commit_id == walk.c.id)
        .where(CommitParent.position == 0, walk.c.depth < back)
    )
    return select(walk.c.id).where(walk.c.depth == back)
