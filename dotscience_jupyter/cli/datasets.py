# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``dataset``: versioned folders of their own, and what workspaces they appear in."""

from __future__ import annotations

import importlib
import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .context import Settings, common, pass_settings
from .output import Column, Printer, many, moment, one_line, progress, safe
from .paging import paged

if TYPE_CHECKING:
    from dotscience_jupyter.api.datasets import Attaching, Waiting
    from dotscience_jupyter.datasets import Attached, Dataset
    from dotscience_jupyter.records import models

_ELSEWHERE = {
    "import": ("datasetimport", "import_command"),
    "fetch": ("datasetimport", "fetch_command"),
}


class _Group(click.Group):
    """A group of which some commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all commands: what makes datasets, then what uses them."""
        return ["create", "import", "list", "attach", "detach", "versions", "commit", "fetch"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, or None."""
        if cmd_name in _ELSEWHERE:
            module, name = _ELSEWHERE[cmd_name]
            command = getattr(importlib.import_module(f".{module}", __package__), name)
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)


@click.group("dataset", cls=_Group)
@common
def dataset_command() -> None:
    """Make, attach and list datasets: versioned folders of their own.

    A dataset is a folder with a history of its own. Workspaces attach it by name and version, and
    their runs record which version they read, and which they made.
    """


def author_of(given: str | None, folder: Path) -> str:
    """Return who commits: who is named, else Git's user, else the login name."""
    from dotscience_jupyter.committer.people import default_author

    return given or default_author(folder)


@dataset_command.command("create")
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("-m", "--message", default="Initial commit", help="Of the first version.")
@click.option("--author", help="Who commits; Git's user.name, else the login name, if not given.")
@common
@pass_settings
def create_command(
    settings: Settings, name: str, folder: Path | None, message: str, author: str | None
) -> None:
    """Make FOLDER a dataset called NAME, with its content as the first version.

    Without FOLDER a new one is made in Jupyter's data folder. A folder that is a workspace keeps
    its history.
    """
    from dotscience_jupyter.datasets import Datasets

    place = None if folder is None else settings.folder / folder
    with progress() as show:
        made = Datasets().create(
            name, place, author=author_of(author, settings.folder), message=message, progress=show
        )
    with made.opened() as opened:
        head = opened.records.head()
    printer = settings.printer
    if printer.json:
        printer.document(_document(made, head))
        return
    printer.line("The dataset ", (safe(name), "bold"), f" is in {safe(str(made.root))}")
    printer.line(f"'ds dataset attach {safe(name)}' lets a workspace use it.", style="dim")


@dataset_command.command("list")
@common
@pass_settings
def list_command(settings: Settings) -> None:
    """List the datasets of this machine, and those attached to the workspace here."""
    from dotscience_jupyter.api.knowndatasets import known_datasets
    from dotscience_jupyter.datasets import Attachments, Datasets
    from dotscience_jupyter.records import Workspace

    workspace = Workspace.find(settings.folder)
    attached = [] if workspace is None else Attachments(workspace.root).all()
    here = {each.id: each for each in attached}
    found: list[dict[str, Any]] = []
    for known in known_datasets(Datasets()):
        document = _document(known.dataset, known.head)
        if known.error:
            document["error"] = known.error
        used = here.pop(known.dataset.id, None)
        found.append(document | {"attached": None if used is None else asdict(used)})
    for each in here.values():
        found.append(
            {"name": each.name, "id": each.id, "path": None, "version": None, "created": None}
            | {"attached": asdict(each), "error": "It is not on this machine."}
        )
    printer = settings.printer
    if printer.json:
        printer.document({"items": found})
        return
    width = 8 if printer.terminal else None
    printer.table(
        [
            Column("Name", [safe(each["name"]) for each in found], style="bold"),
            Column("Version", [(each["version"] or "-")[:width] for each in found], style="yellow"),
            Column("When", [_when(each["created"], printer) for each in found], 2),
            Column("Attached at", [_attached(each["attached"]) for each in found], 1),
            Column("Folder", [_place(each) for each in found], least=12),
        ],
        empty="There is no dataset on this machine: 'ds dataset create' makes one.",
    )


def _attached(attached: dict[str, Any] | None) -> str:
    if attached is None:
        return "-"
    mode = "writable" if attached["mode"] == "write" else (attached["version"] or "newest")[:8]
    return f"{safe(attached['path'])} ({mode})"


def _place(found: dict[str, Any]) -> str:
    trouble = found.get("error")
    return one_line(trouble) if trouble else safe(found["path"])


@dataset_command.command("attach")
@click.argument("name", metavar="[NAME[@VERSION]|URL/NAME]", required=False)
@click.argument("path", required=False)
@click.option("--write", is_flag=True, help="Its live folder: runs may make new versions.")
@click.option(
    "--as", "called", default="", metavar="NAME", help="What one of a hub is called here."
)
@common
@pass_settings
def attach_command(
    settings: Settings, name: str | None, path: str | None, write: bool, called: str
) -> None:
    """Let a dataset appear in this workspace at PATH; without PATH at datasets/NAME.

    Without --write it is a version that nobody can change: VERSION (the beginning of a commit's id,
    HEAD~n), else the newest as of now. A dataset that is not on this machine is cloned from its
    hub.

    Without NAME everything that the workspace says is attached is attached here: do that once after
    you cloned a workspace, and whenever you want what is newest.
    """
    from dotscience_jupyter.records import to_text

    from .remotes import telling

    attaching, root = _attaching(settings)
    if name is None:
        with telling(), progress() as show:
            done = attaching.attach_all(show)
        if settings.printer.json:
            settings.printer.document({"items": [asdict(each) for each in done]})
            return
        for each in done:
            _tell(settings.printer, each)
        if not done:
            settings.printer.line("No dataset is attached to this workspace.")
        return
    name, version = _split(name)
    wanted = "" if path is None else to_text(_inside(settings, root, path))
    with telling(), progress() as show:
        made = attaching.attach(name, version, wanted, write=write, called=called, progress=show)
    if settings.printer.json:
        settings.printer.document(asdict(made))
    else:
        _tell(settings.printer, made)


def _split(name: str) -> tuple[str, str]:
    """Return name and version; an address may hold an ``@`` of its own before its last part."""
    head, slash, last = name.rpartition("/")
    last, _, version = last.partition("@")
    return f"{head}{slash}{last}", version


def _tell(printer: Printer, attached: Attached) -> None:
    what = attached.version[:8] if attached.version else "the newest version"
    if attached.mode == "write":
        what = "writable"
    printer.line((safe(attached.name), "bold"), f" is attached at {safe(attached.path)} ({what})")


@dataset_command.command("detach")
@click.argument("name")
@common
@pass_settings
def detach_command(settings: Settings, name: str) -> None:
    """Let a dataset not appear in this workspace any more. The dataset stays as it is."""
    from .remotes import telling

    attaching, _ = _attaching(settings)
    with telling():
        gone = attaching.detach(name)
    if settings.printer.json:
        settings.printer.document(asdict(gone))
    else:
        settings.printer.line((safe(name), "bold"), f" is not attached at {safe(gone.path)} now.")


@dataset_command.command("versions")
@click.argument("name")
@paged
@common
@pass_settings
def versions_command(settings: Settings, name: str, limit: int, offset: int) -> None:
    """List the versions of a dataset, newest first, and the runs that made them."""
    from dotscience_jupyter.api.knowndatasets import makers, versions
    from dotscience_jupyter.datasets import Datasets

    commits, total = versions(Datasets().get(name), offset, limit)
    printer = settings.printer
    if printer.json:
        items = [_version(commit) for commit in commits]
        printer.document({"items": items, "total": total, "offset": offset})
        return
    width = 8 if printer.terminal else None
    printer.table(
        [
            Column("Version", [c.id[:width] for c in commits], style="yellow"),
            Column("When", [moment(c.created, printer.terminal) for c in commits], 2, style="dim"),
            Column("Author", [safe(c.author) for c in commits], 3),
            Column("Runs", [" ".join(r[:width] for r in makers(c)) or "-" for c in commits], 2),
            Column("Message", [one_line(c.message) or "-" for c in commits], least=14),
        ]
    )


@dataset_command.command("commit")
@click.argument("name")
@click.option("-m", "--message", default="Saved by hand", help="What this version is.")
@click.option("--author", help="Who commits; Git's user.name, else the login name, if not given.")
@common
@pass_settings
def commit_command(settings: Settings, name: str, message: str, author: str | None) -> None:
    """Make a version of a dataset's folder as it is now."""
    from dotscience_jupyter.datasets import Datasets

    dataset = Datasets().get(name)
    with progress() as show:
        made = dataset.commit(message, author=author_of(author, dataset.root), progress=show)
    printer = settings.printer
    if printer.json:
        printer.document({"commit": None if made is None else _version(made)})
    elif made is None:
        printer.line("Nothing has changed since the newest version, so none was made.")
    else:
        printer.line(f"The newest version of {safe(name)} is ", (made.id[:8], "yellow"), " now.")


def waiting_datasets(root: Path) -> list[Waiting]:
    """Return which datasets attached to a workspace have versions that their hub lacks."""
    from dotscience_jupyter.datasets import ATTACHMENTS

    if not (root / ATTACHMENTS).exists():
        return []
    from dotscience_jupyter.api.datasets import Attaching

    return Attaching(root).waiting()


def tell_waiting(printer: Printer, waiting: list[Waiting]) -> None:
    """Say which datasets have versions that their hub lacks, and what to do."""
    for each in waiting:
        if each.remote is None:
            said = (
                "belongs to no hub, so others cannot have what runs read of it. In its folder: "
                "'ds remote add --create URL/NAME', then 'ds push'."
            )
        else:
            said = (
                f"has {many(each.commits, 'version')} that its hub lacks: 'ds push' in its folder."
            )
        printer.line(("Note: ", "yellow"), f"the dataset {safe(each.name)} {said}")


def _attaching(settings: Settings) -> tuple[Attaching, Path]:
    """Return what attaches datasets to the workspace here, and its root."""
    from dotscience_jupyter.api.datasets import Attaching
    from dotscience_jupyter.records import Workspace

    from .errors import no_workspace

    workspace = Workspace.find(settings.folder)
    if workspace is None:
        raise no_workspace()
    return Attaching(workspace.root), workspace.root


def _inside(settings: Settings, root: Path, path: str) -> str:
    """Return a path of the command line as a folder path; what is none is refused later."""
    top = os.path.abspath(root)
    return os.path.relpath(os.path.join(settings.folder, path), top).replace(os.sep, "/")


def _document(dataset: Dataset, head: models.Commit | None) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "id": dataset.id,
        "path": str(dataset.root),
        "version": None if head is None else head.id,
        "created": None if head is None else _instant(head.created),
    }


def _version(commit: models.Commit) -> dict[str, Any]:
    from dotscience_jupyter.api.knowndatasets import makers

    return {
        "id": commit.id,
        "created": _instant(commit.created),
        "author": commit.author,
        "type": commit.type,
        "message": commit.message,
        "runs": makers(commit),
        "workspace": commit.details.get("workspace"),
    }


def _instant(time: datetime) -> str:
    """Return a time as all JSON of ours has it."""
    return time.isoformat().replace("+00:00", "Z")


def _when(instant: str | None, printer: Printer) -> str:
    return moment(None if instant is None else datetime.fromisoformat(instant), printer.terminal)
