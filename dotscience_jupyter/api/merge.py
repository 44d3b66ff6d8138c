# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Taking the changes of another commit into the workspace."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from dotscience_jupyter.committer import MERGE_HOLD, MergeWish, OverwrittenError, Placed
from dotscience_jupyter.notebooks import DamagedError, decode, has_markers, read_notebook
from dotscience_jupyter.records.paths import from_text, to_text
from dotscience_jupyter.snapshots import Kind, SnapshotError

from . import models
from .core import Core
from .errors import ApiError
from .mergefiles import FileMerge, WholeFile
from .mergeinside import NotebookFile
from .mergeplan import plan
from .mergestate import Chosen, MergeState, MergeStore, Point
from .paths import folder_path
from .sides import NOW, Moment, Sides

_NAMED = 5


class Merging:
    """Taking the changes of another commit into the workspace.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._sides = Sides(core)
        self._store = MergeStore(core.workspace.folder / "merge")
        self._lock = threading.Lock()
        self._planned: tuple[str, dict[str, FileMerge]] | None = None

    # -- looking ----------------------------------------------------------------------------------

    def get(self) -> models.MergeAnswer:
        """Return the merge that is under way, if one is."""
        state = self._current()
        return models.MergeAnswer(merge=None if state is None else self._body(state))

    def file(self, file: str) -> models.MergeDetail:
        """Return how one file (text form) is merged. Raise ApiError 404 if it is not part of it."""
        state = self._open()
        found = self._file(state, file)
        return self._detail(state, found, state.choices.get(to_text(found.path), {}))

    def _detail(
        self, state: MergeState, found: FileMerge, choices: dict[str, Chosen]
    ) -> models.MergeDetail:
        detail = found.detail(choices)
        if state.markers:
            self._live_conflicts(state, [detail.file])
        return detail

    def preview(self, theirs: str, base: str = "") -> models.Merge:
        """Return what a merge of the folder as it is would be; nothing is noted or committed."""
        point, moment = self._theirs(theirs)
        with self._core.errors():
            frozen = self._core.engine.snapshot()
            head = self._core.records.head()
        if head is None:
            raise _nothing_yet()
        yours = Point(head.id, frozen.id)
        found = self._base(base, head.id, point, moment)
        state = MergeState("preview", found, yours, point)
        return self._body(state, stale=False)

    # -- beginning --------------------------------------------------------------------------------

    def start(self, theirs: str, base: str = "", author: str | None = None) -> models.Merge:
        """Begin to merge a commit; the folder as it is is committed, and not touched.

        Parameters
        ----------
        theirs : str
            A commit, ``run:ID``, or the id of a snapshot that no commit has, such as one received.
        base : str
            The common ancestor, where it is not the nearest in the history.
        author : str, optional
            Who begins it.

        Raises
        ------
        ApiError
            409 if a merge is under way already or there is nothing to merge.
        """
        with self._store.locked():
            if self._current() is not None:
                raise ApiError(
                    409,
                    "conflict",
                    "A merge is under way already. Finish it or abort it before you begin another.",
                )
            point, moment = self._theirs(theirs)
            with self._core.errors():
                head = self._core.records.head()
                if head is not None:
                    self._base(base, head.id, point, moment)  # before anything is committed
                self._core.committer.commit(f"Before merging {point.ref[:12]}", author)
                head = self._core.records.head()
                if head is None:
                    raise _nothing_yet()
                yours = Point(head.id, head.snapshot)
                state = MergeState(
                    uuid.uuid4().hex, self._base(base, head.id, point, moment), yours, point
                )
                if not point.is_commit:
                    self._core.engine.hold([point.snapshot], MERGE_HOLD)
            body = self._body(state, stale=False)
            self._store.save(state)
        return body

    def _theirs(self, name: str) -> tuple[Point, Moment | None]:
        if name == NOW:
            raise ApiError(
                400, "invalid_request", "The folder as it is cannot be merged into itself."
            )
        moment = self._sides.find_content(name)
        assert moment.snapshot is not None
        if moment.commit is None:  # content that was received
            return Point(name, name, False), None
        return Point(moment.ref, moment.snapshot), moment

    def _base(self, name: str, yours: str, theirs: Point, moment: Moment | None) -> Point | None:
        ancestry = self._core.records.ancestry
        with self._core.errors():
            if moment is not None and ancestry.is_ancestor(theirs.ref, yours):
                raise ApiError(
                    409,
                    "merged",
                    f"The changes of {moment.label!r} are part of your history already, so there "
                    "is nothing to merge. To have a file as it was then, bring that file back.",
                )
            if name:
                given = self._sides.find(name)
                if given.snapshot is None:
                    raise ApiError(
                        400, "invalid_request", "The common ancestor is a commit, not the folder."
                    )
                return Point(given.ref, given.snapshot)
            if moment is None:
                return None
            found = ancestry.common(yours, theirs.ref)
            if found is None:
                return None
            return Point(found, self._core.records.get_commit(found).snapshot)

    # -- deciding ---------------------------------------------------------------------------------

    def resolve(self, wanted: models.Resolve) -> models.MergeDetail:
        """Choose what becomes of a conflict, or of all of a file's.

        Raises
        ------
        ApiError
            404 if there is no such file, 400 if that cannot be chosen, 409 where conflicts are in
            the files themselves.
        """
        with self._store.locked():
            state = self._open()
            found = self._file(state, wanted.path)
            path = to_text(found.path)
            if state.markers and wanted.conflict and not isinstance(found, WholeFile):
                raise ApiError(
                    409,
                    "conflict",
                    "This merge was begun on the command line, with its conflicts in the files: "
                    "edit the file itself, or choose one side for all of it.",
                )
            chosen = None if wanted.choice is None else Chosen(wanted.choice, wanted.text)
            try:
                choices = found.choose(wanted.conflict, chosen, state.choices.get(path, {}))
            except ValueError as error:
                raise ApiError(400, "invalid_request", str(error)) from None
            if state.markers:
                self._write_again(state, found, choices)
            state.choices[path] = choices
            self._store.save(state)
        return self._detail(state, found, choices)

    # -- ending -----------------------------------------------------------------------------------

    def finish(self, description: str = "", author: str | None = None) -> models.MergeResult:
        """Write the result and commit it with both parents.

        Raises
        ------
        ApiError
            409 while a conflict is open, or if files changed that it would write.
        """
        with self._store.locked():
            state = self._open()
            files = self._files(state)
            self._check_decided(state, files)
            things: list[Placed] = []
            if not state.markers:
                try:
                    for each in files.values():
                        things += each.placed(state.choices.get(to_text(each.path), {}))
                except DamagedError as error:
                    raise ApiError(
                        409,
                        "conflict",
                        f"A notebook of the result would not be valid ({error}). Nothing was "
                        "written; choose one side for all of it.",
                    ) from None
            wish = MergeWish(
                id=state.id,
                message=description.strip() or f"Merged {self._side(state.theirs).label}",
                theirs=state.theirs.ref if state.theirs.is_commit else "",
                merged=state.theirs.ref,
                expected=state.yours.snapshot,
                things=things,
                in_place=state.markers,
            )
            with self._core.errors(), _overwritten():
                done = self._core.committer.merges.commit(wish, author)
            self._end(state)
        made = done.commits[-1]
        return models.MergeResult(
            commit=made.id,
            written=self._told(state, things),
            message=f"Merged {state.theirs.ref[:12]} as commit {made.id[:12]}.",
        )

    def _told(self, state: MergeState, things: list[Placed]) -> list[str]:
        """Return the files that were written or removed; folders are not told."""
        if state.written is not None:
            return state.written
        yours = Moment(state.yours.ref, state.yours.snapshot)
        paths = set()
        for thing in things:
            before = self._sides.entry(yours, thing.path) if thing.kind is None else None
            if before is None or before.kind is not Kind.FOLDER:
                paths.add(to_text(thing.path))
        return sorted(paths)

    def _check_decided(self, state: MergeState, files: dict[str, FileMerge]) -> None:
        """Raise ApiError while a conflict is open."""
        left: list[str] = []
        for each in files.values():
            path = to_text(each.path)
            choices = state.choices.get(path, {})
            if not each.conflicts:
                continue
            if not state.markers or isinstance(each, WholeFile):
                if each.open(choices):
                    left.append(path)
            elif self._has_markers(each):
                left.append(path)
        if left:
            names = ", ".join(left[:_NAMED])
            more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
            raise ApiError(
                409,
                "conflict",
                f"Conflicts are open in {names}{more}. Nothing was committed; decide them first.",
            )

    def _has_markers(self, each: FileMerge) -> bool:
        try:
            data = self._sides.read(Moment(NOW, None), each.path)
        except ApiError:
            return False  # it was removed: that is a decision as well
        try:
            if isinstance(each, NotebookFile):
                return any(has_markers(cell["source"]) for cell in read_notebook(data)["cells"])
            return has_markers(decode(data))
        except DamagedError as error:
            raise ApiError(
                409,
                "conflict",
                f"{to_text(each.path)!r} cannot be read: {error}. Nothing was committed; mend it, "
                "or choose one side for all of it.",
            ) from None

    def write_markers(self) -> models.Merge:
        """Write what is merged into the files, conflicts between markers; nothing is committed.

        Raises
        ------
        ApiError
            409 if files changed that it would write.
        """
        with self._store.locked():
            state = self._open()
            files = self._files(state)
            state.written = []
            self._write(state, list(files.values()), state.choices)
            return self._body(state)

    def _write_again(self, state: MergeState, found: FileMerge, choices: dict[str, Chosen]) -> None:
        """Write one file as it was chosen, in the place of what is there of it."""
        path = to_text(found.path)
        there = [thing.path for thing in found.placed(state.choices.get(path, {}))]
        with self._core.errors():
            self._core.committer.merges.unwrite(state.yours.snapshot, [*there, found.path])
        self._write(state, [found], {path: choices})

    def _write(
        self, state: MergeState, files: list[FileMerge], choices: dict[str, dict[str, Chosen]]
    ) -> None:
        """Write files into the folder, and remember which."""
        things: list[Placed] = []
        for each in files:
            path = to_text(each.path)
            things += each.placed(choices.get(path, {}))
        known = [*(state.written or ()), *(to_text(thing.path) for thing in things)]
        expected = state.yours.snapshot
        if state.written:
            # what is written again is what the user wants to have written again
            with self._core.errors():
                expected = self._core.engine.snapshot().id
        wish = MergeWish(state.id, "", "", state.theirs.ref, expected, things)
        before = state.written
        state.written = sorted(set(known))
        # noted first: who is killed in between can still abort
        self._store.save(state)
        try:
            with self._core.errors(), _overwritten():
                self._core.committer.merges.write(wish)
        except ApiError:
            state.written = before or None
            self._store.save(state)
            raise

    def abort(self) -> models.MergeResult:
        """Give the merge up; files that it wrote are what they were before."""
        with self._store.locked():
            state = self._open()
            written = state.written or []
            if written:
                with self._core.errors():
                    self._core.committer.merges.unwrite(
                        state.yours.snapshot, [from_text(path) for path in written]
                    )
            self._end(state)
        return models.MergeResult(
            commit=None,
            written=written,
            message="The merge was given up. Nothing was changed."
            if not written
            else "The merge was given up. Its files are as they were before.",
        )

    def _end(self, state: MergeState) -> None:
        self._store.clear()
        with self._lock:
            self._planned = None
        if not state.theirs.is_commit:
            try:
                self._core.engine.release([state.theirs.snapshot], MERGE_HOLD)
            except (SnapshotError, OSError):
                return  # the next gc finds that nobody needs it

    # -- what others share ------------------------------------------------------------------------

    def _current(self) -> MergeState | None:
        """Return the merge that is under way; one that was killed while it ended is ended."""
        merges = self._core.committer.merges
        with self._core.errors():
            merges.recover()
            state = self._store.load()
            if state is not None and merges.is_made(state.id):
                self._end(state)
                return None
        return state

    def _open(self) -> MergeState:
        state = self._current()
        if state is None:
            raise ApiError(409, "conflict", "No merge is under way. Begin one first.")
        return state

    def _files(self, state: MergeState) -> dict[str, FileMerge]:
        """Return how each file comes together; computed once, since the moments never change."""
        with self._lock:
            if self._planned is not None and self._planned[0] == state.id:
                return self._planned[1]
        base = None if state.base is None else state.base.snapshot
        with self._core.errors():
            found = plan(self._core.engine, base, state.yours.snapshot, state.theirs.snapshot)
        if state.id != "preview":
            with self._lock:
                self._planned = (state.id, found)
        return found

    def _file(self, state: MergeState, file: str) -> FileMerge:
        found = self._files(state).get(folder_path(file))
        if found is None:
            raise ApiError(404, "not_found", f"The merge does not change {file!r}.")
        return found

    def _body(self, state: MergeState, stale: bool | None = None) -> models.Merge:
        files = [
            each.body(state.choices.get(to_text(each.path), {}))
            for each in self._files(state).values()
        ]
        order = {"conflict": 0, "resolved": 1, "merged": 2, "theirs": 3, "yours": 4}
        files.sort(key=lambda each: (order[each.state], each.path))
        if state.markers:
            self._live_conflicts(state, files)
        if stale is None:
            stale = not state.markers and self._is_stale(state)
        return models.Merge(
            id=state.id,
            base=models.Side(ref="", run=None, label="nothing in common", created=None)
            if state.base is None
            else self._side(state.base),
            yours=self._side(state.yours),
            theirs=self._side(state.theirs),
            files=files,
            conflicts=sum(each.conflicts for each in files),
            stale=stale,
            markers=state.markers,
        )

    def _live_conflicts(self, state: MergeState, files: list[models.MergeFile]) -> None:
        """Tell conflicts as they are in the files now."""
        known = self._files(state)
        for body in files:
            each = known[from_text(body.path)]
            if not body.conflicts or isinstance(each, WholeFile):
                continue
            try:
                if not self._has_markers(each):
                    body.conflicts, body.state = 0, "resolved"
            except ApiError as error:
                body.message = error.message

    def _is_stale(self, state: MergeState) -> bool:
        with self._core.errors():
            return bool(self._core.engine.changes(state.yours.snapshot))

    def _side(self, point: Point) -> models.Side:
        if not point.is_commit:
            label = f"received content {point.ref[:12]}"
            return models.Side(ref=point.ref, run=None, label=label, created=None)
        return self._sides.find(point.ref).body()


def _nothing_yet() -> ApiError:
    return ApiError(409, "conflict", "There is no commit yet that something could be merged into.")


@contextmanager
def _overwritten() -> Iterator[None]:
    """Give the committer's refusal to overwrite files a code of its own."""
    try:
        yield
    except OverwrittenError as error:
        names = ", ".join(map(to_text, error.paths))
        raise ApiError(409, "stale", str(error), names) from error
