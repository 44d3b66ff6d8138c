# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How texts and notebooks are merged that both sides changed: conflict by conflict."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

from blake3 import blake3

from dotscience_jupyter.committer import Placed
from dotscience_jupyter.notebooks import (
    DamagedError,
    Document,
    MergedCell,
    MergedNotebook,
    Place,
    Segment,
    check_valid,
    merge_notebooks,
    merge_text,
    notebook_language,
    pair_outputs,
    read_notebook,
    text_joined,
)
from dotscience_jupyter.records.paths import to_text
from dotscience_jupyter.snapshots import Kind

from . import models
from .mergefiles import GONE, Change, FileMerge, Part, State, Triple
from .mergestate import Choices, Chosen


class _Inside(FileMerge):
    """A file whose conflicts are inside of it."""

    ids: list[str]

    @property
    def conflicts(self) -> list[str]:
        """Return the ids of the conflicts inside."""
        return self.ids

    def state(self, choices: Choices) -> State:
        """Return whether conflicts are open, were chosen, or never were."""
        if not self.ids:
            return "merged"
        return "conflict" if self.open(choices) else "resolved"

    def _can(self, number: int, choice: models.Choice) -> bool:
        return choice == "edited" or choice in self.choices_of(number)

    @abstractmethod
    def choices_of(self, number: int) -> list[models.Choice]:
        """Return what can be chosen for a conflict."""

    def choose(self, conflict: str, chosen: Chosen | None, choices: Choices) -> Choices:
        """Choose for one conflict, or the same for all."""
        wanted = [conflict] if conflict else self.ids
        if any(id_ not in self.ids for id_ in wanted):
            raise ValueError(GONE)
        result = {key: value for key, value in choices.items() if key not in ("", *wanted)}
        if chosen is None:
            return result
        if chosen.choice == "edited" and chosen.text is None:
            raise ValueError("What was edited has no text.")
        if chosen.choice == "edited" and not conflict:
            raise ValueError("Say of which conflict this is the result.")
        for id_ in wanted:
            if self._can(self.ids.index(id_), chosen.choice):
                result[id_] = chosen
            elif conflict:
                raise ValueError(f"{chosen.choice!r} cannot be chosen for this conflict.")
        return result


class TextFile(_Inside):
    """A text that both sides changed."""

    def __init__(self, triple: Triple, kind: models.FileType, segments: list[Segment]) -> None:
        super().__init__(triple, kind)
        self.segments = segments
        self._torn = [segment for segment in segments if segment.state == "conflict"]
        self.ids = [
            _name(number, segment.base, segment.yours, segment.theirs)
            for number, segment in enumerate(self._torn, 1)
        ]

    def choices_of(self, number: int) -> list[models.Choice]:
        """Return all, the base only where there is one."""
        base: list[models.Choice] = [] if self._torn[number].base is None else ["base"]
        return ["yours", "theirs", "both", *base, "edited"]

    def choose(self, conflict: str, chosen: Chosen | None, choices: Choices) -> Choices:
        """Choose for one conflict, for all, or give the text of the whole file."""
        if not conflict and chosen is not None and chosen.choice == "edited":
            if chosen.text is None:
                raise ValueError("What was edited has no text.")
            return {"": chosen}
        return super().choose(conflict, chosen, choices)

    def text(self, choices: Choices) -> str:
        """Return the result, open conflicts between markers."""
        whole = choices.get("")
        if whole is not None and whole.text is not None:
            return whole.text
        return text_joined(
            self.segments, lambda number: self._text(number, choices.get(self.ids[number]))
        )

    def _text(self, number: int, chosen: Chosen | None) -> str | None:
        if chosen is None:
            return None
        segment = self._torn[number]
        if chosen.choice != "edited":
            return segment.text(chosen.choice)
        text = chosen.text or ""
        # a line that is not ended would run into the next one
        ended = (segment.yours + segment.theirs).endswith("\n")
        return f"{text}\n" if ended and text and not text.endswith("\n") else text

    def placed(self, choices: Choices) -> list[Placed]:
        """Return the text."""
        data = self.text(choices).encode("utf-8", "surrogatepass")
        return [Placed(self.path, Kind.FILE, data, self.triple.mode())]

    def detail(self, choices: Choices) -> models.MergeDetail:
        """Return the segments and the conflicts."""
        conflicts: list[models.Conflict] = []
        segments: list[models.MergeSegment] = []
        for segment in self.segments:
            if segment.state != "conflict":
                told = models.MergeSegment(state=segment.state, text=segment.text())
                segments.append(told)
                continue
            number = len(conflicts)
            id_ = self.ids[number]
            chosen = choices.get(id_)
            text = self._text(number, chosen)
            state: Literal["conflict", "resolved"] = "conflict" if text is None else "resolved"
            segments.append(models.MergeSegment(state=state, conflict=id_, text=text))
            conflicts.append(
                models.Conflict(
                    id=id_,
                    where=segment.where(),
                    base=segment.base,
                    yours=segment.yours,
                    theirs=segment.theirs,
                    result=text,
                    choice=None if chosen is None else chosen.choice,
                    choices=self.choices_of(number),
                )
            )
        if "" in choices:
            segments = [models.MergeSegment(state="resolved", text=self.text(choices))]
        return models.MergeDetail(file=self.body(choices), conflicts=conflicts, segments=segments)


