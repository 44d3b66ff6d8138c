# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The versions of a file, and bringing one back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dotscience_jupyter.committer import CommitterError
from dotscience_jupyter.records import models as rows
from dotscience_jupyter.records.fileversions import LAST
from dotscience_jupyter.records.paths import from_text, to_text
from dotscience_jupyter.snapshots import Entry, Kind, PathNotFoundError, SnapshotError
from dotscience_jupyter.snapshots.engine import Change

from . import bodies, models, placing
from .core import Core
from .errors import ApiError
from .paths import folder_path

MAX_RENAMES = 50
"""How many commits are looked into for what a file was called before."""

MAX_RUNS = 5
"""How many runs of one version are listed."""


@dataclass(slots=True)
class _Version:
    """A version of a file, before what is only needed of a page is asked for."""

    sequence: int
    path: str  # text form
    change: str
    digest: str | None


@dataclass(slots=True)
class _Stretch:
    """The versions of a file while it had one name, newest first."""

    path: str
    since: int
    before: int
    renamed: bool  # whether the oldest of them is a renaming
    count: int = 0


class FileHistories:
    """The versions of a file, and bringing one back.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    # -- looking ----------------------------------------------------------------------------------

    def versions(self, file: str, offset: int = 0, limit: int = 100) -> models.FileHistory:
        """Return a page of the versions of a file (text form), newest first.

        A renaming is followed: what the file was called before is its history, too.

        Raises
        ------
        ApiError
            404 ``not_found`` if there is no such file and never was one; 400 ``invalid_request`` if
            it is a folder.
        """
        core = self._core
        path = folder_path(file)
        text = to_text(path)
        live = core.workspace.root / path
        with core.errors():
            line = self._line(text)
            first = self._first(line[-1])
            total = sum(stretch.count for stretch in line) + len(first)
            # one more, since a version lasts until the next newer one
            begin = max(0, offset - 1)
            page = self._page(line, first, begin, offset + limit)
            newest = self._page(line, first, 0, 1) if begin else page[:1]
            commits = core.records.files.commits({each.sequence for each in (*newest, *page)})
            digest, same = self._now(live, newest, commits)
            if not total and digest is None:
                if live.is_dir():
                    raise ApiError(400, "invalid_request", f"{file!r} is a folder, not a file.")
                raise ApiError(
                    404, "not_found", f"There is no file {file!r}, and no commit has had one."
                )
            newer = page[0].sequence if offset and page else LAST
            items = self._described(page[offset - begin :], newer, commits)
        return models.FileHistory(
            path=text,
            items=items,
            total=total,
            offset=offset,
            changed=not same,
            present=digest,
        )

    def _line(self, path: str) -> list[_Stretch]:
        """Return what a file was called, and between which commits; newest first."""
        files = self._core.records.files
        found: list[_Stretch] = []
        before, left = LAST, MAX_RENAMES
        while True:
            stretch = _Stretch(path, 0, before, False)
            found.append(stretch)
            added = files.changes(path, 0, before, change="added")
            removing = files.removing([each.commit for each in added])
            old = None
            for each in added:
                if each.commit in removing and left:
                    left -= 1
                    old = self._name_before(each.sequence, path)
                    if old is not None:
                        stretch.since, stretch.renamed = each.sequence, True
                        break
            stretch.count = files.count(path, stretch.since, before)
            if old is None:
                return found
            path, before = old, stretch.since

    def _page(
        self, line: Sequence[_Stretch], first: Sequence[_Version], start: int, stop: int
    ) -> list[_Version]:
        """Return some of all versions of a file, the newest of which is number 0."""
        files = self._core.records.files
        found: list[_Version] = []
        skipped = 0
        for each in line:
            offset = max(0, start - skipped)
            limit = min(each.count, stop - skipped) - offset
            if limit > 0:
                changes = files.changes(
                    each.path, each.since, each.before, offset=offset, limit=limit
                )
                digests = files.digests(each.path, [row.commit for row in changes])
                found += [
                    _Version(row.sequence, each.path, row.change, digests[row.commit])
                    for row in changes
                ]
                if each.renamed and offset + limit == each.count:
                    found[-1].change = "renamed"
            skipped += each.count
        if start <= skipped < stop:
            found += first
        return found

    def _name_before(self, sequence: int, path: str) -> str | None:
        """Return what a file that a commit added was called before, if it was renamed there."""
        core = self._core
        commit = core.records.files.commits([sequence])[sequence]
        if not commit.parents:
            return None
        parent = core.records.get_commit(commit.parents[0].parent_id)
        wanted = from_text(path)
        with suppress(SnapshotError):  # the content of one of them is gone or damaged
            for each in core.engine.diff(parent.snapshot, commit.snapshot, renames=True):
                if each.path == wanted and each.change is Change.RENAMED and each.old is not None:
                    return to_text(each.old.path)
        return None

    def _first(self, stretch: _Stretch) -> list[_Version]:
        """Return the version that the first commit holds, if it holds one and did not list it."""
        files, path = self._core.records.files, stretch.path
        commit = files.first()
        oldest = files.oldest(path, stretch.before)
        if commit is None or (
            oldest is not None and (oldest.change == "added" or oldest.sequence == commit.sequence)
        ):
            return []
        entry = self._entry(commit.snapshot, path)
        if entry is None or entry.kind is Kind.FOLDER:
            return []
        return [_Version(commit.sequence, path, "first", entry.digest or None)]

    def _entry(self, snapshot: str, text: str) -> Entry | None:
        """Return an entry without reading what was never read; None where there is none."""
        core, path = self._core, from_text(text)
        with suppress(PathNotFoundError):
            if core.known_content_id(snapshot):
                return core.engine.entry(snapshot, path)
            children = core.engine.list(snapshot, path.rpartition("/")[0])
            return next((child for child in children if child.path == path), None)
        return None

    def _now(
        self, live: Path, newest: Sequence[_Version], commits: dict[int, rows.Commit]
    ) -> tuple[str | None, bool]:
        """Return the digest of the live file, and whether it is the newest version."""
        entry = None
        for each in newest:
            if each.change != "removed":
                entry = self._entry(commits[each.sequence].snapshot, each.path)
        try:
            status = os.lstat(live)
        except OSError:
            return None, entry is None and bool(newest)
        if entry is not None and entry.kind is Kind.SYMLINK:
            return None, live.is_symlink() and os.readlink(live) == entry.target
        if (
            entry is not None
            and entry.digest
            and (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns)
        ):
            return entry.digest, True
        try:
            digest = placing.digest_of(live)
        except (placing.NoFileError, OSError):
            return None, False
        same = entry is not None and entry.size == status.st_size and entry.digest == digest
        return digest, same

    def _described(
        self, page: Sequence[_Version], newer: int, commits: dict[int, rows.Commit]
    ) -> list[models.FileVersion]:
        makers = self._makers(page, newer, commits)
        wanted = {run for ids in makers for run in ids[:MAX_RUNS]}
        runs = self._core.records.files.runs(wanted)
        items = []
        for each, ids in zip(page, makers, strict=True):
            commit = commits[each.sequence]
            entry = None
            if each.change != "removed":
                entry = self._entry(commit.snapshot, each.path)
            items.append(
                models.FileVersion(
                    commit=commit.id,
                    path=each.path,
                    created=commit.created,
                    author=commit.author,
                    message=commit.message,
                    change=each.change,  # type: ignore[arg-type]  # what the tables hold is checked
                    digest=each.digest or (entry.digest if entry is not None else None) or None,
                    size=None if entry is None else entry.size,
                    runs=[bodies.run_summary(runs[id_]) for id_ in ids[:MAX_RUNS]],
                    total_runs=len(ids),
                )
            )
        return items

    def _makers(
        self, page: Sequence[_Version], newer: int, commits: dict[int, rows.Commit]
    ) -> list[list[str]]:
        """Return, for each version, the runs that wrote it or that are of it, newest first.

        ``newer`` is the sequence of the version that comes before the page.
        """
        files = self._core.records.files
        makers: list[list[str]] = [[] for _ in page]
        for first, last in _stretches(page):
            path = page[first].path
            # until the next newer version there are the same bytes, whoever wrote them again
            until = page[first - 1].sequence if first else newer
            writers = files.writers(path, page[last].sequence, until)
            by_commit: dict[str, list[str]] = {}
            ids = [commits[each.sequence].id for each in page[first : last + 1]]
            for commit, run in files.executed(path, ids):
                by_commit.setdefault(commit, []).append(run)
            number = first
            for sequence, run in writers:
                while page[number].sequence > sequence:
                    number += 1
                if page[number].change != "removed":
                    makers[number].append(run)
            for index, id_ in enumerate(ids, first):
                makers[index] += [r for r in by_commit.get(id_, ()) if r not in makers[index]]
        return makers

    # -- bringing back ----------------------------------------------------------------------------

    def bring_back(
        self, commit: str, wanted: models.BringBack, author: str | None = None
    ) -> models.BringBackResult:
        """Put a file of a commit in the place of the present one.

        What is there now is committed before, and what is there then is committed after. A process
        that is killed in between leaves the one or the other.

        Raises
        ------
        ApiError
            404 ``not_found``; 403 ``forbidden_path`` if it would go out of the workspace; 409
            ``changed`` if what is there is not what was expected, ``exists`` if it is no file,
            ``refused`` if it is in no commit (an ignored file). Nothing was changed then.
        """
        core = self._core
        target, path = self._file(commit, wanted.path)
        live = self._place(path, wanted.to)
        name = to_text(live.relative_to(core.workspace.root).as_posix())
        then = f"{name} as of {target.id[:12]}"
        with self._placing(name):
            if placing.digest_of(live) != wanted.expected:
                raise placing.ChangedError
        with core.errors(), core.committer.alone():
            core.committer.commit(f"Before bringing back {then}", author)
            head = core.records.get_commit("HEAD")
            if wanted.expected is not None:
                self._check_kept(head, name, wanted.expected)
            with self._placing(name):
                placing.replace(core.engine, target.snapshot, path, live, wanted.expected)
        message = f"{name} is as it was in commit {target.id[:12]}."
        after: list[rows.Commit] = []
        try:
            after = core.committer.commit(f"Brought back {then}", author).commits
        except CommitterError as error:
            # the file is there, which counts; the watcher, or whoever commits next, records it
            message += f" That is not committed yet: {core.clean(str(error)).rstrip('.')}."
        if wanted.expected is not None:
            message += f" What was there before is in commit {head.id[:12]}."
        return models.BringBackResult(
            path=core.mapper.to_contents(live) or name,
            before=None if wanted.expected is None else head.id,
            commit=after[-1].id if after else None,
            message=message,
        )

    def _check_kept(self, head: rows.Commit, name: str, digest: str) -> None:
        """Raise unless a commit holds what is about to be replaced."""
        entry = None
        with suppress(PathNotFoundError):
            entry = self._core.engine.entry(head.snapshot, from_text(name))
        if entry is None:
            raise ApiError(
                409,
                "refused",
                f"{name!r} is ignored, so no commit holds what is there now, and it would be lost. "
                "Nothing was changed. Move it out of the way first, or make a scratch copy.",
            )
        if entry.digest != digest:
            raise _changed(name)

    def scratch_copy(self, commit: str, wanted: models.ScratchCopy) -> models.ScratchCopyResult:
        """Copy a file of a commit beside the present one, under a new name.

        Raises
        ------
        ApiError
            404 ``not_found``; 403 ``forbidden_path`` where the server does not serve that folder.
        """
        core = self._core
        target, path = self._file(commit, wanted.path)
        live = self._place(path, "")
        stem, suffix = os.path.splitext(live.name)
        stem = f"{stem}-{target.id[:8]}"
        with core.errors(), self._placing(wanted.path):
            made = placing.copy(core.engine, target.snapshot, path, live.parent, stem, suffix)
        return models.ScratchCopyResult(path=core.mapper.to_contents(made) or made.name)

    def _file(self, commit: str, text: str) -> tuple[rows.Commit, str]:
        """Return a commit and the folder path of a regular file in it."""
        core = self._core
        path = folder_path(text)
        with core.errors():
            target = core.records.get_commit(commit)
            entry = core.engine.entry(target.snapshot, path)
        if entry.kind is not Kind.FILE:
            what = "a folder" if entry.kind is Kind.FOLDER else "a symbolic link"
            raise ApiError(
                400,
                "invalid_request",
                f"{text!r} is {what} in that commit, and only single files are put back. Restore "
                "it to a new folder instead.",
            )
        return target, path

    def _place(self, path: str, contents: str) -> Path:
        """Return the OS path where a file goes: inside of the workspace, and served."""
        core = self._core
        root = core.workspace.root
        if not contents:
            contents = core.mapper.to_contents(root / path) or ""
        if not contents:
            raise ApiError(
                403,
                "forbidden_path",
                f"{to_text(path)!r} lies outside of the folder that this server serves.",
            )
        live = core.mapper.to_write(contents)
        own = core.workspace.folder
        if root not in live.parents or live == own or own in live.parents:
            raise ApiError(
                403,
                "forbidden_path",
                "A file is put back into its own workspace only, and never into .dotscience.",
            )
        return live

    @contextmanager
    def _placing(self, name: str) -> Iterator[None]:
        """Turn what goes wrong with a place into errors of the API."""
        try:
            yield
        except placing.ChangedError:
            raise _changed(name) from None
        except (placing.NoFileError, NotADirectoryError, FileExistsError):
            raise ApiError(
                409,
                "exists",
                f"{name!r}, or a part of its path, is not a plain file or folder any more. Nothing "
                "was changed. Restore the commit to a new folder instead.",
            ) from None
        except OSError as error:
            raise ApiError(
                409,
                "unwritable",
                f"{name!r} could not be written: {error.strerror or error}. Nothing was changed.",
            ) from None


def _changed(name: str) -> ApiError:
    return ApiError(
        409,
        "changed",
        f"{name!r} has changed since it was shown to you. Nothing was changed. Look at it again, "
        "and try again.",
    )


def _stretches(page: Sequence[_Version]) -> Iterable[tuple[int, int]]:
    """Yield the first and last index of versions in a row that have one path."""
    first = 0
    for number in range(1, len(page) + 1):
        if number == len(page) or page[number].path != page[first].path:
            yield first, number - 1
            first = number
