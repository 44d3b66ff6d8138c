# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``runs`` and ``show``: what ran."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import click

from .completion import complete_where
from .context import (
    Settings,
    ambiguous,
    common,
    complete_commit,
    find_commit,
    look_up,
    open_service,
    pass_settings,
)
from .output import (
    Column,
    Printer,
    duration,
    many,
    moment,
    one_line,
    progress,
    safe,
    scalar,
    size,
)
from .paging import paged, pages
from .workspace import waiting_runs

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import (
        CommitDetail,
        LogText,
        RunDetail,
        RunFile,
        RunSummary,
    )

WHERE_HELP = """\b
Fields of --where and --sort:
  metrics.NAME  parameters.NAME  labels.NAME  (a NAME with spaces: metrics."my name")
  description status error author file authority commit id
  started ended created seconds
Conditions of --where:
  =  !=  <  <=  >  >=  ~ (contains)  in (..., ...)  is null  is not null
  joined by and, or, not and parentheses; text and times in quotes
For example:
  --where "metrics.accuracy > 0.9 and parameters.model = 'svm'"
  --where "status = 'failed' and started >= '2026-01-31'"
  --sort "metrics.accuracy desc, started"
"""


@click.command("runs", epilog=WHERE_HELP)
@click.option(
    "--where",
    default="",
    metavar="CONDITION",
    shell_complete=complete_where,
    help="Only runs of which this is true.",
)
@click.option(
    "--search", default="", metavar="WORDS", help="Only runs in which all these words occur."
)
@click.option("--sort", default="", metavar="KEYS", help="Order; newest first if not given.")
@paged
@common
@pass_settings
def runs_command(
    settings: Settings, where: str, search: str, sort: str, limit: int, offset: int
) -> None:
    """List the runs, newest first."""
    with open_service(settings) as service:
        page = pages(partial(service.runs, where, search, sort), offset, limit)
        waiting = waiting_runs(service.workspace.spool)
    printer = settings.printer
    if printer.json:
        printer.document(page)
        return
    filtered = where or search
    empty = (
        "No run matches."
        if filtered
        else "No runs yet: publish one with 'import dotscience as ds'."
    )
    printer.table(run_columns(page.items, printer.terminal), empty=empty)
    notes = Printer(False, stream=sys.stderr)
    if not notes.terminal:
        return
    if len(page.items) + offset < page.total:
        notes.line(
            f"{len(page.items)} of {many(page.total, 'run')}; see --limit and --offset.",
            style="dim",
        )
    if waiting:
        notes.line(
            f"{many(waiting, 'published run')} not recorded yet: 'ds commit' does it.",
            style="yellow",
        )


def run_columns(runs: list[RunSummary], terminal: bool) -> list[Column]:
    """Return the columns of a table of runs; metrics matter more than parameters."""
    width = 8 if terminal else None
    metrics = _names((run.metrics for run in runs), terminal)
    parameters = _names((run.parameters for run in runs), terminal)
    columns = [
        Column("Run", [run.id[:width] for run in runs], style="yellow"),
        Column("Description", [_title(run) for run in runs], least=10, good=28),
        Column("Status", [state(run) for run in runs], 1, style=state_style),
        Column("When", [moment(run.created, terminal) for run in runs], 3, style="dim"),
        Column("File", [safe(run.workload_file or "-") for run in runs], 2, least=10, good=16),
    ]
    for importance, kind, names in ((4, "metrics", metrics), (5, "parameters", parameters)):
        for name in names:
            columns.append(
                Column(
                    # a pipe gets the name that --where knows, which is also unique
                    safe(name) if terminal else f"{kind}.{safe(name)}",
                    [scalar(getattr(run, kind).get(name)) for run in runs],
                    importance,
                    least=max(6, min(len(name), 12)),
                    right=True,
                    style="cyan" if kind == "parameters" else "",
                )
            )
    columns.append(Column("Author", [safe(run.author) for run in runs], 6, style="dim"))
    return columns


def _names(values: Iterable[Mapping[str, object]], common_first: bool) -> list[str]:
    counts = Counter(name for each in values for name in each)
    return sorted(counts, key=lambda name: (-counts[name] if common_first else 0, name))


def _title(run: RunSummary) -> str:
    if run.authority == "correction":
        return one_line(run.description) or "files changed that no run explains"
    return one_line(run.description) or "-"


def state(run: RunSummary) -> str:
    """Return how a run ended, or that it is not one that code declared."""
    if run.status == "failed":
        return "failed"
    return "ok" if run.authority in ("workload", "remote") else run.authority


def state_style(cell: str) -> str:
    """Return how the text of :func:`state` looks."""
    return {"failed": "bold red", "ok": "green"}.get(cell, "magenta")


@click.command("show")
@click.argument("name", metavar="RUN-OR-COMMIT", shell_complete=complete_commit)
@click.option("--log", metavar="NAME", help="Print this log of the run instead.")
@click.option(
    "--content-id",
    is_flag=True,
    help="Show the commit with its content id, which is computed if it is not known.",
)
@common
@pass_settings
def show_command(settings: Settings, name: str, log: str | None, content_id: bool) -> None:
    """Show everything that is known of a RUN or a COMMIT.

    It is named by its id or the first characters of it, a commit also by HEAD or HEAD~n.
    """
    printer = settings.printer
    with open_service(settings) as service:
        if log is not None:
            _show_log(printer, service.log(service.run(name).id, log))
            return
        commit, run = look_up(service, name)
        if content_id:
            with progress() as show:
                if show:
                    show(0, 0, "Computing the content id")
                commit, run = service.commit_detail(find_commit(service, name), True), None
    if commit is not None and run is not None:
        raise ambiguous(name)
    if run is not None:
        printer.document(run) if printer.json else show_run(printer, run)
    elif commit is not None:
        printer.document(commit) if printer.json else show_commit(printer, commit)


