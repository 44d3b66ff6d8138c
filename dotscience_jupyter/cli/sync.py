# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``push``, ``fetch``, ``pull`` and ``clone``: commits on their way to a hub and from one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .commits import clone_command as clone_commit
from .context import Settings, common, complete_commit, open_service, pass_settings, settle
from .datasets import tell_waiting, waiting_datasets
from .errors import CommandError
from .output import many, progress, safe
from .remotes import open_sync, telling

_SAID = {
    "nothing": "There is no commit yet, so nothing was sent.",
    "current": "The hub has every commit.",
    "behind": "The hub has every commit, and more: 'ds pull' brings them.",
}


@click.command("push")
@common
@pass_settings
def push_command(settings: Settings) -> None:
    """Send the hub every commit that it does not have, with content and runs.

    Only what the hub lacks travels. A push that is cut goes on where it was when it is begun again.
    """
    with open_service(settings) as service:
        with telling(), progress(as_bytes=True) as show:
            done = open_sync(service).push(show)
        printer = settings.printer
        if done.state == "diverged":
            raise CommandError(
                "diverged",
                f"The hub has commits that yours do not build upon. Yours are kept there, under "
                f"{done.ref}, but are not its newest. 'ds fetch' brings the others, "
                f"'ds merge {done.head[:12]}' takes them into yours; then push again.",
                more={"head": done.head, "ref": done.ref},
            )
        with telling():
            waiting = waiting_datasets(service.workspace.root)
        if printer.json:
            printer.document(asdict(done) | {"datasets": [asdict(each) for each in waiting]})
        else:
            printer.line(
                _SAID.get(done.state)
                or f"Sent {many(done.commits, 'commit')}; the hub is at {done.head[:8]} now."
            )
            tell_waiting(printer, waiting)
        settle(service)


@click.command("fetch")
@common
@pass_settings
def fetch_command(settings: Settings) -> None:
    """Take the hub's commits that are not here, without touching any file."""
    with open_service(settings) as service, telling(), progress(as_bytes=True) as show:
        done = open_sync(service).fetch(show)
    printer = settings.printer
    if printer.json:
        printer.document(asdict(done))
    elif not done.head:
        printer.line("The hub has no commit yet.")
    elif not done.commits:
        printer.line("Every commit of the hub is here.")
    else:
        printer.line(f"Fetched {many(done.commits, 'commit')}; the hub is at {done.head[:8]}.")


@click.command("pull")
@common
@pass_settings
def pull_command(settings: Settings) -> None:
    """Take the hub's commits that are not here, and bring the files to the newest.

    Files are changed only if they are committed and the hub's commits build upon yours; otherwise
    you are told, and nothing is changed. Ignored files stay as they are.
    """
    with open_service(settings) as service, telling(), progress(as_bytes=True) as show:
        done = open_sync(service).pull(show)
    printer = settings.printer
    if printer.json:
        printer.document(asdict(done))
    elif done.commits:
        printer.line(
            f"The files are as in {done.head[:8]} now, {many(done.commits, 'commit')} further."
        )
    elif done.head:
        printer.line("There is nothing newer on the hub.")
    else:
        printer.line("The hub has no commit yet.")


@click.command("clone")
@click.argument("source", metavar="COMMIT|URL/PROJECT", shell_complete=complete_commit)
@click.argument("folder", metavar="NEW-FOLDER", type=click.Path(path_type=Path))
@common
@click.pass_context
def clone_command(context: click.Context, source: str, folder: Path) -> None:
    """Make a NEW-FOLDER with a project of a hub, or with the content of a COMMIT of this workspace.

    URL/OWNER/PROJECT, or hub:PROJECT if you are logged in on one hub only, gives a workspace with
    the project's whole history that belongs to the hub; one that was cut goes on when it is begun
    again. A COMMIT (a commit's or a run's id or its first characters, HEAD or HEAD~n) gives its
    files alone: they share room with the commit where the file system can, and are no workspace
    until you make them one with 'ds init'.
    """
    from dotscience_jupyter.sync import clone, find_project, is_address

    if not is_address(source):
        context.invoke(clone_commit, commit=source, folder=folder)
        return
    settings = context.ensure_object(Settings)
    with telling(), progress(as_bytes=True) as show:
        done = clone(find_project(source), settings.folder / folder, progress=show)
    printer = settings.printer
    if printer.json:
        printer.document(
            {"path": safe(str(done.folder)), "commits": done.commits, "head": done.head}
        )
    else:
        printer.line(f"Cloned {many(done.commits, 'commit')} to {safe(str(folder))}")
