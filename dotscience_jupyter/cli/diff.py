# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``diff``: how files, parameters and metrics differ between two commits or runs, or now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import difftext
from .context import Settings, common, folder_path, open_service, pass_settings
from .errors import CommandError
from .output import Column, Printer, many, safe, scalar, size
from .sides import NOW, complete_side, find_side, is_side
from .web import page
from .workspace import STYLES

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import ComparedFile, Comparison, FileComparison
    from dotscience_jupyter.api.service import WorkspaceService

PAGE = 1000


@click.command("diff")
@click.argument("names", metavar="[A] [B] [PATH]", nargs=-1, shell_complete=complete_side)
@click.option("--stat", is_flag=True, help="Count the lines and cells that came and went.")
@click.option("--web", is_flag=True, help="Show it in the JupyterLab that runs here.")
@common
@pass_settings
def diff_command(settings: Settings, names: tuple[str, ...], stat: bool, web: bool) -> None:
    """Show how A and B differ; with a PATH, how that file or folder does.

    A and B are ids of commits or runs (or their first characters), run:ID, HEAD, HEAD~n, or 'now'
    for the files as they are. Without B it is now, without both they are HEAD and now. Text is
    compared line by line, a notebook cell by cell, a table row by row, all else by size and digest.
    """
    if len(names) > 3:
        raise click.UsageError("At most two moments and a path can be given.")
    printer = settings.printer
    with open_service(settings) as service:
        old, new, path = _read(service, names)
        under = folder_path(service, settings, path) if path is not None else ""
        if web:
            address = page(
                service.workspace.root,
                {
                    "dotscience-view": "difference",
                    "dotscience-old": old,
                    "dotscience-new": new,
                    "dotscience-file": under,
                },
            )
            if printer.json:
                printer.document({"url": address})
            else:
                click.launch(address)
                printer.line(safe(address))
            return
        if under and _is_file(service, old, new, under):
            _show_file(printer, service, old, new, under)
            return
        found = _all(service, old, new, under)
    if printer.json:
        printer.document(_document(found))
    elif stat:
        _show_stat(printer, found)
    else:
        if printer.terminal:
            _show_values(printer, found)
        _show_files(printer, found.files)


def _read(service: WorkspaceService, names: tuple[str, ...]) -> tuple[str, str, str | None]:
    """Return the two sides and the path that were named."""
    given = list(names)
    path = given.pop() if len(given) == 3 else None
    if path is None and given and not is_side(service, given[-1]) and _is_there(service, given[-1]):
        path = given.pop()
    sides = [find_side(service, name) for name in given]
    if len(sides) < 2:
        sides = [sides[0] if sides else find_side(service, "HEAD"), NOW]
    return sides[0], sides[1], path


def _is_there(service: WorkspaceService, name: str) -> bool:
    """Whether a name that is no moment looks like a path rather than like a slip."""
    return bool(name) and ("/" in name or "." in name or (service.workspace.root / name).exists())


def _is_file(service: WorkspaceService, old: str, new: str, path: str) -> bool:
    """Whether neither side has a folder at a path. Raise CommandError if neither has anything."""
    found = service.comparison.kinds(old, new, path)
    if not any(found):
        raise CommandError(
            "not_found",
            f"Neither of the two holds '{path}'. 'ds diff' without a path lists what differs.",
        )
    return "folder" not in found


def _all(service: WorkspaceService, old: str, new: str, under: str) -> Comparison:
    found = service.comparison.compare(old, new, under=under, limit=PAGE)
    while len(found.files) < found.total:
        more = service.comparison.compare(
            old, new, under=under, offset=len(found.files), limit=PAGE
        )
        if not more.files:
            break
        found.files += more.files
    return found


def _document(found: Comparison) -> dict[str, Any]:
    document = found.model_dump(mode="json")
    return {
        "old": found.old.ref,
        "new": found.new.ref,
        "sides": {"old": document["old"], "new": document["new"]},
        "values": document["values"],
        "items": document["files"],
        "total": found.total,
    }


