# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finding runs in saved notebooks: bytes are searched first, each version is read once at most."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dotscience_jupyter.records import paths as text_paths
from dotscience_jupyter.records.workspace import MARKER

from . import runtext
from .reading import ChangedError, NotReadableError, Stamp, open_regular, read_document, stamp_of
from .record import FoundRun, from_record
from .types import FoundError

SUFFIX = ".ipynb"
_MARK = b"DOTSCIENCE-RUN:"
_OPENING = re.compile(rb"\[\[/?DOTSCIENCE-RUN:([0-9A-Za-z_-]{1,64})\]\]")
_OVERLAP = len(_MARK) + 80  # a marker with its id, so that none is cut in two by a read
_CHUNK = 1024 * 1024
_RACY_NS = 20_000_000  # two writes this close may leave the same modification time

Ignored = Callable[[str, bool], bool]
"""(folder path, is a folder) -> whether the workspace ignores it."""


@dataclass(slots=True)
class Look:
    """What one look at some notebooks brought."""

    runs: list[FoundRun] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # being written; look again in a moment


@dataclass(slots=True)
class _Seen:
    stamp: Stamp
    racy: bool
    errors: list[FoundError]


class NotebookFinder:
    """Remembers which version of a notebook was looked at. Not thread-safe: its caller locks."""

    def __init__(
        self,
        root: Path,
        workspace_id: str,
        ignored: Ignored,
        known: Callable[[set[str]], set[str]],
    ) -> None:
        self._root = str(root)
        self._workspace_id = workspace_id
        self._ignored = ignored
        self._known = known
        self._seen: dict[str, _Seen] = {}

    def walk(self) -> list[str]:
        """Return all notebooks of the workspace, but those of workspaces inside of it."""
        found: list[str] = []
        stack = [""]
        while stack:
            folder = stack.pop()
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:
                    listed = list(entries)
            except OSError:
                continue  # gone meanwhile or not ours to read; the snapshot reports what it skips
            if folder and any(entry.name == MARKER for entry in listed) and self._nested(folder):
                continue
            for entry in listed:
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not is_notebook(entry.name):
                    continue
                path = f"{folder}/{entry.name}" if folder else entry.name
                if self._ignored(path, is_folder):
                    continue
                if is_folder:
                    stack.append(path)
                elif entry.is_file(follow_symlinks=False):
                    found.append(path)
        for path in self._seen.keys() - set(found):
            del self._seen[path]
        return sorted(found)

    def belongs(self, path: str) -> bool:
        """Whether a path is a notebook of ours: not ignored, in no workspace inside of this one."""
        parts = path.split("/")
        if not is_notebook(parts[-1]) or any(part in ("", ".", "..") for part in parts):
            return False
        for depth in range(1, len(parts)):
            if self._nested("/".join(parts[:depth])):
                return False
        return not self._ignored(path, False)

    def current(self, path: str) -> bool:
        """Whether the notebook was looked at as it is now."""
        seen = self._seen.get(path)
        return seen is not None and not seen.racy and stamp_of(self._full(path)) == seen.stamp

    def errors(self) -> list[FoundError]:
        """Return what is wrong with the notebooks as last seen."""
        return [error for seen in self._seen.values() for error in seen.errors]

    def named(self, name: str) -> str | None:
        """Return the one known notebook with a file name, or None when there is none or several."""
        matches = [path for path in self._seen if path.rpartition("/")[2] == name]
        return matches[0] if len(matches) == 1 else None

    def look(self, paths: Iterable[str], *, final: bool = True) -> Look:
        """Look at notebooks, unless they were looked at as they are now.

        A notebook that is not readable may be half written: unless the look is ``final`` it is
        given back to be looked at again, and what was known of it stays as it was.
        """
        result = Look()
        for path in paths:
            if self.current(path):
                continue
            full = self._full(path)
            stamp = stamp_of(full)
            if stamp is None:
                self._seen.pop(path, None)
                continue
            racy = time.time_ns() - stamp[0] < _RACY_NS
            try:
                runs, errors = self._read(path, full, stamp)
            except (ChangedError, NotReadableError) as error:
                if not final:
                    result.again.append(path)
                    continue
                changing = isinstance(error, ChangedError)
                reason = "it kept changing while it was read" if changing else str(error)
                self._seen[path] = _Seen(stamp, changing or racy, [self._error(path, reason)])
            except OSError as error:
                reason = error.strerror or str(error)
                # permissions may change without the stamp
                self._seen[path] = _Seen(stamp, True, [self._error(path, reason)])
            else:
                self._seen[path] = _Seen(stamp, racy, errors)
                result.runs += runs
        return result

    def _full(self, path: str) -> str:
        return os.path.join(self._root, path)

    def _nested(self, folder: str) -> bool:
        return os.path.isfile(os.path.join(self._root, folder, MARKER, "workspace.json"))

    @staticmethod
    def _error(path: str, reason: str) -> FoundError:
        name = text_paths.to_text(path)
        return FoundError(
            "json",
            f"The notebook {name} could not be read because {reason.rstrip('.')}. Runs in it are "
            "not recorded until it can be; nothing that was recorded is affected. Save it again.",
            name,
        )

    def _read(self, path: str, full: str, stamp: Stamp) -> tuple[list[FoundRun], list[FoundError]]:
        ids = _ids(full, stamp)
        if ids is not None and (not ids or self._known(ids) >= ids):
            return [], []
        cells, _ = read_document(full, "notebook", stamp)
        runs: list[FoundRun] = []
        errors: list[FoundError] = []
        name = text_paths.to_text(path)
        for cell in cells:
            texts, broken = runtext.parse(cell["text"])
            errors += [
                FoundError(
                    "json",
                    f"{error.message} It is in cell {cell['index']} of {name} and is not recorded; "
                    "run the cell again to publish it anew, or clear its output.",
                    name,
                    cell["index"],
                )
                for error in broken
            ]
            records: dict[str, FoundRun] = {}
            foreign: set[str] = set()
            for document in cell["records"]:
                # a notebook's record is reduced: how many points there were, but not the points
                document |= {"series": None, "reduced": True}
                try:
                    record = from_record(document, [])
                except ValueError:
                    continue  # the text beside it says all that a run needs
                if record.workspace not in (None, self._workspace_id):
                    foreign.add(record.id)
                records[record.id] = record
            for text in texts:
                if text.id in foreign:
                    continue  # this notebook was copied here; its runs belong to where they ran
                found = FoundRun(text)
                if text.id in records:
                    found = records[text.id].merge(found)
                    found.text = text  # should they differ: the text is what other readers see
                found.notebook = path
                found.cell = cell["index"]
                if found.cell_id is None and isinstance(cell["id"], str):
                    found.cell_id = runtext.clean(cell["id"])
                if found.execution_count is None and isinstance(cell["count"], int):
                    found.execution_count = cell["count"]
                runs.append(found)
        return runs, errors


