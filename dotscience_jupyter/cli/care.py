# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``verify``, ``repair``, ``usage`` and ``gc``: looking after what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .context import Settings, common, open_service, pass_settings
from .output import Column, Printer, many, one_line, progress, safe, size

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import SnapshotUsage, VerifyProblem

PROBLEMS_FOUND = 3


@click.command("verify")
@common
@pass_settings
def verify_command(settings: Settings) -> int:
    """Read everything that was recorded and compare it with its digests.

    Exits with 3 when something is not as it was recorded.
    """
    with open_service(settings) as service, progress() as show:
        result = service.verify(progress=show)
    printer = settings.printer
    if printer.json:
        printer.document(result)
    else:
        what = f"{many(result.commits, 'commit')} and {many(result.snapshots, 'snapshot')} read"
        if result.problems:
            printer.line((f"{what}: {many(len(result.problems), 'problem')}.", "bold red"))
            _show_problems(printer, result.problems)
            printer.line("'ds repair' mends what can be mended.", style="dim")
        else:
            printer.line((f"{what}: everything is as it was recorded.", "green"))
    return PROBLEMS_FOUND if result.problems else 0


@click.command("repair")
@common
@pass_settings
def repair_command(settings: Settings) -> int:
    """Mend stored files that are damaged, and say exactly what is lost.

    What is damaged is taken from wherever else it is whole: another copy in the store, or a file
    of the folder that still has it. Nothing that can be read is dropped. Exits with 3 when
    something is lost.
    """
    with open_service(settings) as service, progress() as show:
        result = service.repair(progress=show)
    printer = settings.printer
    if printer.json:
        printer.document(result)
        return PROBLEMS_FOUND if result.lost else 0
    what = f"{many(result.snapshots, 'snapshot')} read"
    if not result.mended and not result.lost:
        printer.line((f"{what}: nothing is damaged.", "green"))
        return 0
    if result.mended:
        printer.line((f"{what}: {many(len(result.mended), 'problem')} mended.", "green"))
        _show_problems(printer, result.mended)
    if result.lost:
        printer.line((f"{what}: {many(len(result.lost), 'problem')} cannot be mended.", "bold red"))
        _show_problems(printer, result.lost)
        printer.line("Everything else can be read and restored.", style="dim")
    return PROBLEMS_FOUND if result.lost else 0


def _show_problems(printer: Printer, problems: Sequence[VerifyProblem]) -> None:
    width = 8 if printer.terminal else None
    printer.table(
        [
            Column("Commit", [(p.commit or "-")[:width] for p in problems], 1, style="yellow"),
            Column("File", [safe(p.path or "-") for p in problems], 1, least=12),
            Column("Problem", [one_line(p.message) for p in problems], least=20),
        ]
    )


@click.command("usage")
@click.option("--each", is_flag=True, help="Also what each commit's files take; takes longer.")
@common
@pass_settings
def usage_command(settings: Settings, each: bool) -> None:
    """Say how much room the stored content takes."""
    with open_service(settings) as service, progress() as show:
        if show:
            show(0, 0, "Adding up")
        result = service.usage(each)
    printer = settings.printer
    if printer.json:
        printer.document(result)
        return
    printer.line(
        f"{many(result.snapshots, 'snapshot')} {'takes' if result.snapshots == 1 else 'take'} "
        f"{size(result.stored_bytes)} on disk; "
        f"plain copies would take {size(result.logical_bytes)}."
    )
    printer.line(
        f"Engine {safe(result.engine)}"
        + "".join(f", {own(safe(name), value)}" for name, value in result.extra.items()),
        style="dim",
    )
    if each:
        printer.line()
        _show_each(printer, result.each)


def own(name: str, value: int) -> str:
    """Return a number of the engine's own for people."""
    what = name.removesuffix(" bytes")
    return many(value, name.removesuffix("s")) if what == name else f"{what} {size(value)}"


def _show_each(printer: Printer, each: Sequence[SnapshotUsage]) -> None:
    width = 8 if printer.terminal else None
    printer.table(
        [
            Column(
                "Commits",
                [" ".join(c[:width] for c in item.commits) or "-" for item in each],
                least=8,
                style="yellow",
            ),
            Column("Snapshot", [safe(item.snapshot) for item in each], 2, least=12, style="dim"),
            Column("Alone", [size(item.alone) for item in each], right=True),
            Column("Shared", [size(item.shared) for item in each], right=True),
            Column("Files", [size(item.logical) for item in each], 1, right=True),
        ]
    )


@click.command("gc")
@click.option("--received", is_flag=True, help="Also of what was received and no commit needs.")
@common
@pass_settings
def gc_command(settings: Settings, received: bool) -> None:
    """Free the room of what no commit needs: content left by interrupted or lost commits."""
    with open_service(settings) as service, progress() as show:
        result = service.gc(progress=show, received=received)
    printer = settings.printer
    if printer.json:
        printer.document(result)
    else:
        printer.line(
            f"Freed {size(result.freed_bytes)}; the store now takes {size(result.stored_bytes)}."
        )
