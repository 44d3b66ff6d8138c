# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``run``: run a command here, tracked."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Settings, common, open_service, pass_settings, push_later, settle
from .errors import CommandError
from .output import Printer, many, one_line, safe

if TYPE_CHECKING:
    from dotscience_jupyter.committer import Committed


@click.command(
    "run",
    # from the first word of the command on, everything belongs to the command
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--description", default="", help="What this run is; for a command that says nothing itself."
)
@click.option("--author", help="Who runs it; Git's user.name, else the login name, if not given.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@common
@pass_settings
def run_command(
    settings: Settings, description: str, author: str | None, command: tuple[str, ...]
) -> int:
    """Run a COMMAND here and record it: its output, the runs it publishes, the files it changes.

    Its output is shown as it comes, and its exit status is ours. With --json the command's standard
    output goes to standard error, so that standard output is one JSON document.
    """
    stdout = sys.stderr.buffer if settings.json else sys.stdout.buffer
    sys.stdout.flush()
    with open_service(settings) as service:
        _check(command[0], settings.folder)
        result: tuple[int, Committed] = service.committer.run_command(
            list(command),
            description=description,
            author=author,
            stdout=stdout,
            stderr=sys.stderr.buffer,
            cwd=settings.folder,
        )
        status, committed = result
        stdout.flush()
        _tell(settings, status, committed)
        settle(service)
        push_later(service)
    return status


def _check(name: str, folder: Path) -> None:
    """Raise CommandError, with the exit codes of a shell, for what is no command."""
    path = os.path.join(folder, name) if os.path.dirname(name) else shutil.which(name)
    if path is None or not os.path.exists(path):
        raise CommandError(
            "command_not_found", f"There is no command '{name}'. Nothing was run.", exit=127
        )
    if os.path.isdir(path) or not os.access(path, os.X_OK):
        raise CommandError(
            "command_not_executable", f"'{name}' is not a program. Nothing was run.", exit=126
        )


def _tell(settings: Settings, status: int, committed: Committed) -> None:
    if settings.json:
        settings.printer.document(
            {
                "status": status,
                "commits": [commit.id for commit in committed.commits],
                "runs": committed.runs,
                "errors": [
                    {"type": e.type, "notebook": e.notebook, "cell": e.cell, "message": e.message}
                    for e in committed.errors
                ],
            }
        )
        return
    notes = Printer(False, stream=sys.stderr)
    for error in committed.errors:
        notes.line(("Warning: ", "yellow"), one_line(error.message))
    for skipped in committed.skipped:
        notes.line(("Skipped: ", "yellow"), f"{safe(skipped.path)}: {one_line(skipped.reason)}")
    if committed.runs:
        names = " ".join(identity[:8] for identity in committed.runs[:5])
        more = " ..." if len(committed.runs) > 5 else ""
        notes.line(f"[ds] recorded {many(len(committed.runs), 'run')}: {names}{more}", style="dim")
    else:
        notes.line("[ds] no run was recorded", style="dim")