class NotebookFile(_Inside):
    """A notebook that both sides changed."""

    def __init__(self, triple: Triple, merged: MergedNotebook) -> None:
        super().__init__(triple, "notebook")
        self.merged = merged
        self._torn = merged.conflicts()
        self.ids = [
            _name(number, *(_source(cell) for cell in (torn.base, torn.yours, torn.theirs)))
            for number, torn in enumerate(self._torn, 1)
        ]
        # the sides never change, and each choice is answered with all of the file
        self._outputs = cache(self._compare_outputs)

    def choices_of(self, number: int) -> list[models.Choice]:
        """Return what the sides of the cell allow."""
        cell = self._torn[number]
        both: list[models.Choice] = [] if cell.removal else ["both"]
        base: list[models.Choice] = [] if cell.base is None else ["base"]
        return ["yours", "theirs", *both, *base, "edited"]

    def document(self, choices: Choices) -> Document:
        """Return the notebook, open conflicts between markers in the sources of cells."""
        return self.merged.result(lambda number: self._cells(number, choices.get(self.ids[number])))

    def _cells(self, number: int, chosen: Chosen | None) -> list[Document] | None:
        if chosen is None:
            return None
        cell = self._torn[number]
        if chosen.choice == "edited":
            return [cell.with_source(chosen.text or "")]
        return cell.choose(chosen.choice)

    def placed(self, choices: Choices) -> list[Placed]:
        """Return the notebook as Jupyter writes one."""
        document = self.document(choices)
        check_valid(document)
        for cell in document["cells"]:
            cell["source"] = cell["source"].splitlines(keepends=True)
            for output in cell.get("outputs", ()):
                if isinstance(output.get("text"), str):
                    output["text"] = output["text"].splitlines(keepends=True)
        text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        data = text.encode("utf-8", "surrogatepass")
        return [Placed(self.path, Kind.FILE, data, self.triple.mode())]

    def change(self, choices: Choices) -> Change | None:
        """Return what finishing does; the notebook need not be made to tell."""
        here = self.triple.yours
        return "added" if here is None or here.path != self.path else "modified"

    def detail(self, choices: Choices) -> models.MergeDetail:
        """Return the cells, unchanged ones folded, and the conflicts."""
        cells: list[models.MergeCell] = []
        conflicts: list[models.Conflict] = []
        place = 0
        for cell in self.merged.cells:
            if cell.state == "same":
                place += 1
                if cells and cells[-1].state == "same":
                    cells[-1].count += 1
                else:
                    cells.append(models.MergeCell(state="same"))
                continue
            if cell.state != "conflict":
                place += cell.result is not None
                results = [] if cell.result is None else [cell.result]
                cells.append(_cell(cell, cell.state, results))
                continue
            place += 1
            number = len(conflicts)
            conflicts.append(self._conflict(number, cell, choices, place))
            chosen = choices.get(conflicts[-1].id)
            found = self._cells(number, chosen)
            told = _cell(
                cell,
                "conflict" if found is None else "resolved",
                found or [],
                None if chosen is None else chosen.choice,
            )
            told.conflict = conflicts[-1].id
            told.outputs = self._outputs(number)
            cells.append(told)
        return models.MergeDetail(
            file=self.body(choices),
            conflicts=conflicts,
            cells=cells,
            language=notebook_language(self.merged.document),
        )

    def _compare_outputs(self, number: int) -> list[models.OutputPair]:
        """Return how the outputs of a conflict differ; large parts are asked for by snapshot."""
        cell = self._torn[number]
        places = []
        for part, index in zip((self.triple.yours, self.triple.theirs), cell.indices, strict=True):
            place = Place("", "") if part is None else Place(part.snapshot, to_text(part.path))
            places.append((place, index or 0))
        yours, theirs = (_outputs(side) for side in (cell.yours, cell.theirs))
        pairs = pair_outputs(yours, theirs, False, (places[0], places[1]))
        return [models.OutputPair.model_validate(each, from_attributes=True) for each in pairs]

    def _conflict(
        self, number: int, cell: MergedCell, choices: Choices, place: int
    ) -> models.Conflict:
        chosen = choices.get(self.ids[number])
        found = self._cells(number, chosen)
        return models.Conflict(
            id=self.ids[number],
            where=f"cell {place}",
            base=cell.source("base"),
            yours=cell.source("yours"),
            theirs=cell.source("theirs"),
            result="\n\n".join(each["source"] for each in found) if found else None,
            choice=None if chosen is None else chosen.choice,
            choices=self.choices_of(number),
        )


