# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``provenance``: what files, runs and models were made from, and what came of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Settings, common, complete_run, folder_path, open_service, pass_settings
from .errors import CommandError
from .output import Printer, one_line, safe, scalar, size

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import LineageChange, LineageComparison, ValueChange
    from dotscience_jupyter.api.provenanceacross import Across
    from dotscience_jupyter.api.service import WorkspaceService
    from dotscience_jupyter.provenance import Graph, Node
    from dotscience_jupyter.records import Workspace

KINDS = ("run", "file", "model", "digest")


@click.command("provenance")
@click.argument("target", metavar="PATH|RUN|MODEL", required=False, shell_complete=complete_run)
@click.option("--up", is_flag=True, help="What it was made from, to the raw data (the default).")
@click.option("--down", is_flag=True, help="What came of it, directly or not.")
@click.option(
    "--depth",
    type=click.IntRange(0, 100_000),
    default=0,
    metavar="N",
    help="At most so many runs away.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "json", "dot", "prov", "openlineage"]),
    default="tree",
    help="How to write it; prov is W3C PROV-JSON, dot Graphviz.",
)
@click.option("--compare", "other", metavar="B", help="Say how the lineage of B differs.")
@click.option(
    "--with",
    "folders",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Follow it into the workspace in this folder as well; may be given several times.",
)
@common
@pass_settings
def provenance_command(
    settings: Settings,
    target: str | None,
    up: bool,
    down: bool,
    depth: int,
    form: str,
    other: str | None,
    folders: tuple[Path, ...],
) -> None:
    """Show where a file, a run or a model came from, or what came of it.

    PATH may end in @COMMIT. Where a name could be several things write file:PATH, run:ID or
    model:NAME; digest:HEX is all that has that content. Without a name the newest runs are
    written, in one of the formats for programs.
    """
    printer = settings.printer
    as_json = printer.json or form == "json"
    direction = "both" if up and down else "down" if down else "up"
    if target is None and (other is not None or (form == "tree" and not as_json)):
        raise click.UsageError("Name a file, a run or a model.")
    if folders and (target is None or other is not None):
        raise click.UsageError(
            "--with follows one file, run or model into other workspaces: name it, and leave "
            "--compare out."
        )
    others = [_workspace(settings.folder / folder) for folder in folders] or None
    with open_service(settings) as service:
        start = "" if target is None else meaning(service, settings, target)
        if other is not None:
            against = meaning(service, settings, other)
            comparison = service.provenance.compare(start, against)
            if as_json:
                Printer(True).document(comparison)
            else:
                _show_comparison(printer, comparison)
        elif others is not None:
            across = service.provenance.across(others, start, direction, depth)
            if as_json:
                Printer(True).document(service.provenance.told(across))
            elif form == "tree":
                names = {each.workspace.id: str(each.workspace.root) for each in across.others}
                _show(printer, across.graph, direction, names)
            else:
                _write(printer, form, service.provenance.written(across.graph, form))
            if not as_json:
                _tell_problems(across)
        elif as_json:
            Printer(True).document(service.provenance.graph(start, direction, depth))
        elif form == "tree":
            _show(printer, service.provenance.find(start, direction, depth), direction, {})
        else:
            text, _ = service.provenance.export(start, direction, form, depth)
            _write(printer, form, text)


def _write(printer: Printer, form: str, text: str) -> None:
    if form == "dot":
        printer.stream.write(safe(text, newlines=True))
    else:
        Printer(True).document(json.loads(text))


def _tell_problems(across: Across) -> None:
    for each in across.others:
        if each.problem:
            click.echo(
                f"{safe(str(each.workspace.root))} was not looked into, so what it made is missing "
                f"here. {safe(each.problem)}",
                err=True,
            )


def _workspace(folder: Path) -> Workspace:
    """Return the workspace at or above a folder that was named."""
    from dotscience_jupyter.records import Workspace, WorkspaceError

    try:
        found = Workspace.find(Path(os.path.normpath(folder)))
    except WorkspaceError as error:
        raise CommandError("unreadable", str(error)) from None
    if found is None:
        raise CommandError(
            "no_workspace",
            f"'{folder}' is in no workspace, so nothing is recorded there. Name the folder of a "
            "workspace after --with; 'ds init' makes a folder one.",
        )
    return found


def meaning(service: WorkspaceService, settings: Settings, name: str) -> str:
    """Return what a name given on the command line means, with its kind before it.

    Raises
    ------
    CommandError
        ``not_found`` if nothing, ``ambiguous`` if several things.
    """
    kind, colon, rest = name.partition(":")
    if colon and kind in KINDS:
        return f"file:{_path(service, settings, rest)}" if kind == "file" else name
    starts = {
        "file": f"file:{_path(service, settings, name)}",
        "run": f"run:{name}",
        "model": f"model:{name}",
    }
    found = [each for each, start in starts.items() if name and service.provenance.has(start)]
    if len(found) > 1:
        choices = " or ".join(f"{each}:{name}" for each in found)
        raise CommandError("ambiguous", f"'{name}' means several things. Say which: {choices}.")
    if not found:
        raise CommandError(
            "not_found",
            f"No file, run or model is called '{name}' in what is recorded. A new file is recorded "
            "with the next commit; 'ds runs' lists the runs.",
        )
    return starts[found[0]]


