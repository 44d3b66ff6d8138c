# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``merge``: another commit's changes taken into the files here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .context import Settings, common, folder_path, open_service, pass_settings, push_later, settle
from .errors import CommandError
from .output import Column, Printer, many, one_line, safe
from .sides import complete_side, find_side

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import Merge, MergeResult
    from dotscience_jupyter.api.service import WorkspaceService

_STYLES = {"conflict": "bold red", "resolved": "green", "theirs": "cyan", "merged": "green"}


@click.command("merge")
@click.argument("commit", required=False, shell_complete=complete_side)
@click.option(
    "--base",
    default="",
    metavar="COMMIT",
    shell_complete=complete_side,
    help="The common ancestor, where it is not the nearest in the history.",
)
@click.option("-m", "--message", default="", help="What the commit is to say.")
@click.option("--author", help="Who merges, if not you.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("--continue", "go_on", is_flag=True, help="Commit it; the conflicts are solved.")
@click.option("--abort", is_flag=True, help="Make the files what they were before.")
@click.option("--status", is_flag=True, help="Say how far the merge is.")
@click.option(
    "--take",
    nargs=2,
    metavar="SIDE PATH",
    help="Decide a file: 'yours' or 'theirs', for all that is in conflict in it.",
)
@common
@pass_settings
def merge_command(
    settings: Settings,
    commit: str | None,
    base: str,
    message: str,
    author: str | None,
    dry_run: bool,
    go_on: bool,
    abort: bool,
    status: bool,
    take: tuple[str, str] | None,
) -> None:
    """Take the changes of COMMIT into the files here.

    What is here is committed first. Where only one side changed something it is taken; what both
    changed comes together line by line, in notebooks cell by cell. Without conflicts the result is
    committed at once, with both commits as its parents. Else the conflicts are written into the
    files between markers, also into the sources of cells: solve them and say 'ds merge --continue',
    or give up with 'ds merge --abort'.

    COMMIT is a commit's or a run's id (or its first characters), HEAD~n, or the whole id of content
    that was received.
    """
    wanted = [commit is not None, go_on, abort, status, take is not None]
    if sum(wanted) != 1:
        raise click.UsageError("Give a COMMIT, or one of --continue, --abort, --status and --take.")
    if (base or dry_run) and commit is None:
        raise click.UsageError("--base and --dry-run go with a COMMIT.")
    if take is not None and take[0] not in ("yours", "theirs"):
        raise click.UsageError("What --take takes is 'yours' or 'theirs', and then a path.")
    printer = settings.printer
    with open_service(settings) as service:
        if commit is not None:
            _begin(printer, service, commit, base, message, author, dry_run)
        elif take is not None:
            _take(settings, service, take)
        elif go_on:
            _tell(printer, service.merge.finish(message, author))
        elif abort:
            _tell(printer, service.merge.abort())
        else:
            _show(printer, service.merge.get().merge)
        settle(service)
        push_later(service)


def _begin(
    printer: Printer,
    service: WorkspaceService,
    commit: str,
    base: str,
    message: str,
    author: str | None,
    dry_run: bool,
) -> None:
    theirs, common_base = _name(service, commit), find_side(service, base) if base else ""
    if dry_run:
        _show(printer, service.merge.preview(theirs, common_base))
        return
    merge = service.merge.start(theirs, common_base, author)
    if not merge.conflicts:
        try:
            done = service.merge.finish(message, author)
        except BaseException:
            service.merge.abort()  # nothing was written
            raise
        _tell(printer, done)
        return
    try:
        merge = service.merge.write_markers()
    except BaseException:
        service.merge.abort()
        raise
    _show(printer, merge)
    raise CommandError(
        "conflict",
        f"{many(merge.conflicts, 'conflict')} to solve. Edit the files, then say 'ds merge "
        "--continue'; or give up with 'ds merge --abort'.",
        detail=_hints(merge),
    )


def _name(service: WorkspaceService, commit: str) -> str:
    try:
        return find_side(service, commit)
    except CommandError as error:
        # a whole id only: nobody types one by chance
        if error.code == "not_found" and service.engine.exists(commit):
            return commit
        raise


def _take(settings: Settings, service: WorkspaceService, take: tuple[str, str]) -> None:
    from dotscience_jupyter.api.models import Resolve

    path = folder_path(service, settings, take[1])
    wanted = Resolve(
        path=path, conflict="", choice="yours" if take[0] == "yours" else "theirs", text=None
    )
    detail = service.merge.resolve(wanted)
    if settings.printer.json:
        settings.printer.document(detail.file)
    else:
        settings.printer.line(f"{safe(path)} is {take[0]} now.")


def _tell(printer: Printer, done: MergeResult) -> None:
    if printer.json:
        printer.document(done)
        return
    printer.line(one_line(done.message))
    if done.written:
        names = ", ".join(safe(path) for path in done.written[:10])
        more = f" and {len(done.written) - 10} more" if len(done.written) > 10 else ""
        printer.line(f"{many(len(done.written), 'file')}: {names}{more}", style="dim")


def _show(printer: Printer, merge: Merge | None) -> None:
    if printer.json:
        from dotscience_jupyter.api.models import MergeAnswer

        printer.document(MergeAnswer(merge=merge))
        return
    if merge is None:
        printer.line("No merge is under way.")
        return
    if printer.terminal:
        printer.line("Taking ", (safe(merge.theirs.label), "yellow"), " into what is here.")
        printer.line(f"In common: {safe(merge.base.label)}", style="dim")
    files = [file for file in merge.files if file.state != "yours"]
    printer.table(
        [
            Column("State", [file.state for file in files], style=lambda s: _STYLES.get(s, "")),
            Column("File", [safe(file.path) for file in files], least=12),
            Column("Change", [file.change or "-" for file in files], 2),
            Column("Conflicts", [str(file.conflicts or "-") for file in files], 1, right=True),
            Column("Why", [safe(file.message) for file in files], 3, least=12),
        ],
        empty="Theirs changed nothing that is not here.",
    )
    if merge.stale:
        printer.line("The files here have changed since the merge was begun.", style="yellow")


def _hints(merge: Merge) -> str:
    whole = [file.path for file in merge.files if file.conflicts and file.change is None]
    if not whole:
        return ""
    names = "\n".join(f"ds merge --take yours|theirs {safe(path)}" for path in whole[:5])
    return f"Files that have no place for markers are decided as a whole:\n{names}"
