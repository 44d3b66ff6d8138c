# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is remembered of a merge that is under way: a small file in ``.dotscience/merge``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from filelock import FileLock, Timeout

from dotscience_jupyter.committer import read_json, write_json

from . import models
from .errors import ApiError

_FORMAT = 1
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Point:
    """One of the three moments of a merge."""

    ref: str  # id of a commit, or of a snapshot that no commit has
    snapshot: str
    is_commit: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for a conflict."""

    choice: models.Choice
    text: str | None = None


Choices = dict[str, Chosen]
"""By conflict; "" is all of the file."""


@dataclass(slots=True)
class MergeState:
    """A merge that is under way; ``base`` is None where nothing is known to be in common."""

    id: str
    base: Point | None
    yours: Point
    theirs: Point
    choices: dict[str, Choices] = field(default_factory=dict)  # by path, in text form
    written: list[str] | None = None  # paths, text form, where conflicts are in the files

    @property
    def markers(self) -> bool:
        """Whether conflicts were written into the files."""
        return self.written is not None


class MergeStore:
    """Keeps the state of a workspace's merge; several processes may use it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.json"
        self._lock = folder / "lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else change the state meanwhile."""
        self._lock.parent.mkdir(exist_ok=True)
        try:
            with FileLock(self._lock, timeout=_PATIENCE, poll_interval=0.02):
                yield
        except Timeout:
            raise ApiError(
                409, "conflict", "Another program is working on this merge. Try again in a moment."
            ) from None

    def load(self) -> MergeState | None:
        """Return the merge that is under way, if one is."""
        if not self._path.exists():
            return None
        document = read_json(self._path)
        try:
            if document is None or document["format"] != _FORMAT:
                raise ValueError
            base = document["base"]
            return MergeState(
                str(document["id"]),
                None if base is None else _point(base),
                _point(document["yours"]),
                _point(document["theirs"]),
                {
                    str(path): {str(key): _chosen(value) for key, value in choices.items()}
                    for path, choices in document["choices"].items()
                },
                document["written"],
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ApiError(
                500,
                "unreadable",
                "A merge is under way, but what was noted of it cannot be read (another version "
                "may have written it). Remove .dotscience/merge/state.json to give it up.",
            ) from None

    def save(self, state: MergeState) -> None:
        """Write the state; it is there whole or as it was before."""
        write_json(
            self._path,
            {
                "format": _FORMAT,
                "id": state.id,
                "base": None if state.base is None else _told(state.base),
                "yours": _told(state.yours),
                "theirs": _told(state.theirs),
                "choices": {
                    path: {key: {"choice": c.choice, "text": c.text} for key, c in choices.items()}
                    for path, choices in state.choices.items()
                },
                "written": state.written,
            },
        )

    def clear(self) -> None:
        """Forget the merge."""
        with suppress(FileNotFoundError):
            self._path.unlink()


def _told(point: Point) -> dict[str, Any]:
    return {"ref": point.ref, "snapshot": point.snapshot, "is_commit": point.is_commit}


def _point(document: dict[str, Any]) -> Point:
    return Point(str(document["ref"]), str(document["snapshot"]), bool(document["is_commit"]))


def _chosen(document: dict[str, Any]) -> Chosen:
    choice, text = document["choice"], document["text"]
    if choice not in get_args(models.Choice) or not isinstance(text, str | None):
        raise ValueError(choice)
    return Chosen(choice, text)
