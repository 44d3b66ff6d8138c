# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``init``, ``status`` and ``commit``: the workspace as a whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Settings, common, open_service, pass_settings, push_later, settle
from .errors import CommandError
from .output import Column, Printer, many, one_line, progress, safe, size

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import ChangedFile
    from dotscience_jupyter.api.service import WorkspaceService
    from dotscience_jupyter.records.workspace import Workspace
    from dotscience_jupyter.sync import SyncStatus

STYLES = {
    "clean": "green",
    "changed": "yellow",
    "committing": "cyan",
    "error": "red",
    "added": "green",
    "modified": "yellow",
    "removed": "red",
    "renamed": "cyan",
}


@click.command("init")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Also a home folder, or a folder inside a workspace.")
@common
@pass_settings
def init_command(settings: Settings, path: Path | None, force: bool) -> None:
    """Start tracking a folder: PATH, else the Git work tree's root, else this folder.

    Nothing of yours is changed; everything of ours goes into its folder '.dotscience'.
    """
    from dotscience_jupyter.records.workspace import Workspace, suggest_root

    if path is None:
        found = None if force else Workspace.find(settings.folder)
        root = found.root if found else suggest_root(settings.folder)
    else:
        root = Path(os.path.normpath(settings.folder / path))
        outer = Workspace.find(root) if root.is_dir() else None
        if outer is not None and outer.root != root and not force:
            raise CommandError(
                "exists",
                f"{root} lies inside the workspace {outer.root}, so it is tracked already. Nothing "
                "was changed; use --force to make it a workspace of its own.",
            )
    existed = Workspace.is_at(root)
    workspace = Workspace.create(root, force=force)
    _tell_init(settings, workspace, existed)


def _tell_init(settings: Settings, workspace: Workspace, existed: bool) -> None:
    from dataclasses import replace

    with open_service(replace(settings, folder=workspace.root)) as service:
        info = service.info()
    printer = settings.printer
    if printer.json:
        printer.document(
            {**info.model_dump(mode="json"), "root": safe(str(workspace.root)), "existed": existed}
        )
        return
    root = safe(str(workspace.root))
    if existed:
        printer.line(f"{root} is tracked already ({many(info.runs, 'run')}).")
        return
    printer.line("Tracking ", (root, "bold"), ".")
    printer.line(
        "Runs that 'import dotscience as ds' publishes here are recorded from now on.", style="dim"
    )


@click.command("status")
@common
@pass_settings
def status_command(settings: Settings) -> None:
    """Say what changed since the newest commit and what the committer could not read."""
    with open_service(settings) as service, progress() as show:
        if show:
            show(0, 0, "Looking for changes")
        status = service.status(fresh=True)
        info = service.info()
        waiting = waiting_runs(service.workspace.spool)
        root = safe(str(service.workspace.root))
        hub = _hub(service)
    printer = settings.printer
    if printer.json:
        from .remotes import hub_document

        more = {} if hub is None else {"hub": hub_document(hub)}
        printer.document({**status.model_dump(mode="json"), **more})
        return
    printer.line("Workspace ", (root, "bold"))
    printer.line(
        f"{many(info.runs, 'run')} in {many(info.commits, 'commit')}, engine {safe(info.engine)}"
        + (", work put off (a running server does it)" if info.engine_state.put_off else ""),
        style="dim",
    )
    printer.line((status.status, STYLES.get(status.status, "")), f": {one_line(status.message)}")
    if waiting:
        printer.line(
            f"{many(waiting, 'published run')} not recorded yet: 'ds commit' does it.",
            style="yellow",
        )
    for error in status.error_detail:
        where = safe(error.notebook or "") + (
            f", cell {error.cell}" if error.cell is not None else ""
        )
        printer.line(("problem ", "red"), f"{where}: " if where else "", one_line(error.message))
    if status.changed_files:
        printer.line()
        printer.table(
            [
                Column("Change", [f.file_status for f in status.changed_files], style=_style),
                Column("File", [_named(f) for f in status.changed_files], least=12),
                Column("Size", [size(f.size) for f in status.changed_files], 1, right=True),
            ]
        )
    if status.more_changed_files:
        printer.line(f"and {many(status.more_changed_files, 'more file')}", style="dim")
    if hub is not None:
        from .remotes import tell_hub

        printer.line()
        tell_hub(printer, hub)


def _hub(service: WorkspaceService) -> SyncStatus | None:
    """Return how the workspace and its hub stand, None if it has none; the hub is not asked."""
    if not (service.workspace.folder / "sync" / "remote.json").exists():
        return None  # most have none, and what moves commits takes a while to import
    from .remotes import open_sync, telling

    with telling():
        return open_sync(service).status()


def _named(file: ChangedFile) -> str:
    if file.old_filename is None:
        return safe(file.filename)
    return f"{safe(file.old_filename)} -> {safe(file.filename)}"


def _style(cell: str) -> str:
    return STYLES.get(cell, "")


def waiting_runs(spool: Path) -> int:
    """Return how many published runs wait in the spool to be committed."""
    try:
        names = os.listdir(spool)
    except FileNotFoundError:
        return 0
    return sum(name.endswith(".json") and not name.startswith(".") for name in names)


@click.command("commit")
@click.option("-m", "--message", default="", help="What this state of the files is.")
@click.option("--author", help="Who commits; Git's user.name, else the login name, if not given.")
@common
@pass_settings
def commit_command(settings: Settings, message: str, author: str | None) -> None:
    """Freeze the files as they are now, and record runs that wait to be recorded."""
    with open_service(settings) as service, progress() as show:
        result = service.commit(message, author=author, progress=show)
        for error in service.status().error_detail:
            where = safe(error.notebook or "the spool")
            Printer(False, stream=sys.stderr).line(
                ("Warning: ", "yellow"), f"{where}: {one_line(error.message)}"
            )
        printer = settings.printer
        if printer.json:
            printer.document(result)
        else:
            printer.line(one_line(result.message))
        settle(service)
        push_later(service)
