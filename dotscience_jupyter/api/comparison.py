# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two moments differ, file by file."""

from __future__ import annotations

import threading
import time

from dotscience_jupyter.notebooks import (
    Check,
    DamagedError,
    Document,
    Options,
    Place,
    blob,
    compare_notebooks,
    compare_tables,
    compare_text,
    decode,
    notebook_counts,
    read_notebook,
    text_counts,
    unchecked,
)
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots import Kind

from . import bodies, models
from .core import Core
from .errors import ApiError
from .paths import folder_path
from .sides import Changed, Found, Moment, Sides, file_type, looks_like_text

_MB = 1024 * 1024
_COUNTED = _MB  # bytes of each side up to which lines and cells are counted in a list
_READ = 8 * _MB  # bytes that one page of a list may read; by size, so that it says the same always
_OPENED = 16 * 1024  # bytes as long to read as a file is to find
_SNIFFED = 4096
_KEPT = 64 * _MB  # bytes of a notebook up to which it stays in memory for the next question
MOST_TEXT = 20 * _MB
MOST_NOTEBOOK = 200 * _MB
MOST_TABLE = 500 * _MB

SAFE_TYPES = {
    kind: kind
    for kind in ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/svg+xml")
} | {"text/plain": "text/plain; charset=UTF-8"}
"""Content types under which parts of outputs are served; others are bytes to be kept."""


class _Budget:
    """What looking into the files of one list may still cost."""

    def __init__(self) -> None:
        self._left = _READ

    def allows(self, size: int) -> bool:
        """Tell whether so many bytes of one more file may be read, and count them."""
        if self._left > 0:
            self._left -= size + _OPENED
            return True
        return False


