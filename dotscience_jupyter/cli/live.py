# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``live``: runs that have begun and are not published."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from .context import Settings, common, open_service, pass_settings
from .errors import CommandError
from .output import Column, duration, moment, one_line, safe, scalar

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import LiveRun
    from dotscience_jupyter.api.service import WorkspaceService


@click.group("live", invoke_without_command=True)
@common
@click.pass_context
def live_command(context: click.Context) -> None:
    """List the runs that are under way, newest first.

    A run is 'gone' when its process has ended and the run was not published.
    """
    if context.invoked_subcommand is not None:
        return
    settings = context.ensure_object(Settings)
    with open_service(settings) as service:
        found = service.explore.live()
    printer = settings.printer
    if printer.json:
        printer.document(found)
        return
    runs = found.items
    width = 8 if printer.terminal else None
    printer.table(
        [
            Column("Run", [run.id[:width] for run in runs], style="yellow"),
            Column("Description", [one_line(run.description) or "-" for run in runs], good=28),
            Column("State", [run.state for run in runs], 1, style=_style),
            Column("Started", [moment(run.started, printer.terminal) for run in runs], 3),
            Column("For", [_lasted(run) for run in runs], 2, style="dim"),
            Column("File", [safe(run.workload_file or "-") for run in runs], 2, good=16),
            Column("Metrics", [_metrics(run) for run in runs], 4),
        ],
        empty="No run is under way.",
    )


def _style(cell: str) -> str:
    return "bold red" if cell == "gone" else "green"


def _lasted(run: LiveRun) -> str:
    until = datetime.now(UTC) if run.state == "running" else run.updated
    return duration(max(0.0, (until - run.started).total_seconds()))


def _metrics(run: LiveRun) -> str:
    shown = (f"{safe(name)}={scalar(value)}" for name, value in sorted(run.metrics.items()))
    return " ".join(shown) or "-"


def _complete_gone(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from dotscience_jupyter.api.errors import ApiError

    try:
        with open_service(context.ensure_object(Settings)) as service:
            runs = service.explore.live().items
    except ApiError:
        return []
    return [
        CompletionItem(run.id[:8], help=one_line(run.description))
        for run in runs
        if run.state == "gone" and run.id.startswith(incomplete)
    ]


@live_command.command("abandon")
@click.argument("run", shell_complete=_complete_gone)
@common
@pass_settings
def abandon_command(settings: Settings, run: str) -> None:
    """Record a RUN whose process is gone as failed, with all that it had told."""
    with open_service(settings) as service:
        answer = service.explore.abandon(_find(service, run))
    printer = settings.printer
    if printer.json:
        printer.document(answer)
    else:
        printer.line(
            (answer.run[: 8 if printer.terminal else None], "yellow"), f"  {answer.message}"
        )


def _find(service: WorkspaceService, prefix: str) -> str:
    """Return the id of the run under way that begins so."""
    found = [run.id for run in service.explore.live().items if run.id.startswith(prefix)]
    if len(found) > 1 and prefix not in found:
        raise CommandError(
            "ambiguous",
            f"'{prefix}' is the beginning of several ids of runs under way. Give more characters.",
        )
    return found[0] if len(found) == 1 else prefix
