# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which project of which hub a workspace belongs to, and how it went the last time."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from .credentials import clean_url
from .errors import SyncError

FOLDER = "sync"
"""Where below ``.dotscience`` this lies."""

_FORMAT = 1
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Remote:
    """A project of a hub. ``name`` is for people; ``OWNER/PROJECT``."""

    url: str
    project: str
    name: str

    def __str__(self) -> str:
        """Return the address of the project, as people write it."""
        return f"{self.url}/{self.name}"


@dataclass(frozen=True, slots=True)
class Last:
    """How it went the last time that the hub was asked.

    Attributes
    ----------
    when : float
        Seconds since 1970; 0 if it was never asked.
    head : str
        The hub's newest commit then, which may not be here; "" if it had none.
    error : str
        Why it failed; "" if it did not.
    code : str
        The error's code.
    diverged : bool
        Whether both sides had commits that the other one does not build upon.
    """

    when: float = 0.0
    head: str = ""
    error: str = ""
    code: str = ""
    diverged: bool = False


class RemoteStore:
    """The two files that tell of a workspace's hub; each is replaced in one step.

    Parameters
    ----------
    folder
        The workspace's ``.dotscience``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self._remote = self.folder / "remote.json"
        self._last = self.folder / "last.json"

    @property
    def lock(self) -> Path:
        """Held by whoever moves commits."""
        self.folder.mkdir(exist_ok=True)
        return self.folder / "lock"

    def get(self) -> Remote | None:
        """Return the remote, or None. Raise SyncError if the file is damaged."""

        def read(document: dict[str, Any]) -> Remote:
            url, project, name = (str(document[key]) for key in ("url", "project", "name"))
            if not project.replace("-", "").isalnum():
                raise ValueError(project)
            return Remote(clean_url(url), project, name)

        return _read(self._remote, read)

    def put(self, remote: Remote) -> None:
        """Set the remote; what is known of another one is forgotten."""
        if self.get() != remote:
            self._last.unlink(missing_ok=True)
        self._write(self._remote, {"format": _FORMAT, **asdict(remote)})

    def remove(self) -> None:
        """Forget the remote. Commits that came from it stay."""
        for path in (self._remote, self._last):
            path.unlink(missing_ok=True)

    def last(self) -> Last:
        """Return how it went the last time; a file that is damaged tells nothing."""

        def read(document: dict[str, Any]) -> Last:
            return Last(
                float(document["when"]),
                str(document["head"]),
                str(document["error"]),
                str(document["code"]),
                document["diverged"] is True,
            )

        try:
            return _read(self._last, read) or Last()
        except SyncError:
            return Last()

    def note(self, last: Last) -> None:
        """Write down how it went; it is for people, so failing to do so hinders nothing."""
        try:
            self._write(self._last, {"format": _FORMAT, **asdict(last)})
        except SyncError:
            return

    def _write(self, path: Path, document: dict[str, Any]) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            self.folder.mkdir(exist_ok=True)
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise SyncError(
                "unreadable",
                f"Which hub this workspace belongs to cannot be written down: "
                f"{error.strerror or error}. Nothing was changed.",
            ) from None


def _read(path: Path, read: Callable[[dict[str, Any]], _T]) -> _T | None:
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["format"] == _FORMAT:
            return read(document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, SyncError):
        pass
    raise SyncError(
        "unreadable",
        f"Which hub this workspace belongs to cannot be read from {path.name}. Nothing was "
        "changed; commits and files are not affected. Set it again with 'ds remote add'.",
    )