def _cell(
    cell: MergedCell,
    state: Literal["yours", "theirs", "merged", "conflict", "resolved"],
    results: list[Document],
    choice: models.Choice | None = None,
) -> models.MergeCell:
    return models.MergeCell(
        state=state,
        base=_without_outputs(cell.base),
        yours=_without_outputs(cell.yours),
        theirs=_without_outputs(cell.theirs),
        result=_without_outputs(results[0]) if results else None,
        cleared=_is_cleared(cell, results, choice),
    )


def _is_cleared(cell: MergedCell, results: list[Document], choice: models.Choice | None) -> bool:
    """Return whether a cell of the result lost the outputs that its sides have."""
    yours, theirs = (bool(_outputs(side)) for side in (cell.yours, cell.theirs))
    match choice:
        case "yours":
            had = [yours]
        case "theirs":
            had = [theirs]
        case "both":
            had = [yours, theirs]
        case None:  # merged without a question: where one side has none, that may be its change
            had = [yours and theirs]
        case _:
            had = [yours or theirs]
    return any(before and not _outputs(after) for before, after in zip(had, results, strict=False))


def _outputs(cell: Document | None) -> Sequence[Document]:
    return () if cell is None else cell.get("outputs", ())


def _without_outputs(cell: Document | None) -> Document | None:
    return None if cell is None else {k: v for k, v in cell.items() if k != "outputs"}


def _source(cell: Document | None) -> str | None:
    return None if cell is None else str(cell["source"])


def _name(number: int, *texts: str | None) -> str:
    document = json.dumps(texts).encode()
    return f"{number}-{blake3(document).hexdigest()[:12]}"


Read = Callable[[Part], bytes]


def notebook_file(triple: Triple, read: Read) -> NotebookFile:
    """Return how a notebook is merged. Raise DamagedError if a side is none."""
    base, yours, theirs = (
        None if part is None else read_notebook(read(part))
        for part in (triple.base, triple.yours, triple.theirs)
    )
    if yours is None or theirs is None:
        raise DamagedError("a side has none")
    return NotebookFile(triple, merge_notebooks(base, yours, theirs))


def text_file(triple: Triple, kind: models.FileType, read: Read) -> TextFile:
    """Return how a text is merged. Raise DamagedError if a side is none."""
    texts = []
    for part in (triple.base, triple.yours, triple.theirs):
        data = b"" if part is None else read(part)
        if b"\0" in data:
            raise DamagedError("it is not text")
        try:
            texts.append(None if part is None else data.decode())
        except UnicodeDecodeError:
            raise DamagedError("it is not text") from None
    base, yours, theirs = texts
    if yours is None or theirs is None:
        raise DamagedError("a side has none")
    return TextFile(triple, kind, merge_text(base, yours, theirs))
