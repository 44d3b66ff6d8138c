# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``send`` and ``receive``: content on its way to another machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .context import Settings, common, complete_commit, find_content, open_service, pass_settings
from .errors import CommandError
from .output import Column, Printer, progress, safe

if TYPE_CHECKING:
    from dotscience_jupyter.api.errors import ApiError
    from dotscience_jupyter.api.service import WorkspaceService


@click.command("send")
@click.argument("commit", shell_complete=complete_commit)
@click.option(
    "--base",
    metavar="COMMIT",
    shell_complete=complete_commit,
    help="A commit that the receiver has; only what is new since is sent.",
)
@click.option("--resume", default="", metavar="TOKEN", help="Go on with a transfer that was cut.")
@common
@pass_settings
def send_command(settings: Settings, commit: str, base: str | None, resume: str) -> None:
    r"""Write the content of a COMMIT to standard output, for 'ds receive' elsewhere.

    \b
    ds send HEAD | ssh host ds -C project receive
    ds send HEAD --base HEAD~1 > changes.stream

    The receiver's workspace must be kept by the same engine. Content is sent, not records: runs,
    messages and authors stay here. COMMIT is a commit's or a run's id (or its first characters),
    HEAD, HEAD~n, or the whole id of a snapshot.
    """
    if settings.json or sys.stdout.isatty():
        raise CommandError(
            "usage",
            "What is sent is binary, so it does not go to a terminal or into JSON. "
            "Send it into a file or a pipe: ds send COMMIT > FILE",
            exit=2,
        )
    with open_service(settings) as service, progress(as_bytes=True) as show:
        known = None if base is None else find_content(service, base)
        service.send(find_content(service, commit), sys.stdout.buffer, known, resume, show)
        sys.stdout.buffer.flush()


@click.command("receive")
@click.option("--partial", is_flag=True, help="List transfers that were cut instead.")
@common
@pass_settings
def receive_command(settings: Settings, partial: bool) -> None:
    """Take in content that 'ds send' wrote, from standard input.

    The files of this workspace are not touched, and no commit is made. What was received is there
    whole or not at all, and stays until 'ds gc --received'. If the transfer is cut, what arrived
    is kept, and you are told how to go on.
    """
    printer = settings.printer
    with open_service(settings) as service:
        if partial:
            _show_partial(printer, service)
            return
        if sys.stdin.isatty():
            raise CommandError(
                "usage",
                "What is received comes from a file or a pipe: ds receive < FILE",
                exit=2,
            )
        snapshot = _receive(service)
    if printer.json:
        printer.document({"snapshot": snapshot})
        return
    printer.line("Received snapshot ", (safe(snapshot), "yellow"))
    printer.line(f"'ds restore {safe(snapshot)} --to DIR' writes its files.", style="dim")


def _receive(service: WorkspaceService) -> str:
    from dotscience_jupyter.api.errors import ApiError
    from dotscience_jupyter.snapshots import TransferError

    try:
        with progress(as_bytes=True) as show:
            return service.receive(sys.stdin.buffer, show)
    except ApiError as error:
        if isinstance(error.__cause__, TransferError):
            raise _cut(service, error, error.__cause__.token) from error
        raise


def _cut(service: WorkspaceService, error: ApiError, token: str) -> CommandError:
    """Return what to tell of a transfer that was cut: also how to go on."""
    if not token:
        return CommandError(error.code, error.message)
    snapshot = next((key for key, known in service.partial().items() if known == token), "COMMIT")
    command = f"ds send {snapshot} --resume {token}"
    return CommandError(
        error.code,
        error.message,
        detail=(
            "To go on, let the sender do this (with the same --base, if there was one) and "
            f"receive it here:\n{command}"
        ),
        more={"token": token, "snapshot": snapshot, "command": command},
    )


def _show_partial(printer: Printer, service: WorkspaceService) -> None:
    found = service.partial()
    if printer.json:
        printer.document({"partial": [{"snapshot": s, "token": t} for s, t in found.items()]})
        return
    printer.table(
        [
            Column("Snapshot", [safe(snapshot) for snapshot in found], least=12, style="yellow"),
            Column("To go on", [f"ds send {safe(s)} --resume {safe(t)}" for s, t in found.items()]),
        ],
        empty="No transfer was cut.",
    )