class Comparing:
    """How two moments differ, file by file.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._sides = Sides(core)
        self._lock = threading.Lock()
        self._kept: tuple[str, Document] | None = None  # the notebook that a part was asked of last

    def compare(
        self,
        old: str,
        new: str,
        under: str = "",
        offset: int = 0,
        limit: int = 1000,
        check: Check = unchecked,
    ) -> models.Comparison:
        """Return how the files and the runs' values of two moments differ.

        Parameters
        ----------
        old, new : str
            A commit (id, prefix, ``HEAD~n``), ``run:ID`` or ``now``.
        under : str
            Only what lies below this folder, in text form.
        offset, limit : int
            Which page of files.
        check : callable
            Called now and then; what it raises ends the comparison.
        """
        check()
        first, second = self._sides.find(old), self._sides.find(new)
        found = self._sides.changed(first, second, folder_path(under))
        budget = _Budget()
        files: list[models.ComparedFile] = []
        for each in found[offset : offset + limit]:
            check()
            files.append(self._file(each, first, second, budget))
        return models.Comparison(
            old=first.body(),
            new=second.body(),
            values=self._values(first, second),
            files=files,
            total=len(found),
            offset=offset,
        )

    def _values(self, old: Moment, new: Moment) -> list[models.ComparedValue]:
        before, after = self._sides.values_run(old), self._sides.values_run(new)
        if before is None or after is None or before.id == after.id:
            return []
        found: list[models.ComparedValue] = []
        for kind in ("parameter", "metric"):
            a, b = bodies.values(before, kind), bodies.values(after, kind)
            found += [
                models.ComparedValue(kind=kind, name=name, old=a.get(name), new=b.get(name))
                for name in sorted(a.keys() | b.keys())
                if name not in a or name not in b or a[name] != b[name]
            ]
        return found

    def _file(
        self, each: Changed, old: Moment, new: Moment, budget: _Budget
    ) -> models.ComparedFile:
        kind = file_type(each.path, each.old, each.new)
        if kind is None:
            kind = self._sniffed(each, old, new) if budget.allows(_SNIFFED) else "binary"
        body = models.ComparedFile(
            path=to_text(each.path),
            old_path=None if each.old_path is None else to_text(each.old_path),
            change="renamed"
            if each.old_path is not None
            else "added"
            if each.old is None
            else "removed"
            if each.new is None
            else "modified",
            type=kind,
            old_size=None if each.old is None else each.old.size,
            new_size=None if each.new is None else each.new.size,
            old_digest=None if each.old is None else each.old.digest or None,
            new_digest=None if each.new is None else each.new.digest or None,
        )
        if (
            kind in ("notebook", "text", "table")
            and not _is_large(each)
            and budget.allows(sum(side.size for side in (each.old, each.new) if side is not None))
        ):
            counted = self._counts(each, old, new, kind)
            if counted is not None:
                body.added, body.removed = counted
        return body

    def _sniffed(self, each: Changed, old: Moment, new: Moment) -> models.FileType:
        path, moment = (
            (each.path, new) if each.new is not None else (each.old_path or each.path, old)
        )
        try:
            return "text" if looks_like_text(self._sides.read(moment, path, _SNIFFED)) else "binary"
        except (ApiError, OSError):
            return "binary"

    def _counts(self, each: Changed, old: Moment, new: Moment, kind: str) -> tuple[int, int] | None:
        try:
            a = self._bytes(old, each.old_path or each.path, each.old)
            b = self._bytes(new, each.path, each.new)
            if kind == "notebook":
                return notebook_counts(
                    None if a is None else read_notebook(a), None if b is None else read_notebook(b)
                )
            return text_counts(None if a is None else decode(a), None if b is None else decode(b))
        except (DamagedError, ApiError, OSError):
            return None  # a list tells what is cheap to know; looking into the file tells why

    def _bytes(self, moment: Moment, path: str, found: Found | None) -> bytes | None:
        if found is None or found.kind is Kind.FOLDER:
            return None
        if found.kind is Kind.SYMLINK:
            return to_text(found.target).encode()
        return self._sides.read(moment, path)

    def compare_file(
        self,
        old: str,
        new: str,
        file: str,
        old_file: str = "",
        outputs: bool = True,
        metadata: bool = False,
        counts: bool = False,
        context: int = 3,
        check: Check = unchecked,
    ) -> models.FileComparison:
        """Return how a file differs, inside.

        Parameters
        ----------
        old, new : str
            As of :meth:`compare`.
        file, old_file : str
            The file's path in the newer moment, and in the older one if it was another; text form.
        outputs, metadata, counts : bool
            What of notebooks is compared.
        context : int
            How many unchanged lines to keep around changed ones.
        check : callable
            Called now and then; what it raises ends the comparison.

        Raises
        ------
        ApiError
            404 if neither moment has the file.
        """
        started = time.perf_counter()
        check()
        first, second = self._sides.find(old), self._sides.find(new)
        path = folder_path(file)
        old_path = folder_path(old_file) if old_file else path
        each = Changed(
            path,
            self._sides.entry(first, old_path, True) if old_path else None,
            self._sides.entry(second, path, True) if path else None,
            old_path if old_path != path else None,
        )
        if each.old is None and each.new is None:
            raise ApiError(
                404,
                "not_found",
                f"Neither of the two moments has {file!r}, so there is nothing to compare.",
            )
        result = models.FileComparison(
            file=self._file(each, first, second, _Budget()),
            old=first.body(),
            new=second.body(),
        )
        options = Options(outputs, metadata, counts, context)
        self._look_inside(result, each, (first, second), options, check)
        result.took = round(time.perf_counter() - started, 4)
        return result

    def _look_inside(
        self,
        result: models.FileComparison,
        each: Changed,
        moments: tuple[Moment, Moment],
        options: Options,
        check: Check,
    ) -> None:
        kind = result.file.type
        most = {"notebook": MOST_NOTEBOOK, "table": MOST_TABLE}.get(kind, MOST_TEXT)
        if kind in ("folder", "image", "model", "binary"):
            return
        if max(found.size for found in (each.old, each.new) if found is not None) > most:
            result.note = (
                f"The file is larger than {most // _MB} MB, so only sizes and digests are compared."
            )
            return
        a = self._bytes(moments[0], each.old_path or each.path, each.old)
        check()
        b = self._bytes(moments[1], each.path, each.new)
        check()
        if kind == "notebook":
            try:
                documents = [None if data is None else read_notebook(data) for data in (a, b)]
                places = (
                    Place(moments[0].ref, to_text(each.old_path or each.path)),
                    Place(moments[1].ref, to_text(each.path)),
                )
                found = compare_notebooks(documents[0], documents[1], options, places, check)
                result.notebook = models.NotebookComparison.model_validate(
                    found, from_attributes=True
                )
                return
            except DamagedError as error:
                result.note = (
                    f"One of the two notebooks is damaged: {error}. It is compared as text."
                )
        if kind == "table":
            try:
                table = compare_tables(a, b, each.path, check)
                result.table = models.TableComparison.model_validate(table, from_attributes=True)
                return
            except DamagedError as error:
                result.note = f"The file could not be compared as a table: {error}."
                if each.path.lower().endswith((".parquet", ".pq")):
                    return
        try:
            text = compare_text(
                None if a is None else decode(a),
                None if b is None else decode(b),
                options.context,
                check=check,
            )
            result.text = models.TextComparison.model_validate(text, from_attributes=True)
        except DamagedError as error:
            told = f"Only sizes and digests are compared: {error}."
            result.note = f"{result.note} {told}".strip()

    def kinds(self, old: str, new: str, file: str) -> list[str]:
        """Return what a path (text form) is in each of two moments that has it."""
        path = folder_path(file)
        found = [self._sides.entry(self._sides.find(name), path) for name in (old, new)]
        return [str(each.kind) for each in found if each is not None]

    def texts(self, old: str, new: str, file: str) -> tuple[str | None, str | None]:
        """Return a text of two moments, None where one has none; links are told by their targets.

        Raises
        ------
        ApiError
            400 if it is no text.
        """
        path = folder_path(file)
        texts: list[str | None] = []
        for name in (old, new):
            moment = self._sides.find(name)
            data = self._bytes(moment, path, self._sides.entry(moment, path))
            try:
                texts.append(None if data is None else data.decode())
            except UnicodeDecodeError:
                raise ApiError(400, "invalid_request", f"{file!r} is not text.") from None
        return texts[0], texts[1]

    def blob(self, ref: str, file: str, cell: int, output: int, mime: str) -> tuple[bytes, str]:
        """Return a large part of an output and its digest.

        Raises
        ------
        ApiError
            404 if there is no such part (any more).
        """
        moment, path = self._sides.find_content(ref), folder_path(file)
        entry = self._sides.entry(moment, path, True)
        if entry is None or entry.kind is not Kind.FILE or entry.size > MOST_NOTEBOOK:
            raise ApiError(404, "not_found", f"There is no notebook {file!r} in that moment.")
        try:
            found = blob(self._notebook(moment, path, entry)["cells"], cell, output, mime)
        except DamagedError as error:
            raise ApiError(404, "not_found", f"The notebook cannot be read: {error}.") from None
        if found is None:
            raise ApiError(
                404,
                "not_found",
                "The notebook has no such output any more. Compare again to see it as it is.",
            )
        return found

    def _notebook(self, moment: Moment, path: str, entry: Found) -> Document:
        """Return a parsed notebook; the last is kept, since its images are asked for in turn."""
        with self._lock:
            if entry.digest and self._kept is not None and self._kept[0] == entry.digest:
                return self._kept[1]
        document = read_notebook(self._sides.read(moment, path))
        if entry.digest and entry.size <= _KEPT:
            with self._lock:
                self._kept = (entry.digest, document)
        return document


def _is_large(each: Changed) -> bool:
    return any(found is not None and found.size > _COUNTED for found in (each.old, each.new))