def _show_file(printer: Printer, service: WorkspaceService, old: str, new: str, path: str) -> None:
    found = service.comparison.compare_file(old, new, path)
    text, remark = _told(service, found, old, new)
    if printer.json:
        file = found.file
        document: dict[str, Any] = {
            "old": found.old.ref,
            "new": found.new.ref,
            **file.model_dump(mode="json"),
            "summary": remark,
            "diff": text,
        }
        for part in (found.notebook, found.table):
            if part is not None:
                document["notebook" if part is found.notebook else "table"] = part.model_dump(
                    mode="json"
                )
        printer.document(document)
        return
    if text is not None and not printer.terminal:
        # whole and exact, so that patch can apply it where it is text
        printer.stream.write(text)
        return
    for line in (text or "").split("\n")[:-1]:
        printer.line(safe(line, newlines=True), style=_line_style(line))
    if remark:
        printer.line(safe(remark), style="dim")


def _told(
    service: WorkspaceService, found: FileComparison, old: str, new: str
) -> tuple[str | None, str]:
    """Return a difference as lines, if it can be, and a remark."""
    file = found.file
    if file.old_digest is not None and file.old_digest == file.new_digest:
        return None, f"{file.path} is the same in both."
    if found.notebook is not None:
        text = difftext.notebook(found.notebook, file.path)
        return text or None, "" if text else "Only metadata of the notebook differ."
    if found.table is not None:
        text = difftext.table(found.table, file.path)
        return text or None, "" if text else "The rows of the tables are the same."
    if found.text is not None:
        before, after = service.comparison.texts(old, new, file.path)
        return difftext.unified(before, after, file.path), found.note
    sides = [
        "not there" if length is None else f"{size(length)}, digest {(digest or 'unknown')[:16]}"
        for length, digest in (
            (file.old_size, file.old_digest),
            (file.new_size, file.new_digest),
        )
    ]
    return None, f"{file.path}: {sides[0]} -> {sides[1]} ({found.note or file.type})"


def _line_style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"@": "cyan", "+": "green", "-": "red"}.get(line[:1], "")


def _names(item: ComparedFile) -> str:
    before = f"{safe(item.old_path)} -> " if item.old_path is not None else ""
    return before + safe(item.path) + ("/" if item.type == "folder" else "")


def _show_values(printer: Printer, found: Comparison) -> None:
    if not found.values:
        return
    printer.table(
        [
            Column("Value", [safe(f"{v.kind} {v.name}") for v in found.values], least=12),
            Column("Before", [safe(scalar(v.old)) for v in found.values], 1, right=True),
            Column("After", [safe(scalar(v.new)) for v in found.values], 1, right=True),
        ]
    )
    printer.line()


def _show_files(printer: Printer, items: list[ComparedFile]) -> None:
    printer.table(
        [
            Column("Change", [i.change for i in items], style=lambda cell: STYLES.get(cell, "")),
            Column("File", [_names(i) for i in items], least=12),
            Column("Before", [size(i.old_size) for i in items], 1, right=True),
            Column("After", [size(i.new_size) for i in items], 1, right=True),
        ],
        empty="No file differs.",
    )


def _show_stat(printer: Printer, found: Comparison) -> None:
    items = found.files
    printer.table(
        [
            Column("Change", [i.change for i in items], style=lambda cell: STYLES.get(cell, "")),
            Column("File", [_names(i) for i in items], least=12),
            Column("+", [_count(i.added) for i in items], right=True, style="green"),
            Column("-", [_count(i.removed) for i in items], right=True, style="red"),
        ],
        empty="No file differs.",
    )
    if items and printer.terminal:
        added, removed = (
            sum(getattr(i, name) or 0 for i in items) for name in ("added", "removed")
        )
        printer.line(
            f"{many(len(items), 'file')}, {added:,} lines or cells added, {removed:,} removed",
            style="dim",
        )


def _count(count: int | None) -> str:
    return "" if count is None else str(count)
