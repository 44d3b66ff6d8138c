# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``diff``: how files differ between two commits or runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .context import (
    Settings,
    common,
    complete_commit,
    find_commit,
    folder_path,
    open_service,
    pass_settings,
)
from .difftext import Side, difference
from .errors import CommandError
from .output import Column, Printer, safe, size
from .workspace import STYLES

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import Diff, FileDifference, FileEntry
    from dotscience_jupyter.api.service import WorkspaceService

PAGE = 1000


@click.command("diff")
@click.argument("old", metavar="A", shell_complete=complete_commit)
@click.argument("new", metavar="B", shell_complete=complete_commit)
@click.argument("path", required=False, type=click.Path())
@common
@pass_settings
def diff_command(settings: Settings, old: str, new: str, path: str | None) -> None:
    """Show how the files of A and B differ; with a PATH, how that file or folder does.

    A and B are commits' or runs' ids (or their first characters), HEAD or HEAD~n. Text is compared
    line by line, a notebook by the sources of its cells, other files by size and digest.
    """
    printer = settings.printer
    with open_service(settings) as service:
        a, b = find_commit(service, old), find_commit(service, new)
        under = folder_path(service, settings, path) if path is not None else ""
        if under:
            before, after = _entry(service, a, under), _entry(service, b, under)
            if before is None and after is None:
                raise CommandError(
                    "not_found",
                    f"Neither commit holds '{under}'. "
                    f"'ds diff {a[:8]} {b[:8]}' lists what differs.",
                )
            if not any(entry is not None and entry.kind == "folder" for entry in (before, after)):
                _show_file(
                    printer, _side(service, a, before, under), _side(service, b, after, under), a, b
                )
                return
        changes = _all(service, a, b, under)
    if printer.json:
        printer.document(changes)
    else:
        _show_files(printer, changes)


def _all(service: WorkspaceService, old: str, new: str, under: str) -> Diff:
    changes = service.diff(old, new, under=under, limit=PAGE)
    while len(changes.items) < changes.total:
        more = service.diff(old, new, under=under, offset=len(changes.items), limit=PAGE)
        if not more.items:
            break
        changes.items += more.items
    return changes


def _entry(service: WorkspaceService, commit: str, path: str) -> FileEntry | None:
    from dotscience_jupyter.api.errors import ApiError

    parent = path.rpartition("/")[0]
    try:
        items = service.files(commit, parent).items
    except ApiError as error:
        if error.code in ("not_found", "invalid_request"):
            return None  # the folder it lies in was not there
        raise
    return next((item for item in items if item.path == path), None)


def _side(service: WorkspaceService, commit: str, entry: FileEntry | None, path: str) -> Side:
    if entry is None:
        return Side(path)
    if entry.kind == "symlink":
        return Side(path, entry.kind, entry.size, "", f"{entry.target}\n".encode())
    content = None
    # a folder's list does not always have digests: what is not read may have none yet
    known, reader = service.find_file(commit, path)
    if entry.size <= Side.LIMIT:
        with reader() as stream:
            content = stream.read()
    return Side(path, entry.kind, entry.size, known.digest, content)


def _show_file(printer: Printer, old: Side, new: Side, a: str, b: str) -> None:
    result = difference(old, new)
    if printer.json:
        document: dict[str, Any] = {
            "old": a,
            "new": b,
            "path": new.path,
            "change": result.change,
            "old_size": old.size if old.kind else None,
            "new_size": new.size if new.kind else None,
            "old_digest": old.digest or None,
            "new_digest": new.digest or None,
            "summary": result.summary,
            "diff": result.text,
        }
        printer.document(document)
        return
    if result.text is not None and not printer.terminal:
        # whole and exact, so that patch can apply it
        printer.stream.write(result.text)
        return
    for line in (result.text or "").split("\n")[:-1]:
        printer.line(safe(line, newlines=True), style=_line_style(line))
    if result.summary:
        printer.line(safe(result.summary), style="dim")


def _line_style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"@": "cyan", "+": "green", "-": "red"}.get(line[:1], "")


def _names(item: FileDifference) -> str:
    before = f"{safe(item.old_path)} -> " if item.old_path is not None else ""
    return before + safe(item.path) + ("/" if item.kind == "folder" else "")


def _show_files(printer: Printer, changes: Diff) -> None:
    items = changes.items
    printer.table(
        [
            Column("Change", [i.change for i in items], style=lambda cell: STYLES.get(cell, "")),
            Column(
                "File",
                [_names(i) for i in items],
                least=12,
            ),
            Column("Before", [size(i.old_size) for i in items], 1, right=True),
            Column("After", [size(i.new_size) for i in items], 1, right=True),
        ],
        empty="No file differs.",
    )
