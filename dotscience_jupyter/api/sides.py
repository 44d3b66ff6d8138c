# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The moments that can be compared or merged, and the files in them: commits, runs, and now."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import BinaryIO

from blake3 import blake3

from dotscience_jupyter.records import NotFoundError
from dotscience_jupyter.records import models as rows
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots import Change, Entry, Kind, LiveChange, PathNotFoundError

from . import models
from .core import Core
from .errors import ApiError

NOW = "now"
_RUN = "run:"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HASHED = 64 * 1024 * 1024  # bytes of a live file that are read only to tell its digest
_NAMED = 80

_TYPES: dict[str, models.FileType] = {
    ".ipynb": "notebook",
    **dict.fromkeys((".csv", ".tsv", ".parquet", ".pq"), "table"),
    **dict.fromkeys(
        (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".svg", ".ico", ".avif"), "image"
    ),
    **dict.fromkeys(
        (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".h5", ".hdf5", ".keras", ".onnx", ".pb",
         ".safetensors", ".ckpt", ".tflite", ".mlmodel", ".bst", ".cbm", ".gguf"),
        "model",
    ),
    **dict.fromkeys(
        (".py", ".md", ".txt", ".json", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".sh", ".r",
         ".jl", ".sql", ".js", ".ts", ".tsx", ".css", ".html", ".xml", ".rst", ".tex", ".log",
         ".c", ".h", ".cpp", ".java", ".go", ".rs", ".scala", ".lock", ".gitignore"),
        "text",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """A commit, or the live folder (without a snapshot)."""

    ref: str
    snapshot: str | None
    commit: rows.Commit | None = None
    run: str | None = None
    label: str = NOW

    def body(self) -> models.Side:
        """Return it as the API tells it."""
        created = None if self.commit is None else self.commit.created
        return models.Side(ref=self.ref, run=self.run, label=self.label, created=created)


@dataclass(frozen=True, slots=True)
class Found:
    """A file, folder or link of a moment; the digest is "" where it is not known."""

    kind: Kind
    size: int
    mode: int
    digest: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """A path (folder path) that differs between two moments; ``old_path`` only where renamed."""

    path: str
    old: Found | None
    new: Found | None
    old_path: str | None = None


class Sides:
    """Finds moments of one workspace, and reads their files."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def find(self, name: str) -> Moment:
        """Return what ``now``, ``run:ID`` or a commit's name means. Raise ApiError if nothing."""
        if name == NOW:
            return Moment(NOW, None)
        with self._core.errors():
            if name.startswith(_RUN):
                run = self._core.records.get_run(name.removeprefix(_RUN))
                commit = self._core.records.get_commit(run.commit_id)
                label = f"run {run.id[:8]} {_line(run.description)}".rstrip()
                return Moment(commit.id, commit.snapshot, commit, run.id, label)
            commit = self._core.records.get_commit(name)
        return Moment(commit.id, commit.snapshot, commit, None, _named(commit))

    def find_content(self, name: str) -> Moment:
        """Return what a name means, which may also be the id of a snapshot that no commit has."""
        try:
            return self.find(name)
        except ApiError as error:
            if isinstance(error.__cause__, NotFoundError) and self._core.engine.exists(name):
                return Moment(name, name)
            raise

    def values_run(self, moment: Moment) -> rows.Run | None:
        """Return the run whose values a moment stands for: the named, or its commit's newest."""
        if moment.run is not None:
            with self._core.errors():
                return self._core.records.get_run(moment.run)
        if moment.commit is None:
            return None
        runs = [run for run in moment.commit.runs if run.authority != "correction"]
        if not runs:
            return None
        with self._core.errors():
            return self._core.records.get_run(runs[-1].id)

    def entry(self, moment: Moment, path: str, digest: bool = False) -> Found | None:
        """Return what is at a folder path, or None; the digest of live files only if asked for."""
        if moment.snapshot is None:
            return self._live(path, digest)
        with self._core.errors():
            try:
                found = self._core.engine.entry(moment.snapshot, path)
            except PathNotFoundError:
                return None
        return Found(found.kind, found.size, found.mode, found.digest, found.target)

    def open(self, moment: Moment, path: str) -> BinaryIO:
        """Open a file. Raise ApiError 404 where there is none."""
        if moment.snapshot is not None:
            with self._core.errors():
                return self._core.engine.open(moment.snapshot, path)
        try:
            folder = self._folder(path)
            try:
                descriptor = os.open(path.rpartition("/")[2], _FILE, dir_fd=folder)
            finally:
                os.close(folder)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise FileNotFoundError(path)
        except OSError:
            raise _missing(path) from None
        return os.fdopen(descriptor, "rb")

    def read(self, moment: Moment, path: str, most: int | None = None) -> bytes:
        """Return a file's bytes, at most so many."""
        with self.open(moment, path) as stream, self._core.errors():
            return stream.read() if most is None else stream.read(most)

    def changed(self, old: Moment, new: Moment, under: str = "") -> list[Changed]:
        """Return how two moments differ, by path; folders only where they themselves changed."""
        if old.snapshot is None and new.snapshot is None:
            return []
        engine = self._core.engine
        with self._core.errors():
            if old.snapshot is not None and new.snapshot is not None:
                if old.snapshot == new.snapshot:
                    return []
                return [
                    Changed(
                        each.path,
                        None if each.old is None else _found(each.old),
                        None if each.new is None else _found(each.new),
                        each.old.path
                        if each.change is Change.RENAMED and each.old is not None
                        else None,
                    )
                    for each in engine.diff(old.snapshot, new.snapshot, under, renames=True)
                ]
            frozen = old if old.snapshot is not None else new
            live = engine.changes(frozen.snapshot, under, renames=True)
        found = [self._changed(frozen, each, back=frozen is new) for each in live]
        found.sort(key=lambda each: each.path)
        return found

    def _changed(self, frozen: Moment, live: LiveChange, *, back: bool) -> Changed:
        """Return how a path of the live folder differs from a commit, or ``back``: it from that."""
        before = live.old_path or live.path
        there = here = None
        if live.change is not Change.ADDED:
            there = self.entry(frozen, before)
        if live.change is not Change.REMOVED:
            here = self._live(live.path, False)
        if live.change is not Change.RENAMED:
            return Changed(live.path, *((here, there) if back else (there, here)))
        if there is not None and here is not None:
            here = replace(here, digest=there.digest)
        if back:
            return Changed(before, here, there, live.path)
        return Changed(live.path, there, here, before)

    def _live(self, path: str, digest: bool) -> Found | None:
        try:
            folder = self._folder(path)
        except OSError:
            return None
        name = path.rpartition("/")[2]
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            mode = stat.S_IMODE(status.st_mode)
            if self._core.committer.ignore.is_ignored(path, stat.S_ISDIR(status.st_mode)):
                return None
            if stat.S_ISDIR(status.st_mode):
                return Found(Kind.FOLDER, 0, mode)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(name, dir_fd=folder)
                return Found(Kind.SYMLINK, len(os.fsencode(target)), mode, "", target)
            if not stat.S_ISREG(status.st_mode):
                return None
        except OSError:
            return None
        finally:
            os.close(folder)
        known = ""
        if digest and status.st_size <= _HASHED:
            known = self._hash(path)
        return Found(Kind.FILE, status.st_size, mode, known)

    def _hash(self, path: str) -> str:
        hasher = blake3()
        try:
            with self.open(Moment(NOW, None), path) as stream:
                while piece := stream.read(1 << 20):
                    hasher.update(piece)
        except (ApiError, OSError):
            return ""
        return str(hasher.hexdigest())

    def _folder(self, path: str) -> int:
        """Open the folder that a live path lies in, never through a link."""
        descriptor = os.open(self._core.workspace.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in path.split("/")[:-1]:
            try:
                below = os.open(name, _FOLDER, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor


def file_type(path: str, *found: Found | None) -> models.FileType | None:
    """Return the type of a file by its kind and its name; None where only its bytes tell."""
    known = next((each for each in reversed(found) if each is not None), None)
    if known is not None and known.kind is not Kind.FILE:
        return "folder" if known.kind is Kind.FOLDER else "link"
    name = path.rpartition("/")[2].lower()
    return _TYPES.get(os.path.splitext(name)[1] or name)


def looks_like_text(head: bytes) -> bool:
    """Whether bytes from the start of a file are those of UTF-8 text."""
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # the end may cut a character into pieces
        return error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return True


def _found(entry: Entry) -> Found:
    return Found(entry.kind, entry.size, entry.mode, entry.digest, entry.target)


def _is_file(found: Found | None) -> bool:
    return found is not None and found.kind is Kind.FILE


def _named(commit: rows.Commit) -> str:
    return f"{commit.id[:8]} {_line(commit.message)}".rstrip()


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _NAMED else line[: _NAMED - 1] + "…"


def _missing(path: str) -> ApiError:
    return ApiError(404, "not_found", f"There is no file {to_text(path)!r} in that moment.")
