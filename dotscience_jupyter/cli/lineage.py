# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``lineage``: what a run was made from, back to the raw data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .context import Settings, common, complete_run, open_service, pass_settings
from .output import Printer, one_line, safe, size

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import Lineage, LineageNode


@click.command("lineage")
@click.argument("run", shell_complete=complete_run)
@common
@pass_settings
def lineage_command(settings: Settings, run: str) -> None:
    """Show what a RUN was made from: files, the runs that wrote them, back to the raw data."""
    with open_service(settings) as service:
        lineage = service.lineage(run)
    printer = settings.printer
    if printer.json:
        printer.document(lineage)
    else:
        show_lineage(printer, lineage)


def show_lineage(printer: Printer, lineage: Lineage) -> None:
    """Write the tree of runs that a run was made from; a run met again is not told again."""
    nodes = {node.run.id: node for node in lineage.nodes}
    told: set[str] = set()
    # (id, what stands before it, what stands before its children): depth first, without
    # recursion, since a chain may be thousands of runs long
    left: list[tuple[str, str, str]] = [(lineage.run, "", "")]
    while left:
        identity, before, margin = left.pop()
        node = nodes.get(identity)
        if node is None:
            continue
        again = identity in told
        told.add(identity)
        makers = dict.fromkeys(file.made_by for file in node.inputs if file.made_by in nodes)
        makers.pop(identity, None)
        _tell(printer, node, before, margin + ("│  " if makers else "   "), again)
        if not again:
            branches = [(margin + "├─ ", margin + "│  ")] * len(makers)
            branches[-1:] = [(margin + "└─ ", margin + "   ")] * bool(makers)
            children = zip(makers, branches, strict=True)
            left += reversed([(maker, *branch) for maker, branch in children if maker])
    printer.line()
    if not lineage.sources:
        printer.line(
            "Nothing else went in: every file that was read was written by a run above.",
            style="dim",
        )
        return
    printer.line(("Raw data, written by no run:", "bold"))
    for file in lineage.sources:
        note = f"  {size(file.size)}" if file.size is not None else ""
        printer.line("  ", safe(file.path), (note, "dim"))


def _tell(printer: Printer, node: LineageNode, before: str, margin: str, again: bool) -> None:
    run = node.run
    place = f"  {safe(run.workload_file)}" if run.workload_file else ""
    identity = run.id[:8] if printer.terminal else run.id
    printer.line(
        before,
        (identity, "yellow"),
        "  ",
        (one_line(run.description) or "(no description)", "bold"),
        (place + (" (see above)" if again else ""), "dim"),
    )
    if again:
        return
    for verb, files in (("read ", node.inputs), ("wrote", node.outputs)):
        if files:
            names = ", ".join(safe(file.path) for file in files[:5])
            more = f" and {len(files) - 5} more" if len(files) > 5 else ""
            printer.line(margin, (verb, "cyan"), f" {names}{more}")
