# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``log``, ``restore``, ``clone`` and ``rollback``: the history, and going back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import (
    Settings,
    common,
    complete_commit,
    find_commit,
    find_content,
    folder_path,
    open_service,
    pass_settings,
    push_later,
    settle,
)
from .errors import CommandError
from .output import Column, Printer, many, moment, one_line, progress, safe
from .paging import paged, pages

if TYPE_CHECKING:
    from dotscience_jupyter.api.service import WorkspaceService


@click.command("log")
@paged
@common
@pass_settings
def log_command(settings: Settings, limit: int, offset: int) -> None:
    """List the commits, newest first."""
    with open_service(settings) as service:
        page = pages(service.commits, offset, limit)
    printer = settings.printer
    if printer.json:
        printer.document(page)
        return
    width = 8 if printer.terminal else None
    commits = page.items
    printer.table(
        [
            Column("Commit", [c.id[:width] for c in commits], style="yellow"),
            Column("When", [moment(c.created, printer.terminal) for c in commits], 2, style="dim"),
            Column("Author", [safe(c.author) for c in commits], 3),
            Column("Runs", [str(len(c.runs)) for c in commits], 1, right=True),
            Column("Message", [one_line(c.message) or "-" for c in commits], least=14),
        ],
        empty="No commits yet.",
    )
    notes = Printer(False, stream=sys.stderr)
    if notes.terminal and len(commits) + offset < page.total:
        notes.line(
            f"{len(commits)} of {many(page.total, 'commit')}; see --limit and --offset.",
            style="dim",
        )


@click.command("restore")
@click.argument("commit", shell_complete=complete_commit)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--to",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder to write to; new or empty, so that no work is ever overwritten.",
)
@common
@pass_settings
def restore_command(settings: Settings, commit: str, paths: tuple[str, ...], to: Path) -> None:
    """Write the files of a COMMIT into a new folder: all of them, or only PATHs.

    COMMIT is a commit's or a run's id (or its first characters), HEAD or HEAD~n.
    """
    with open_service(settings) as service, progress() as show:
        identity = find_content(service, commit)
        wanted = [folder_path(service, settings, path) for path in paths]
        if "" in wanted:
            wanted = []  # the workspace itself: everything
        result = service.restore(identity, settings.folder / to, wanted, progress=show)
    printer = settings.printer
    if printer.json:
        printer.document(result)
    else:
        printer.line(
            f"Restored {many(result.files, 'file')} of commit ",
            (identity[:8], "yellow"),
            f" to {safe(str(to))}",
        )


@click.command("clone")
@click.argument("commit", shell_complete=complete_commit)
@click.argument("folder", metavar="NEW-FOLDER", type=click.Path(path_type=Path))
@common
@pass_settings
def clone_command(settings: Settings, commit: str, folder: Path) -> None:
    """Make a NEW-FOLDER with the content of a COMMIT, to go on from there.

    It shares room with the commit where the file system can. It is no workspace until you make it
    one with 'ds init'. COMMIT is a commit's or a run's id (or its first characters), HEAD or
    HEAD~n.
    """
    with open_service(settings) as service, progress() as show:
        identity = find_content(service, commit)
        result = service.clone(identity, settings.folder / folder, progress=show)
    printer = settings.printer
    if printer.json:
        printer.document(result)
    else:
        printer.line("Cloned ", (identity[:8], "yellow"), f" to {safe(str(folder))}")


@click.command("rollback")
@click.argument("commit", shell_complete=complete_commit)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--author", help="Who goes back; Git's user.name, else the login name, if not given.")
@common
@pass_settings
def rollback_command(settings: Settings, commit: str, yes: bool, author: str | None) -> None:
    """Make the files of the workspace what they were in a COMMIT.

    What is there now is committed first, so nothing is lost, and later commits stay. Ignored files
    stay as they are. COMMIT is a commit's or a run's id (or its first characters), HEAD or HEAD~n.
    """
    with open_service(settings) as service, progress() as show:
        identity = find_commit(service, commit)
        if not yes:
            _ask(settings, service, identity)
        result = service.rollback(identity, author=author, progress=show)
        printer = settings.printer
        if printer.json:
            printer.document(result)
        else:
            printer.line(one_line(result.message))
        settle(service)
        push_later(service)


def _ask(settings: Settings, service: WorkspaceService, commit: str) -> None:
    """Say what will happen and ask. Raise CommandError where nobody can answer."""
    if settings.json or not sys.stdin.isatty():
        raise CommandError(
            "confirmation_needed",
            "The files of the workspace would be changed, and there is no terminal to ask on. "
            "Nothing was done; say --yes to do it.",
            exit=2,
        )
    target = service.commit_detail(commit)
    count = service.diff("HEAD", target.id, limit=1).total
    notes = Printer(False, stream=sys.stderr)
    notes.line(
        f"The files of {safe(str(service.workspace.root))} become what they were in commit ",
        (target.id[:8], "yellow"),
        f" ({moment(target.created, True)}, {one_line(target.message) or 'no message'}).",
    )
    differs = (
        f"It differs from the newest commit in {many(count, 'file')}."
        if count
        else "The newest commit has the same files: only what is not committed changes."
    )
    notes.line(f"{differs} What is there now is committed first, so nothing is lost.")
    click.confirm("Go back?", abort=True, err=True)
