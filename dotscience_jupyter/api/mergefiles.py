# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How one file is merged: what is in conflict, what can be chosen, and what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dotscience_jupyter.committer import Placed
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots import Kind

from . import models
from .mergestate import Choices, Chosen
from .sides import Found

State = Literal["yours", "theirs", "merged", "conflict", "resolved"]
Change = Literal["added", "modified", "removed"]


@dataclass(frozen=True, slots=True)
class Part:
    """What one side has of a file, and where to find it there."""

    found: Found
    snapshot: str
    path: str

    def placed(self, path: str, mode: int | None = None) -> Placed:
        """Return it as what is to be at a path."""
        found = self.found
        mode = found.mode if mode is None else mode
        return Placed(path, found.kind, (self.snapshot, self.path), mode, found.target)

    def is_same(self, other: Part | None) -> bool:
        """Whether content and kind are the same; modes are not looked at."""
        return other is not None and (
            (self.found.kind, self.found.digest, self.found.target)
            == (other.found.kind, other.found.digest, other.found.target)
        )


@dataclass(frozen=True, slots=True)
class Triple:
    """A file on the three sides; None where a side has none."""

    path: str  # of the result
    base: Part | None
    yours: Part | None
    theirs: Part | None
    message: str = ""

    def mode(self) -> int:
        """Return the permissions of the result: who changed them counts, you before them."""
        modes = [None if p is None else p.found.mode for p in (self.base, self.yours, self.theirs)]
        base, yours, theirs = modes
        mode = theirs if yours is None or yours == base else yours
        return 0o644 if mode is None else mode


GONE = "There is no such conflict (any more). Reload the merge to see what is open."
"""What is said where a choice is for a conflict that is not there."""


class FileMerge(ABC):
    """One file of a merge. Conflicts are named so that a choice never fits another one."""

    def __init__(self, triple: Triple, kind: models.FileType) -> None:
        self.triple = triple
        self.kind = kind

    @property
    def path(self) -> str:
        """Folder path of the result."""
        return self.triple.path

    @property
    def conflicts(self) -> list[str]:
        """Ids of what is in conflict, chosen or not."""
        return []

    @abstractmethod
    def state(self, choices: Choices) -> State:
        """Return how far it is."""

    @abstractmethod
    def placed(self, choices: Choices) -> list[Placed]:
        """Return what is to be in the folder; open conflicts as they can be in a file."""

    def open(self, choices: Choices) -> int:
        """Return how many conflicts are open."""
        if "" in choices:
            return 0
        return sum(id_ not in choices for id_ in self.conflicts)

    def body(self, choices: Choices) -> models.MergeFile:
        """Return it as the API tells it."""
        return models.MergeFile(
            path=to_text(self.path),
            type=self.kind,
            state=self.state(choices),
            change=self.change(choices),
            conflicts=self.open(choices),
            message=self.triple.message,
        )

    def change(self, choices: Choices) -> Change | None:
        """Return what finishing does to the folder."""
        things = self.placed(choices)
        here = self.triple.yours
        if not things:
            return None
        if any(thing.path == self.path and thing.kind is not None for thing in things):
            return "added" if here is None or here.path != self.path else "modified"
        return "removed"

    def detail(self, choices: Choices) -> models.MergeDetail:
        """Return how it is merged, inside."""
        return models.MergeDetail(file=self.body(choices), conflicts=[])

    @abstractmethod
    def choose(self, conflict: str, chosen: Chosen | None, choices: Choices) -> Choices:
        """Return the choices with one more. Raise ValueError, with a sentence, if it cannot be."""


class DecidedFile(FileMerge):
    """A file that only one side changed, or both in the same way; ``part`` is its content.

    ``gone`` are folders that go as well where they are empty then.
    """

    def __init__(
        self,
        triple: Triple,
        kind: models.FileType,
        state: State,
        part: Part | None,
        gone: Sequence[str] = (),
    ) -> None:
        super().__init__(triple, kind)
        self._state = state
        self._part = part
        self._gone = list(gone)

    def state(self, choices: Choices) -> State:
        """Return whose it is."""
        return self._state

    def placed(self, choices: Choices) -> list[Placed]:
        """Return the file, unless it is there as it is to be."""
        if self._part is None:
            if self.triple.yours is None:
                return []
            return [Placed(path, None) for path in (self.path, *self._gone)]
        thing = self._part.placed(self.path, self.triple.mode())
        if self._part is self.triple.yours:
            found = self._part.found
            if self._part.path == self.path and (found.mode == thing.mode or not self._has_mode):
                return []
        return [thing]

    @property
    def _has_mode(self) -> bool:
        return self._part is not None and self._part.found.kind is not Kind.SYMLINK

    def choose(self, conflict: str, chosen: Chosen | None, choices: Choices) -> Choices:
        """Refuse: there is nothing to choose."""
        raise ValueError("The file has no conflict, so there is nothing to choose.")


class WholeFile(FileMerge):
    """A file of which one side is chosen.

    ``under`` are what must go and what must come with theirs, where one side has a file and the
    other one a folder of that name.
    """

    def __init__(
        self,
        triple: Triple,
        kind: models.FileType,
        gone: Sequence[str] = (),
        come: Sequence[Part] = (),
    ) -> None:
        super().__init__(triple, kind)
        self._gone = list(gone)
        self._come = list(come)

    @property
    def conflicts(self) -> list[str]:
        """Return the one conflict that it is."""
        return ["file"]

    def _chosen(self, choices: Choices) -> Chosen | None:
        return choices.get("", choices.get("file"))

    def state(self, choices: Choices) -> State:
        """Return whether a side is chosen."""
        return "conflict" if self._chosen(choices) is None else "resolved"

    def placed(self, choices: Choices) -> list[Placed]:
        """Return the side that is chosen; yours stays where none is."""
        chosen = self._chosen(choices)
        if chosen is None or chosen.choice == "yours":
            return []
        part = self.triple.theirs if chosen.choice == "theirs" else self.triple.base
        things = [Placed(path, None) for path in self._gone]
        things += [each.placed(each.path) for each in self._come]
        if part is not None:
            things.append(part.placed(self.path))
        elif self.triple.yours is not None:
            things.append(Placed(self.path, None))
        return things

    def detail(self, choices: Choices) -> models.MergeDetail:
        """Return the one conflict."""
        chosen = self._chosen(choices)
        conflict = models.Conflict(
            id="file",
            where="the whole file",
            base=None,
            yours=None,
            theirs=None,
            result=None,
            choice=None if chosen is None else chosen.choice,
            choices=self._choices(),
        )
        return models.MergeDetail(file=self.body(choices), conflicts=[conflict])

    def _choices(self) -> list[models.Choice]:
        base: list[models.Choice] = [] if self.triple.base is None else ["base"]
        return ["yours", "theirs", *base]

    def choose(self, conflict: str, chosen: Chosen | None, choices: Choices) -> Choices:
        """Choose a side."""
        if conflict not in ("", "file"):
            raise ValueError(GONE)
        if chosen is None:
            return {}
        if chosen.choice not in self._choices():
            raise ValueError("Of this file one side can be chosen as a whole, yours or theirs.")
        return {"file": chosen}
