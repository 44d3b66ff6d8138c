# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Where in a workspace datasets are attached, and which of them a path belongs to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dotscience_jupyter.datasets import Attached, Attachments, Dataset, DatasetError, Datasets
from dotscience_jupyter.datasets.checkouts import version_of
from dotscience_jupyter.records.paths import from_text
from dotscience_jupyter.records.workspace import MARKER, Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Mount:
    """A dataset that is attached to the workspace, as it is on this machine now.

    Attributes
    ----------
    attached : Attached
        What the workspace says of it.
    target : pathlib.Path or None
        The folder that its path leads to; None where it leads nowhere.
    dataset : Dataset or None
        The dataset, if it is on this machine.
    version : str or None
        The commit that is checked out there; None where it is the live folder, or not known.
    """

    attached: Attached
    target: Path | None
    dataset: Dataset | None
    version: str | None

    @property
    def name(self) -> str:
        """What runs call it."""
        return self.attached.name

    @property
    def live(self) -> bool:
        """Whether runs may write to it."""
        return self.dataset is not None and self.attached.mode == "write"


class Mounts:
    """The datasets that are attached to a workspace; read once, for one find.

    Parameters
    ----------
    root
        The workspace's root.
    datasets
        Those of this machine.

    Attributes
    ----------
    trouble : str
        Why what is attached is not known; "" if it is.
    """

    def __init__(self, root: Path, datasets: Datasets | None = None) -> None:
        self.trouble = ""
        self._mounts: list[Mount] = []
        attachments = Attachments(root)
        try:
            attached = attachments.all()
            if attached:
                here = {each.id: each for each in (datasets or Datasets()).all()}
                # a workspace that is one of them has its own way of being committed
                own = os.path.realpath(root)
                self._mounts = [
                    _mount(each, attachments.linked(each), here.get(each.id))
                    for each in attached
                    if each.id not in here or os.path.realpath(here[each.id].root) != own
                ]
        except DatasetError as error:
            self.trouble = error.message
        self._below = [(from_text(m.attached.path), m) for m in self._mounts]
        self._real = [(os.path.realpath(m.target), m) for m in self._mounts if m.target]

    def all(self) -> list[Mount]:
        """Return them by name."""
        return list(self._mounts)

    def find(self, path: str, inside: bool) -> tuple[Mount, str] | None:
        """Return the dataset that a path belongs to, and the folder path within it; or None.

        Parameters
        ----------
        path : str
            A folder path of the workspace, or an absolute one.
        inside : bool
            Which of both.
        """
        if not self._mounts:
            return None
        if inside:
            found = _within(self._below, path, "/")
        else:
            found = _within(self._real, path, os.sep)
            if found is None:
                found = _within(self._real, os.path.realpath(path), os.sep)
        if found is None or found[1] == MARKER or found[1].startswith(MARKER + "/"):
            return None
        return found


def _mount(attached: Attached, target: Path | None, dataset: Dataset | None) -> Mount:
    if dataset is not None and not Workspace.is_at(dataset.root):
        dataset = None
    version = None if target is None else version_of(target, attached.id)
    if attached.mode == "read":
        version = version or attached.version
    return Mount(attached, target, dataset, version)


def _within(places: list[tuple[str, Mount]], path: str, separator: str) -> tuple[Mount, str] | None:
    for place, mount in places:
        if path == place:
            return mount, ""
        if path.startswith(place.rstrip(separator) + separator):
            return mount, path[len(place.rstrip(separator)) + 1 :].replace(os.sep, "/")
    return None
