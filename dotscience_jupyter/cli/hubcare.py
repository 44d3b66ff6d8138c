# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``hub verify`` and ``hub gc``: what a hub keeps, checked and tidied up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .context import Settings, common, pass_settings
from .errors import CommandError
from .hubplace import opened, placed
from .output import many, safe, size

if TYPE_CHECKING:
    from dotscience_jupyter.hub.project import Project

DAMAGED = 3


@click.command("verify")
@click.argument("project", metavar="[ID]", required=False)
@placed
@common
@pass_settings
def verify_command(settings: Settings, /, project: str | None, **given: Any) -> int:
    """Check all projects, or the one with ID: every record and every stored byte.

    It may take long, and the hub may run meanwhile. Exits with 3 if something is damaged.
    """
    found: list[dict[str, str]] = []
    with opened(**given) as services:
        projects = services.projects.all()
        if project is not None:
            projects = [info for info in projects if info.id == project]
            if not projects:
                raise _no_project(project)

        def check(each: Project) -> None:
            problems = [message for _, message in each.records.verify()]
            problems += [
                f"{problem.path}: {problem.message}" if problem.path else problem.message
                for problem in each.engine.verify(each.records.snapshots())
            ]
            found.extend({"project": each.info.id, "problem": problem} for problem in problems)

        failed = services.projects.visit_all(projects, check)
        found += [{"project": info.id, "problem": why} for info, why in failed]
    printer = settings.printer
    if printer.json:
        printer.document({"projects": len(projects), "problems": found})
    else:
        for problem in found:
            printer.line(problem["project"], "  ", (safe(problem["problem"]), "red"))
        if not found:
            printer.line(f"{many(len(projects), 'project')}, all as recorded.", style="green")
    return DAMAGED if found else 0


@click.command("gc")
@placed
@common
@pass_settings
def gc_command(settings: Settings, /, **given: Any) -> int:
    """Free the room of content that no commit of a project needs, such as cut uploads.

    The hub may run meanwhile: what is being uploaded stays, and who writes to a project waits
    until it is done there. Exits with 1 if that failed in one project; the others were done.
    """
    freed: list[int] = []
    with opened(**given) as services:
        projects = services.projects.all()
        failed = services.projects.visit_all(projects, lambda each: freed.append(each.gc()))
    printer = settings.printer
    if printer.json:
        problems = [{"project": info.id, "problem": why} for info, why in failed]
        printer.document({"projects": len(freed), "freed_bytes": sum(freed), "problems": problems})
        return int(bool(failed))
    for info, why in failed:
        printer.line(info.id, "  ", (safe(why), "red"))
    printer.line(f"Freed {size(sum(freed))} in {many(len(freed), 'project')}.")
    return int(bool(failed))


def _no_project(id_: str) -> CommandError:
    return CommandError("not_found", f"The hub has no project with the id {safe(id_)}.")