def is_notebook(name: str) -> bool:
    """Whether a file's name is that of a notebook; ``.~x.ipynb`` is Jupyter's own during a save."""
    return name.endswith(SUFFIX) and not name.startswith(".~")


def _ids(full: str, stamp: Stamp) -> set[str] | None:
    """Return the ids of a file's run markers, or None when some marker is not as it should be.

    The file is searched in pieces, so that neither memory nor the other threads feel its size.

    Raises
    ------
    ChangedError
        If the file is not what ``stamp`` says.
    """
    ids: set[str] = set()
    sound = True
    data, begin = b"", 0
    descriptor = open_regular(full)
    with open(descriptor, "rb", buffering=0) as file:
        while True:
            chunk = file.read(_CHUNK)
            data += chunk
            end = max(len(data) - _OVERLAP, begin) if chunk else len(data)
            position = begin - 1
            while (position := data.find(_MARK, position + 1, end + len(_MARK) - 1)) >= 0:
                slash = data[position - 1 : position] == b"/"
                match = _OPENING.match(data, max(position - 2 - slash, 0))
                if match is None:
                    sound = False
                else:
                    ids.add(match[1].decode("ascii"))
            if not chunk:
                break
            keep = max(end - 3, 0)  # what may stand before a marker
            data, begin = data[keep:], end - keep
        info = os.fstat(descriptor)
        if (info.st_mtime_ns, info.st_size, info.st_ino) != stamp:
            raise ChangedError
    return ids if sound else None
