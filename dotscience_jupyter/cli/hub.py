# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``hub``: serve a team's projects, and look after such a server on its own machine."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from .context import Settings, common, pass_settings
from .hubadmin import key_command, user_command
from .hubcare import gc_command, verify_command
from .hubmembers import collaborator_command
from .hubplace import configured, opened, placed
from .output import Column, many, moment, one_line, safe

if TYPE_CHECKING:
    from dotscience_jupyter.hub.audit import AuditEntry
    from dotscience_jupyter.hub.project import ProjectInfo

DAMAGED = 3


@click.group("hub", invoke_without_command=True)
@common
@click.pass_context
def hub_command(context: click.Context) -> None:
    """Serve a team's projects, and look after such a server.

    Without a command it starts a hub for this machine only: SQLite and a folder in Jupyter's data
    folder. See 'hub start --help' for more.
    """
    if context.invoked_subcommand is None:
        context.invoke(start_command)


@hub_command.command("start")
@click.option("--ip", metavar="IP", help="Listen here; 127.0.0.1 without it, 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), help="8770 without it; 0 takes a free one.")
@click.option(
    "--storage",
    metavar="URL",
    help="s3://BUCKET/PREFIX or zfs:POOL/ROOT for content; the data folder without it.",
)
@click.option("--storage-endpoint", metavar="URL", help="The S3 service, if not Amazon's.")
@click.option("--certfile", metavar="FILE", help="TLS certificate with its chain (PEM).")
@click.option("--keyfile", metavar="FILE", help="Key of the certificate (PEM).")
@click.option("--base-url", metavar="URL", help="How clients call the hub, behind a proxy.")
@click.option(
    "--jupyterhub/--no-jupyterhub",
    default=None,
    help="Be the service of JupyterHub that the environment says; its users need no other login.",
)
@click.option(
    "--log-format",
    "log_style",
    type=click.Choice(["text", "json"]),
    help="Form of the log's lines.",
)
@placed
@common
@pass_settings
def start_command(settings: Settings, /, **given: Any) -> None:
    """Start a hub and serve until it is told to stop (Ctrl+C or SIGTERM).

    Where there is no admin yet, one is made. Its password is in the environment variable
    DOTSCIENCE_ADMIN_PASSWORD, or is made up, shown, and good for one login; until somebody has
    used it, every start makes up another one.
    """
    hub = configured(**given)
    printer = settings.printer

    def ready(url: str, password: str | None) -> None:
        if printer.json:
            line = {"url": url, "data": hub.data}
            if password is not None:
                line |= {"admin": "admin", "password": password}
            # one line, so that a program need not wait for an end
            sys.stdout.write(json.dumps(line) + "\n")
        else:
            printer.line("The hub is at ", (safe(url), "bold"))
            printer.line("Its data are in ", safe(hub.data))
            if password is not None:
                printer.line("The first admin is ", ("admin", "bold"), ", password ",
                             (password, "bold"))  # fmt: skip
                printer.line(
                    "This password is shown once and logs in once: `jupyter dotscience login` gets "
                    "an API key for it.",
                    style="yellow",
                )
            if hub.ip not in ("127.0.0.1", "::1", "localhost") and not hub.certfile:
                printer.line(
                    "Passwords and data travel readable by others: the hub listens to the network "
                    "without TLS. Use --certfile and --keyfile, or a proxy with TLS in front.",
                    style="yellow",
                )
        sys.stdout.flush()

    hub.serve(ready)


@hub_command.command("upgrade")
@placed
@common
@pass_settings
def upgrade_command(settings: Settings, /, **given: Any) -> int:
    """Bring the database of a hub to this version. Stop the hub and make a backup before.

    The records of every project come along, also of those that were deleted and can be restored.
    Exits with 1 if that failed with one; the others were done.
    """
    hub = configured(**given)
    services = hub.services(upgrade=True)
    try:
        projects = [*services.projects.all(), *services.projects.deleted()]
        # opening a project brings its records along
        failed = services.projects.visit_all(projects, lambda project: None)
    finally:
        services.close()
    printer = settings.printer
    if printer.json:
        problems = [{"project": info.id, "problem": why} for info, why in failed]
        printer.document({"projects": len(projects), "problems": problems})
        return int(bool(failed))
    for info, why in failed:
        printer.line(info.id, "  ", (safe(why), "red"))
    done = many(len(projects) - len(failed), "project")
    printer.line(
        f"The hub is up to date, but for the above; {done} came along."
        if failed
        else f"The hub is up to date, with {done}."
    )
    return int(bool(failed))


@hub_command.command("audit")
@click.argument("what", type=click.Choice(["list", "verify"]), default="list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1))
@click.option("--head", default="", metavar="DIGEST", help="A digest that was told before.")
@placed
@common
@pass_settings
def audit_command(settings: Settings, /, what: str, limit: int, head: str, **given: Any) -> int:
    """Say who did what to which object when, newest first; or check that nobody changed it.

    'verify' checks that no entry was changed, removed or put in, and tells the digest of the
    newest one. Keep that somewhere else: given as --head the next time, it proves that the end of
    the log was not cut off either. Exits with 3 if something is wrong.
    """
    with opened(**given) as services:
        if what == "verify":
            problems, newest = services.audit.verify(head)
            _, total = services.audit.entries(limit=1)
            return _verified(settings, problems, newest, total)
        entries, total = services.audit.entries(limit=limit)
    printer = settings.printer
    if printer.json:
        items = [asdict(entry) | {"time": _time(entry).isoformat()} for entry in entries]
        for item in items:
            del item["time_ns"]
        printer.document({"items": items, "total": total})
        return 0
    printer.table(
        [
            Column("No.", [str(entry.sequence) for entry in entries], right=True),
            Column("When", [moment(_time(entry), printer.terminal) for entry in entries]),
            Column("Who", [safe(entry.actor) for entry in entries]),
            Column("Did", [safe(entry.action) for entry in entries]),
            Column("To", [one_line(entry.object) for entry in entries], least=14),
            Column("Details", [safe(json.dumps(entry.details)) for entry in entries], 1, least=14),
        ],
        empty="Nothing was done yet.",
    )
    return 0


def _verified(settings: Settings, /, problems: list[str], newest: str, total: int) -> int:
    printer = settings.printer
    if printer.json:
        printer.document({"entries": total, "head": newest, "problems": problems})
    else:
        for problem in problems:
            printer.line((safe(problem), "red"))
        if not problems:
            printer.line(f"{many(total, 'entry', 'entries')}, all as written.", style="green")
        printer.line("Newest digest: ", newest)
    return DAMAGED if problems else 0


@hub_command.group("project")
@common
def project_command() -> None:
    """List the hub's projects; bring deleted ones back, or remove them for good."""


@project_command.command("list")
@click.option("--deleted", is_flag=True, help="Those that were deleted and not purged.")
@placed
@common
@pass_settings
def list_command(settings: Settings, /, deleted: bool, **given: Any) -> None:
    """List all projects of the hub."""
    with opened(**given) as services:
        found = services.projects.deleted() if deleted else services.projects.all()
    printer = settings.printer
    if printer.json:
        printer.document({"items": [_project(info) for info in found]})
        return
    printer.table(
        [
            Column("Id", [info.id for info in found], style="yellow"),
            Column("Owner", [safe(info.owner) for info in found]),
            Column("Name", [safe(info.name) for info in found]),
            Column("Kind", [info.kind for info in found], 1),
            Column("Created", [moment(info.created, printer.terminal) for info in found], 2),
        ],
        empty="There is none.",
    )


@project_command.command("restore")
@click.argument("id_", metavar="ID")
@placed
@common
@pass_settings
def restore_command(settings: Settings, /, id_: str, **given: Any) -> None:
    """Bring a deleted project back, with all that was in it."""
    with opened(**given) as services:
        info = services.projects.restore(id_)
    if settings.printer.json:
        settings.printer.document(_project(info))
    else:
        settings.printer.line(f"{safe(info.owner)} has the project {safe(info.name)} again.")


@project_command.command("purge")
@click.argument("id_", metavar="ID")
@placed
@common
@pass_settings
def purge_command(settings: Settings, /, id_: str, **given: Any) -> None:
    """Remove a deleted project with its records and content, for good."""
    with opened(**given) as services:
        services.projects.purge(id_)
    if settings.printer.json:
        settings.printer.document({"id": id_})
    else:
        settings.printer.line("It is gone, and its room is free.")


def _project(info: ProjectInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "owner": info.owner,
        "name": info.name,
        "kind": info.kind,
        "dot": info.dot,
        "created": info.created.isoformat(),
        "deleted": None if info.deleted is None else info.deleted.isoformat(),
    }


def _time(entry: AuditEntry) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=entry.time_ns // 1000)


hub_command.add_command(gc_command)
hub_command.add_command(verify_command)
hub_command.add_command(user_command)
hub_command.add_command(key_command)
hub_command.add_command(collaborator_command)
