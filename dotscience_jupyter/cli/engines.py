# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``engine``: what freezes the files of a folder, and what that needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .context import Settings, common, pass_settings
from .output import many, one_line, safe

MISSING = 3


@click.group("engine")
@common
def engine_command() -> None:
    """Say what freezes and keeps the files of this folder, and what that needs."""


def place(settings: Settings) -> tuple[Path, Path]:
    """Return the workspace's root, else the folder at hand, and where its content is kept."""
    from dotscience_jupyter.records.workspace import MARKER, Workspace

    workspace = Workspace.find(settings.folder)
    if workspace is not None:
        return workspace.root, workspace.store
    return settings.folder, settings.folder / MARKER / "store"


@engine_command.command("check")
@click.option("--engine", "name", default="auto", metavar="NAME", help="Check this one instead.")
@common
@pass_settings
def check_command(settings: Settings, name: str) -> int:
    """Say which snapshot engine this folder has, or would have, and what is missing for it.

    The folder need not be tracked. Where the file system has an engine of its own that cannot be
    used yet, what that one misses is listed as well. Exits with 3 when something is missing.
    """
    from dotscience_jupyter.snapshots import check_engine

    folder, store = place(settings)
    chosen, checks = check_engine(folder, store, name)
    printer = settings.printer
    missing = [check for check in checks if not check.ok]
    if printer.json:
        printer.document({"engine": chosen, "checks": [asdict(check) for check in checks]})
        return MISSING if missing else 0
    printer.line("Engine ", (safe(chosen), "bold"), f" for {safe(str(folder))}")
    for check in checks:
        mark = ("ok       ", "green") if check.ok else ("missing  ", "bold red")
        found = f": {one_line(check.found)}" if check.found else ""
        printer.line("  ", mark, one_line(check.what), (found, "dim"))
        for line in check.advice.splitlines() if not check.ok else ():
            printer.line("           ", safe(line))
    if missing:
        printer.line(f"{many(len(missing), 'thing')} missing.", style="bold red")
    else:
        printer.line("Nothing is missing.", style="green")
    return MISSING if missing else 0


@engine_command.command("list")
@common
@pass_settings
def list_command(settings: Settings) -> None:
    """List the snapshot engines that are installed, and say which one this folder has."""
    from dotscience_jupyter.snapshots import check_engine, engine_names

    chosen, _ = check_engine(*place(settings))
    names = engine_names()
    printer = settings.printer
    if printer.json:
        printer.document({"engines": names, "engine": chosen})
        return
    for name in names:
        printer.line(safe(name), ("  (this folder's)" if name == chosen else "", "dim"))
