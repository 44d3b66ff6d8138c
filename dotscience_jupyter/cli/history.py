# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``history``: the versions of a file."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from .context import Settings, common, folder_path, open_service, pass_settings
from .output import Column, Printer, many, moment, one_line, safe, size
from .paging import paged, pages

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import FileVersion


@click.command("history")
@click.argument("path", type=click.Path())
@paged
@common
@pass_settings
def history_command(settings: Settings, path: str, limit: int, offset: int) -> None:
    """List the versions of the file PATH, newest first, with the runs that made them.

    A renamed file is followed: what it was called before is listed, too.
    """
    with open_service(settings) as service:
        file = folder_path(service, settings, path)
        found = pages(partial(service.history.versions, file), offset, limit)
    printer = settings.printer
    if printer.json:
        printer.document(found)
        return
    width = 8 if printer.terminal else None
    items = found.items
    names = {item.path for item in items} | {found.path}
    columns = [
        Column("Commit", [item.commit[:width] for item in items], style="yellow"),
        Column("When", [moment(item.created, printer.terminal) for item in items], 2, style="dim"),
        Column("Change", [item.change for item in items], 1),
        Column("Size", [size(item.size) for item in items], 3, right=True),
        Column("Author", [safe(item.author) for item in items], 5),
        Column("Runs", [_runs(item, width) for item in items], 4),
        Column("Message", [one_line(item.message) or "-" for item in items], least=14),
    ]
    if len(names) > 1:
        columns.insert(3, Column("Path", [safe(item.path) for item in items], 1))
    printer.table(columns, empty="No commit has this file yet.")
    notes = Printer(False, stream=sys.stderr)
    if found.changed and found.total:
        notes.line("The file differs from its newest version.", style="dim")
    if notes.terminal and len(items) + offset < found.total:
        notes.line(
            f"{len(items)} of {many(found.total, 'version')}; see --limit and --offset.",
            style="dim",
        )


def _runs(version: FileVersion, width: int | None) -> str:
    names = [run.id[:width] for run in version.runs]
    more = version.total_runs - len(names)
    return " ".join([*names, *([f"+{more}"] if more else [])]) or "-"