def _path(service: WorkspaceService, settings: Settings, path: str) -> str:
    """Return a path as runs know it: relative to the workspace, or absolute outside of it."""
    from dotscience_jupyter.records.paths import to_text

    # a file of a dataset, which is no path that could be normalized
    if "//" in path and service.provenance.has(f"file:{path}"):
        return path
    try:
        return folder_path(service, settings, path)
    except CommandError:
        return to_text(os.path.abspath(settings.folder / path).replace(os.sep, "/"))


def _show(printer: Printer, graph: Graph, direction: str, names: dict[str, str]) -> None:
    from dotscience_jupyter.provenance.tree import tree

    for up, title in ((True, "Made from"), (False, "Went into")):
        if direction not in ("both", "up" if up else "down"):
            continue
        if direction == "both":
            printer.line((title, "bold"))
        for branch in tree(graph, up):
            where = names.get(branch.node.workspace, "")
            _tell(printer, branch.before, branch.node, branch.kind == "same", branch.again, where)
            hidden = branch.node.hidden_up if up else branch.node.hidden_down
            if hidden and not branch.again:
                printer.line(branch.margin, (f"… {hidden:,} more", "dim"))
        if direction == "both" and up:
            printer.line()
    if direction != "down":
        _show_sources(printer, graph, names)
    if graph.truncated:
        printer.line("There is more than is shown here; --depth shows what is near.", style="dim")


def _show_sources(printer: Printer, graph: Graph, names: dict[str, str]) -> None:
    sources = graph.sources()
    if not sources:
        if graph.truncated or any(node.hidden_up for node in graph.nodes):
            return  # what is not shown may well be raw data
        printer.line()
        printer.line(
            "Nothing else went in: every file that was read was written by a run above.",
            style="dim",
        )
        return
    printer.heading("Raw data, written by no run:")
    for node in sources:
        assert node.file is not None
        note = f"  {size(node.size)}" if node.size is not None else ""
        where = _in(names.get(node.workspace, ""))
        printer.line("  ", safe(node.file.path), (note, "dim"), (where, "cyan"))


def _in(workspace: str) -> str:
    return f"  in {safe(workspace)}" if workspace else ""


def _tell(
    printer: Printer, before: str, node: Node, same: bool, again: bool, workspace: str
) -> None:
    above = " (see above)" if again else ""
    models = "".join(f"  model {one_line(name)}" for name in node.models)
    if node.run is not None:
        run = node.run
        place = f"  {safe(run.workload_file)}" if run.workload_file else ""
        failed = "  failed" if run.status == "failed" else ""
        printer.line(
            before,
            (run.id[:8] if printer.terminal else run.id, "yellow"),
            "  ",
            (one_line(run.description) or "(no description)", "bold"),
            (place, "dim"),
            (failed, "red"),
            (_in(workspace), "cyan"),
            (models, "green"),
            (above, "dim"),
        )
        return
    assert node.file is not None
    version = node.file.version or ""
    printer.line(
        before,
        ("identical to " if same else "", "cyan"),
        safe(node.file.path),
        (f"@{version[:8] if printer.terminal else version}" if version else "", "dim"),
        (_in(workspace), "cyan"),
        (models, "green"),
        ("  raw data" if node.source else "", "dim"),
        (above, "dim"),
    )


def _show_comparison(printer: Printer, found: LineageComparison) -> None:
    told = False
    for title, files in (("Files", found.files), ("Programs", found.programs)):
        if files:
            told = True
            printer.heading(title)
            for change in files:
                printer.line("  ", safe(change.path), ("  " + _versions(change), "dim"))
    for title, values in (("Parameters", found.parameters), ("Environment", found.environments)):
        if values:
            told = True
            printer.heading(title)
            for value in values:
                printer.line("  ", *_difference(value))
    if not told:
        printer.line("Nothing differs between the two lineages.", style="dim")
    if found.truncated:
        printer.line("A lineage is too large to be compared as a whole.", style="dim")


def _versions(change: LineageChange) -> str:
    if change.a is None and change.b is not None:
        return "only in the second"
    if change.b is None and change.a is not None:
        return "only in the first"
    return f"{(change.a or '-')[:8]} -> {(change.b or '-')[:8]}"


def _difference(value: ValueChange) -> list[str | tuple[str, str]]:
    place = f"  {safe(value.run_file)}" if value.run_file else ""
    return [
        (one_line(value.name), "cyan"),
        f"  {scalar(value.a)} -> {scalar(value.b)}",
        (place, "dim"),
    ]
