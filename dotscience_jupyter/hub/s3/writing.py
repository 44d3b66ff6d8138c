# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What requests do to a bucket, worked out against its newest commit and written as one more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.records import to_text
from dotscience_jupyter.snapshots import Edit
from dotscience_jupyter.snapshots.engine import Entry, Kind, PathNotFoundError

from .checksums import NO_CONTENT, etag
from .errors import S3Error
from .objects import METADATA, Details, entry_of, etag_of, find
from .ranges import check_write

UPLOAD = "upload"
DELETE = "delete"

_FOLDER_MODE = 0o755


class Change(ABC):
    """Something that a request does. The same object is planned once.

    Attributes
    ----------
    version
        The commit that did it; "" if there was nothing to do.
    """

    type = UPLOAD

    def __init__(self, key: str, path: str) -> None:
        self.key = key
        self.path = path
        self.version = ""

    @abstractmethod
    def plan(self, plan: Plan) -> bool:
        """Add what is to be done to a plan; return whether there is anything.

        Raises
        ------
        S3Error
            If it may not be done; then nothing was added.
        """


@dataclass
class Plan:
    """The bucket as it will be after the changes that were planned so far.

    Attributes
    ----------
    wrote
        The paths of objects that this commit is the newest version of.
    """

    project: Project
    snapshot: str | None
    edits: list[Edit] = field(default_factory=list)
    wrote: dict[str, None] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    _files: dict[str, str | None] = field(default_factory=dict)  # ETag; None: not there any more
    _folders: set[str] = field(default_factory=set)  # that are put
    # how many of those files and folders are below each folder: a group may have a thousand
    _put_below: Counter[str] = field(default_factory=Counter)
    _emptied: set[str] = field(default_factory=set)  # folders that went with their last file
    _children: dict[str, list[Entry]] = field(default_factory=dict)

    def changes(self, path: str) -> bool:
        """Whether anything was planned for a file."""
        return path in self._files or path in self.wrote

    def etag(self, key: str, path: str) -> str | None:
        """Return the ETag of the object with a key, None if there is none."""
        if key.endswith("/"):
            return NO_CONTENT if self._kind(path) is Kind.FOLDER else None
        if path in self._files:
            return self._files[path]
        if path in self._folders or self.snapshot is None or self._is_gone(path):
            return None
        entry = entry_of(self.project, self.snapshot, key, path)
        return None if entry is None else etag_of(entry)

    def require_room(self, path: str, *, folder: bool = False) -> None:
        """Raise S3Error unless a file (or folder) can be at a path without replacing anything else.

        A folder is a prefix that keys have, and files do not lie in files.
        """
        names = path.split("/")
        for count in range(1, len(names)):
            above = "/".join(names[:count])
            if self._kind(above) not in (None, Kind.FOLDER):
                raise S3Error(
                    "InvalidRequest",
                    f"{above!r} is an object itself, so no key can begin with {above + '/'!r}: the "
                    "project's files are folders and files on a disk. Nothing was changed.",
                )
        kind = self._kind(path)
        if kind is Kind.SYMLINK or (folder and kind is Kind.FILE):
            raise S3Error(
                "InvalidRequest",
                f"{path!r} is something else in this project. Nothing was changed.",
            )
        if kind is Kind.FOLDER and not folder and self._holds(path):
            raise S3Error(
                "InvalidRequest",
                f"There are keys that begin with {path + '/'!r}, so {path!r} cannot be an object: "
                "the project's files are folders and files on a disk. Nothing was changed.",
            )

    def put(self, path: str, source: BinaryIO, tag: str, details: Details) -> None:
        """Add a file."""
        self.edits.append(Edit(path, source))
        self._set_file(path, tag)
        self._set_folder(path, False)
        self.wrote[path] = None
        self.describe(path, details)

    def describe(self, path: str, details: Details) -> None:
        """Say something of an object that this commit writes."""
        name = METADATA + to_text(path)
        self.metadata.pop(name, None)
        if text := details.text():
            self.metadata[name] = text

    def put_folder(self, path: str, details: Details) -> None:
        """Add a folder."""
        self.edits.append(Edit(path, None, _FOLDER_MODE, folder=True))
        self._set_folder(path, True)
        self._emptied.discard(path)
        self.wrote[path] = None
        self.describe(path, details)

    def remove(self, path: str, *, folder: bool = False) -> bool:
        """Remove a file, and the folders that it was the last one in; return whether it was there.

        A folder with anything in it stays: its key only stands for it.
        """
        if folder and self._holds(path):
            return False
        if folder:
            self._emptied.add(path)
        else:
            self._set_file(path, None)
        self._forget(path)
        last = path
        while (above := last.rpartition("/")[0]) and not self._holds(above):
            last = above
            self._emptied.add(above)
            self._forget(above)
        self.edits.append(Edit(last, None))
        return True

    def _forget(self, path: str) -> None:
        self._set_folder(path, False)
        self.wrote.pop(path, None)
        self.metadata.pop(METADATA + to_text(path), None)

    def _kind(self, path: str) -> Kind | None:
        if self._files.get(path) is not None:
            return Kind.FILE
        if path in self._folders or self._puts_into(path):
            return Kind.FOLDER
        if self.snapshot is None or path in self._files or self._is_gone(path):
            return None
        try:
            return self.project.engine.entry(self.snapshot, path).kind
        except PathNotFoundError:
            return None

    def _holds(self, folder: str) -> bool:
        """Whether there is anything in a folder."""
        return self._puts_into(folder) or any(
            entry.path not in self._emptied and entry.path not in self._files
            for entry in self._list(folder)
        )

    def _puts_into(self, folder: str) -> bool:
        return self._put_below[folder] > 0

    def _set_file(self, path: str, tag: str | None) -> None:
        """Plan a file, or with None that there is none."""
        before = self._files.get(path)
        self._files[path] = tag
        self._count(path, (tag is not None) - (before is not None))

    def _set_folder(self, path: str, put: bool) -> None:
        """Plan that a folder is put, or that it is not."""
        if put is not (path in self._folders):
            (self._folders.add if put else self._folders.discard)(path)
            self._count(path, 1 if put else -1)

    def _count(self, path: str, change: int) -> None:
        while change and (path := path.rpartition("/")[0]):
            self._put_below[path] += change

    def _is_gone(self, path: str) -> bool:
        """Whether a folder, or one above, was removed (and nothing was put into it since)."""
        while path:
            if path in self._emptied and not self._puts_into(path):
                return True
            path = path.rpartition("/")[0]
        return False

    def _list(self, folder: str) -> list[Entry]:
        """Return what the last commit has in a folder."""
        if self.snapshot is None:
            return []
        if folder not in self._children:
            try:
                self._children[folder] = self.project.engine.list(self.snapshot, folder)
            except PathNotFoundError:
                self._children[folder] = []
        return self._children[folder]


