# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The datasets that a workspace uses: a file at its top says which, and links lead to them.

The file is part of the workspace's commits, so a clone knows what belongs to it. The links are this
machine's: an ignore line keeps them out of snapshots, and attaching again makes them anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from filelock import FileLock, Timeout

from dotscience_jupyter.records import from_text, to_text
from dotscience_jupyter.records.workspace import MARKER
from dotscience_jupyter.snapshots.ignore import IGNORE_FILE, IgnoreRules

from .errors import DatasetError
from .files import read_json, unreadable, write_json

FILE = "dotscience-datasets.json"
_WHAT = "which datasets the workspace uses"
_LOCK_SECONDS = 60.0
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")

Mode = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Attached:
    """A dataset that a workspace uses.

    Attributes
    ----------
    name : str
        What the workspace's runs call it.
    id : str
        The dataset's.
    path : str
        Where it appears in the workspace: a folder path in text form.
    version : str or None
        The commit of the dataset that is used; None for the newest.
    mode : str
        ``read``: a checkout of that version; ``write``: the dataset's live folder.
    remote : str or None
        ``URL/OWNER/NAME`` on a hub from which it can be had.
    """

    name: str
    id: str
    path: str
    version: str | None
    mode: Mode
    remote: str | None = None


class Attachments:
    """The datasets of one workspace.

    Parameters
    ----------
    root
        The workspace's root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / FILE

    def all(self) -> list[Attached]:
        """Return what is attached, by name. Raise DatasetError if the file cannot be read."""
        if not self.file.exists():
            return []
        try:
            document = read_json(self.file, _WHAT)["datasets"]
            return [_attached(name, each) for name, each in sorted(document.items())]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise unreadable(
                self.file, _WHAT, str(error) or "it is not as it was written"
            ) from None

    def find(self, name: str) -> Attached | None:
        """Return the dataset that is attached under a name, or None."""
        return next((each for each in self.all() if each.name == name), None)

    def get(self, name: str) -> Attached:
        """Return the dataset that is attached under a name. Raise DatasetError ``not_found``."""
        found = self.find(name)
        if found is None:
            raise DatasetError("not_found", f"No dataset {name!r} is attached to this workspace.")
        return found

    def put(self, attached: Attached, target: Path) -> None:
        """Attach a dataset, or attach it otherwise: the link first, then the file says so.

        Parameters
        ----------
        attached : Attached
            What to note.
        target : pathlib.Path
            Where the link is to lead.

        Raises
        ------
        DatasetError
            ``exists`` if something else is at that path, ``invalid_request`` if the path cannot
            be one. Nothing is changed then.
        """
        with self._changing():
            known = {each.name: each for each in self.all()}
            before = known.pop(attached.name, None)
            for other in known.values():
                if _overlap(other.path, attached.path):
                    raise DatasetError(
                        "exists",
                        f"{other.path} is where the dataset {other.name} is attached, so "
                        f"{attached.path} cannot be used. Nothing was changed.",
                    )
            self.link(attached, target)
            if before is not None and before.path != attached.path:
                self._unlink(before.path)
            self._write([*known.values(), attached])

    def remove(self, name: str) -> Attached:
        """Detach a dataset: note it, then take the link away. The dataset stays as it is."""
        with self._changing():
            found = self.get(name)
            self._write([each for each in self.all() if each.name != name])
            self._unlink(found.path)
        return found

    def link(self, attached: Attached, target: Path) -> None:
        """Let the path of a dataset lead to a folder, and keep it out of snapshots.

        Raises
        ------
        DatasetError
            As :meth:`put`.
        """
        place = self.check(attached.path)
        if place.is_symlink() and self._foreign(attached, target):
            raise DatasetError(
                "exists",
                f"{attached.path} is a link of yours already. Nothing was changed; choose another "
                "path, or remove the link.",
            )
        temporary = place.with_name(f".~{place.name}.{os.getpid()}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._ignore(attached.path)
            with suppress(FileNotFoundError):
                temporary.unlink()
            temporary.symlink_to(target, target_is_directory=True)
            os.replace(temporary, place)
        except OSError as error:
            raise DatasetError(
                "unreadable",
                f"A link cannot be made at {attached.path} ({error.strerror or error}). Nothing "
                "was attached.",
            ) from None

    def check(self, path: str) -> Path:
        """Return where a path (text form) is, if a dataset can appear there.

        Raises
        ------
        DatasetError
            ``exists`` if something else is there, ``invalid_request`` if the path cannot be one.
        """
        place = self._place(path)
        if os.path.lexists(place) and not place.is_symlink():
            raise DatasetError(
                "exists",
                f"There is something at {path} already. Nothing was changed; choose another path, "
                "or move it away.",
            )
        return place

    def linked(self, attached: Attached) -> Path | None:
        """Return the folder that a dataset's path leads to now; None if it leads nowhere."""
        place = self.root / from_text(attached.path)
        try:
            target = Path(os.path.normpath(place.parent / place.readlink()))
        except OSError:
            return None
        return target if target.is_dir() else None

    def _foreign(self, attached: Attached, target: Path) -> bool:
        """Whether a link there was not made for an attached dataset, or for this one just now."""
        return self.linked(attached) != target and all(
            each.path != attached.path for each in self.all()
        )

    def _place(self, path: str) -> Path:
        """Return the place of a path. Raise DatasetError where it is none for a dataset."""
        place = self.root / check_path(path)
        top = os.path.realpath(self.root)
        parent = os.path.realpath(place.parent)
        if parent != top and not parent.startswith(top.rstrip(os.sep) + os.sep):
            raise DatasetError(
                "invalid_request",
                f"{path} lies behind a link that leads out of the workspace. Nothing was changed.",
            )
        if os.path.lexists(place.parent) and not place.parent.is_dir():
            raise DatasetError("invalid_request", f"{path} lies below a file. Nothing was changed.")
        return place

    def _unlink(self, path: str) -> None:
        place = self.root / from_text(path)
        with suppress(OSError):
            if place.is_symlink():
                place.unlink()
                # a folder that was made for it and holds nothing else
                if place.parent != self.root:
                    place.parent.rmdir()
        ignore = self.root / IGNORE_FILE
        line = _pattern(from_text(path))
        with suppress(OSError):
            lines = ignore.read_bytes().splitlines(keepends=True)
            left = [each for each in lines if each.rstrip(b"\r\n") != line]
            if left:
                _replace(ignore, b"".join(left))
            elif lines:
                ignore.unlink()

    def _ignore(self, path: str) -> None:
        """Add the line to the ignore file that keeps a path out of snapshots."""
        if IgnoreRules(self.root).is_ignored(from_text(path)):
            return
        ignore = self.root / IGNORE_FILE
        before = ignore.read_bytes() if ignore.exists() else b""
        if before and not before.endswith(b"\n"):
            before += b"\n"
        _replace(ignore, before + _pattern(from_text(path)) + b"\n")

    def _write(self, attached: list[Attached]) -> None:
        if not attached:
            with suppress(FileNotFoundError):
                self.file.unlink()
            return
        document = {}
        for each in attached:
            document[each.name] = {
                key: value
                for key, value in asdict(each).items()
                if key != "name" and (key != "remote" or value is not None)
            }
        write_json(self.file, {"datasets": document}, _WHAT)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            with FileLock(self.root / MARKER / "datasets.lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout:
            raise DatasetError(
                "busy",
                "Another program has been attaching datasets for a minute. Nothing was changed; "
                "try again when it is done.",
            ) from None


def check_path(path: str) -> str:
    """Return a path (text form) as a folder path. Raise DatasetError where no dataset can be."""
    folder = from_text(path)
    parts = folder.split("/")
    if (
        not folder
        or any(part in ("", ".", "..") for part in parts)
        or "\0" in folder
        or "\n" in folder
        or "\r" in folder
        or parts[0] in (MARKER, ".git", FILE, IGNORE_FILE)
    ):
        raise DatasetError(
            "invalid_request",
            f"{path[:200]!r} cannot be the path of a dataset: it is a new name inside of the "
            "workspace, such as data/iris. Nothing was changed.",
        )
    return folder


def _attached(name: str, each: dict[str, Any]) -> Attached:
    version, remote = each["version"], each.get("remote")
    if each["mode"] not in ("read", "write"):
        raise ValueError(f"the dataset {name} has no mode that this version knows")
    for text in (name, each["id"], each["path"], *filter(None, (version, remote))):
        if not isinstance(text, str):
            raise ValueError(f"what it says of the dataset {name} is no text")
    try:
        path = to_text(check_path(each["path"]))
    except DatasetError as error:
        raise ValueError(error.message) from None
    return Attached(name, each["id"], path, version or None, cast(Mode, each["mode"]), remote)


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _pattern(path: str) -> bytes:
    """Return the line of an ignore file that means just this path (gitignore's syntax)."""
    return b"/" + os.fsencode(_SPECIAL.sub(r"\\\1", path))


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".~{path.name}.{os.getpid()}")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with suppress(OSError):
        temporary.chmod(path.stat().st_mode & 0o777)
    os.replace(temporary, path)
