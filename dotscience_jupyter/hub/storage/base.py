# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a hub asks of wherever the content of its projects is, if that is not its data folder."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.snapshots import EmbeddedEngine

from .arrivals import Arrivals

FILE = "storage.json"
"""In the data folder: where the content is, so that no command can look for it elsewhere."""


class Content(NamedTuple):
    """The content of one project.

    Attributes
    ----------
    engine : EmbeddedEngine
        Reads and writes it.
    arrivals : Arrivals or None
        Takes streams of the file system below, where it has such; closed before the engine.
    """

    engine: EmbeddedEngine
    arrivals: Arrivals | None = None


class ContentStorage(ABC):
    """Where the content of projects is."""

    beside: ClassVar[bool]
    """Whether SQLite records lie beside the projects' folders, because these may be lost."""

    moves_when_opened: ClassVar[bool]
    """Whether a project that is elsewhere moves when it is opened, which may be noted before."""

    @property
    @abstractmethod
    def place(self) -> object:
        """Where it is, for people."""

    @abstractmethod
    def note(self, data: Path) -> None:
        """Write down that the content of a data folder is here, in one step."""

    @abstractmethod
    def is_noted(self, data: Path) -> bool:
        """Whether a data folder says that its content is here."""

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """See to it that a project's folder can be used; called before anything is done in it.

        Raises
        ------
        SnapshotError
            If it cannot be. Nothing was changed.
        """

    @abstractmethod
    def content(self, folder: Path, is_recorded: Callable[[str], bool]) -> Content:
        """Open a project's content.

        Parameters
        ----------
        folder
            The project's, prepared; its name is the project's id.
        is_recorded
            Whether a commit of the project needs a snapshot of that id.
        """

    @abstractmethod
    def remove(self, project: str) -> None:
        """Delete all that a closed project has. Raise SnapshotError if it cannot be, or in part."""

    @abstractmethod
    def close(self) -> None:
        """Let what is under way end."""


def noted(data: Path) -> dict[str, Any] | None:
    """Return what a data folder says of where its content is; None if it is in that folder.

    Raises
    ------
    ApiError
        If its file cannot be read.
    """
    try:
        document = json.loads((data / FILE).read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError("it is no object")
        return document
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise unreadable(data, error) from None


def unreadable(data: Path, error: Exception) -> ApiError:
    """Return the error of a file that does not say where the content is."""
    return ApiError(
        500,
        "unreadable",
        f"The file {data / FILE}, which says where the content of this hub is, cannot be "
        f"read: {error}. Nothing was changed. Restore it from a backup, or remove it and "
        "give --storage again.",
    )


def write_note(data: Path, document: Mapping[str, object]) -> None:
    """Write down where the content of a data folder is, in one step."""
    temporary = data / f"{FILE}.new"
    temporary.write_text(json.dumps(document) + "\n", encoding="utf-8")
    temporary.replace(data / FILE)