class Put(Change):
    """Makes or replaces an object.

    Parameters
    ----------
    source
        Opens its content; called once, when it is written.
    digest
        BLAKE3 of the content, in hex.
    conditions
        Headers of the request, names in lower case.
    """

    def __init__(
        self,
        key: str,
        path: str,
        source: Callable[[], BinaryIO],
        digest: str,
        size: int,
        details: Details,
        conditions: Mapping[str, str],
    ) -> None:
        super().__init__(key, path)
        self.etag = etag(digest)
        self._source = source
        self._size = size
        self._details = details
        self._conditions = conditions

    def plan(self, plan: Plan) -> bool:
        """Add the file. Raise S3Error where it may not be."""
        folder = self.key.endswith("/")
        if folder and self._size:
            raise S3Error(
                "InvalidRequest",
                "A key that ends in a slash is that of a folder, which has no content. Nothing was "
                "changed.",
            )
        check_write(self._conditions, plan.etag(self.key, self.path))
        plan.require_room(self.path, folder=folder)
        if folder:
            plan.put_folder(self.path, self._details)
        else:
            plan.put(self.path, self._source(), self.etag, self._details)
        return True


class Describe(Change):
    """Says something else of an object, whose content stays: that is a new version of it."""

    def __init__(
        self,
        key: str,
        path: str,
        change: Callable[[Details], Details],
        conditions: Mapping[str, str],
    ) -> None:
        super().__init__(key, path)
        self._change = change
        self._conditions = conditions

    def plan(self, plan: Plan) -> bool:
        """Note the new words. Raise S3Error (NoSuchKey) where there is no object."""
        if plan.changes(self.path):
            raise S3Error(
                "OperationAborted",
                "The object is being written by another request at this moment. Nothing was "
                "changed. Try again.",
            )
        stored = find(plan.project, self.key)
        self.etag = stored.etag
        check_write(self._conditions, stored.etag)
        plan.wrote[self.path] = None
        plan.describe(self.path, self._change(stored.details))
        return True


class Delete(Change):
    """Removes an object from the newest commit; those before keep it."""

    type = DELETE

    def __init__(self, key: str, path: str | None, conditions: Mapping[str, str]) -> None:
        super().__init__(key, path or "")
        self._conditions = conditions

    def plan(self, plan: Plan) -> bool:
        """Remove the file. Raise S3Error if it is not what the request thinks it is."""
        found = plan.etag(self.key, self.path) if self.path else None
        check_write({n: v for n, v in self._conditions.items() if n == "if-match"}, found)
        return found is not None and plan.remove(self.path, folder=self.key.endswith("/"))


def write(project: Project, user: User, changes: Sequence[Change]) -> list[S3Error | None]:
    """Do several requests' work as one commit.

    Returns
    -------
    list
        For each change None, or why it was not done; the others were.
    """
    with project.lock:
        head = project.records.head()
        plan = Plan(project, None if head is None else head.snapshot)
        outcomes: list[S3Error | None] = []
        done: list[Change] = []
        for change in changes:
            try:
                if change.plan(plan):
                    done.append(change)
            except S3Error as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
        if not done:
            return outcomes
        kind = DELETE if all(each.type == DELETE for each in done) else UPLOAD
        commit = project.write(
            plan.edits,
            author=user.name,
            message=_message(kind, [each.key for each in done]),
            type=kind,
            metadata=plan.metadata,
            wrote=plan.wrote,
        )
    for each in done:
        each.version = commit.id
    return outcomes


def _message(kind: str, keys: Sequence[str]) -> str:
    word = "Delete" if kind == DELETE else "Upload"
    names = dict.fromkeys(keys)
    return f"{word} {keys[0]}" if len(names) == 1 else f"{word} {len(names)} files"