def _show_log(printer: Printer, text: LogText) -> None:
    if printer.json:
        printer.document(text)
        return
    if text.truncated:
        click.echo(f"(the last {size(len(text.text))} of {size(text.size)})", err=True)
    # a terminal gets no control characters of a program that ran once; a pipe gets all
    shown = safe(text.text, newlines=True) if printer.terminal else text.text
    click.echo(shown, nl=not shown.endswith("\n"))


def show_commit(printer: Printer, commit: CommitDetail) -> None:
    """Write everything about one commit for a person."""
    printer.line((safe(commit.message, newlines=True) or "(no message)", "bold"))
    printer.pairs(
        [
            ("commit", commit.id),
            ("parents", " ".join(commit.parents)),
            ("type", safe(commit.type)),
            ("recorded", moment(commit.created, printer.terminal)),
            ("author", safe(commit.author)),
            ("snapshot", safe(commit.snapshot)),
            ("content id", commit.content_id),
            ("runs", " ".join(commit.runs)),
        ]
    )


def show_run(printer: Printer, run: RunDetail) -> None:
    """Write everything about one run for a person."""
    printer.line((safe(run.description, newlines=True) or "(no description)", "bold"))
    place = safe(run.workload_file or "")
    if run.cell is not None and run.cell.execution_count is not None:
        place += f", execution [{run.cell.execution_count}]"
    printer.pairs(
        [
            ("run", run.id),
            ("commit", run.commit),
            ("status", state(run)),
            ("error", one_line(run.error or "")),
            ("traceback", one_line(run.traceback or "")),
            ("started", moment(run.started, printer.terminal) if run.started else ""),
            ("took", duration(run.seconds) if run.seconds is not None else ""),
            ("recorded", moment(run.created, printer.terminal)),
            ("author", safe(run.author)),
            ("file", place),
            ("models", ", ".join(map(safe, run.models))),
        ]
    )
    points = {series.name: f"  ({many(series.count, 'point')})" for series in run.series}
    for title, values in (
        ("Parameters", run.parameters),
        ("Metrics", run.metrics),
        ("Labels", run.labels),
        ("Seeds", run.seeds),
    ):
        if values:
            printer.heading(title)
            notes = points if title == "Metrics" else {}
            printer.pairs(
                (name, scalar(value) + notes.get(name, "")) for name, value in values.items()
            )
    for title, files in (("Read", run.inputs), ("Wrote", run.outputs)):
        if files:
            printer.heading(title)
            for file in files:
                printer.line("  ", safe(file.path), ("  " + file_note(file), "dim"))
    for used in run.datasets:
        verb = "Read" if used.direction == "input" else "Wrote"
        version = f" at {used.version[:8]}" if used.version else ""
        printer.heading(f"{verb} of the dataset {safe(used.name)}{version}")
        for file in used.files:
            printer.line("  ", safe(file.path), ("  " + file_note(file), "dim"))
    if run.environment:
        printer.heading("Environment")
        printer.pairs(environment(run.environment, run.resources))
    if run.logs:
        printer.heading("Logs")
        printer.pairs((entry.name, size(entry.size)) for entry in run.logs)


def file_note(file: RunFile) -> str:
    """Return what is known of a version of a file, short."""
    notes = []
    if file.size is not None:
        notes.append(size(file.size))
    if file.made_by:
        where = "" if file.made_in is None else " of another workspace"
        notes.append(f"written by run {file.made_by[:8]}{where}")
    elif file.version:
        notes.append(f"as of commit {file.version[:8]}")
    return ", ".join(notes)


def environment(
    known: Mapping[str, object], resources: Mapping[str, object]
) -> list[tuple[str, str]]:
    """Return the environment of a run as names and values; what was not recorded is left out."""

    def part(*names: str) -> str:
        value: object = known
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return one_line(str(value)) if value not in (None, "", [], {}) else ""

    packages = known.get("packages")
    gpus = known.get("gpu")
    git = part("git", "commit")[:12]
    if git:
        dirty = known["git"].get("dirty") if isinstance(known["git"], dict) else None
        git += " with changes" if dirty else ""
    ram = known.get("ram")
    peak = resources.get("peak_ram")
    cpu_seconds = resources.get("cpu_seconds")
    count = part("cpu", "count")
    return [
        ("Python", f"{part('python', 'implementation')} {part('python', 'version')}".strip()),
        ("platform", part("platform", "text")),
        ("CPU", part("cpu", "model") + (f" x {count}" if count else "")),
        ("GPU", ", ".join(one_line(str(gpu)) for gpu in gpus) if isinstance(gpus, list) else ""),
        ("RAM", size(ram) if isinstance(ram, int) else ""),
        ("used", size(peak) + " of RAM at most" if isinstance(peak, int) else ""),
        ("CPU time", duration(cpu_seconds) if isinstance(cpu_seconds, float | int) else ""),
        (
            "packages",
            f"{len(packages)} (see --json)" if isinstance(packages, dict) and packages else "",
        ),
        ("Git", git),
        ("image", part("image", "name")),
    ]
