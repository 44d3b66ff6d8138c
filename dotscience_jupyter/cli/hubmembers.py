# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``hub collaborator``: who may use a project of a hub, said on its own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .context import Settings, common, pass_settings
from .errors import CommandError
from .hubplace import opened, placed
from .output import Column, safe

if TYPE_CHECKING:
    from dotscience_jupyter.hub.config import Services
    from dotscience_jupyter.hub.project import ProjectInfo


@click.group("collaborator")
@common
def collaborator_command() -> None:
    """Let users into a project, to read it or to write to it as well; list them.

    PROJECT is OWNER/NAME, or the project's id.
    """


@collaborator_command.command("add")
@click.argument("project")
@click.argument("user")
@click.option("--read-only", is_flag=True, help="USER reads and does not write.")
@placed
@common
@pass_settings
def add_command(
    settings: Settings, /, project: str, user: str, read_only: bool, **given: Any
) -> None:
    """Let USER read PROJECT and write to it.

    Who is in already reads and writes from then on, or only reads.
    """
    with opened(**given) as services:
        info = _project(services, project)
        found = services.identity.get_user(user)
        services.members.add(info, found, "read" if read_only else "write")
        role = services.members.role(found, info)
    assert role is not None
    if settings.printer.json:
        told = {"user": found.name, "role": role.name, "access": role.access}
        settings.printer.document({"project": info.id, **told})
        return
    what = "read" if role.access == "read" else "read and write"
    as_what = "" if role.name == "collaborator" else f", being the {role.name}"
    settings.printer.line(f"{safe(found.name)} may {what} {_title(info)}{as_what}.")


@collaborator_command.command("remove")
@click.argument("project")
@click.argument("user")
@placed
@common
@pass_settings
def remove_command(settings: Settings, /, project: str, user: str, **given: Any) -> None:
    """Let USER into PROJECT no more, at once."""
    with opened(**given) as services:
        info = _project(services, project)
        found = services.identity.get_user(user)
        services.members.remove(info, found)
    if settings.printer.json:
        settings.printer.document({"project": info.id, "user": found.name})
    else:
        settings.printer.line(f"{safe(found.name)} is no collaborator of {_title(info)}.")


@collaborator_command.command("list")
@click.argument("project")
@placed
@common
@pass_settings
def list_command(settings: Settings, /, project: str, **given: Any) -> None:
    """List the owner and the collaborators of PROJECT."""
    with opened(**given) as services:
        found = services.members.of(_project(services, project))
    printer = settings.printer
    if printer.json:
        items = [
            {"name": user.name, "role": role.name, "access": role.access} for user, role in found
        ]
        printer.document({"items": items})
        return
    printer.table(
        [
            Column("Name", [safe(user.name) for user, _ in found], style="bold"),
            Column("Role", [role.name for _, role in found]),
            Column("May", ["read" if r.access == "read" else "read, write" for _, r in found]),
        ]
    )


def _project(services: Services, text: str) -> ProjectInfo:
    """Return the project, dataset or dot that is called that. Raise CommandError if none is."""
    projects = services.projects
    owner, _, name = text.partition("/")
    found = projects.get(text) or projects.by_name(owner, name) or projects.by_dot(owner, name)
    if found is None:
        raise CommandError(
            "not_found",
            f"There is no project {text!r}. It is called OWNER/NAME, or by its id: "
            "'hub project list' shows both.",
        )
    return found


def _title(info: ProjectInfo) -> str:
    return safe(f"{info.owner}/{info.name}")
