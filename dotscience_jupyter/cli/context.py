# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What every command shares: options, the service it asks, how names given by the user are read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from .errors import CommandError
from .output import Printer, safe

if TYPE_CHECKING:
    from dotscience_jupyter.api.models import CommitDetail, RunDetail
    from dotscience_jupyter.api.service import WorkspaceService

Command = TypeVar("Command", bound=Callable[..., Any])

SETTLE_SECONDS = 1.0

PUSH = "DOTSCIENCE_PUSH"
"""The environment variable that is 0 where commits are only pushed when that is asked for."""

HEAD = re.compile(r"HEAD(~\d*)?$")


@dataclass(slots=True)
class Settings:
    """What the options that all commands have were set to."""

    json: bool = False
    folder: Path = field(default_factory=Path.cwd)

    @property
    def printer(self) -> Printer:
        """Where results go."""
        return Printer(self.json)


def _set_json(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Settings).json = True


def _set_folder(
    context: click.Context, parameter: click.Parameter, values: tuple[Path, ...]
) -> None:
    settings = context.ensure_object(Settings)
    for value in values:  # each from where the one before led, as git does it
        folder = settings.folder / value
        if not folder.is_dir():
            raise click.BadParameter(f"'{safe(str(value))}' is not a folder.", context, parameter)
        settings.folder = Path(os.path.normpath(folder))


def common(command: Command) -> Command:
    """Add the options that every command has."""
    command = click.option(
        "--json",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_set_json,
        help="Answer (and fail) in JSON.",
    )(command)
    return click.option(
        "-C",
        "--workspace",
        metavar="DIR",
        multiple=True,
        type=click.Path(path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_set_folder,
        help="Work as if started in this folder.",
    )(command)


pass_settings = click.make_pass_decorator(Settings, ensure=True)


@contextmanager
def open_service(settings: Settings) -> Iterator[WorkspaceService]:
    """Open the workspace at or above the chosen folder. Raise ApiError if there is none."""
    from dotscience_jupyter.api.service import WorkspaceService

    service = WorkspaceService.open(settings.folder)
    try:
        yield service
    finally:
        service.close()


def settle(service: WorkspaceService) -> None:
    """Do what the engine put off, once everything was told, for as long as nobody minds.

    What would take longer is left to a server, or to the commands that need it.
    """
    sys.stdout.flush()
    service.committer.settle(SETTLE_SECONDS)


def push_later(service: WorkspaceService) -> None:
    """Have the hub, if the workspace belongs to one, sent what it does not have, in a process.

    Nobody waits for it. How it went is in ``ds status``; what could not be sent goes with the next
    push. :data:`PUSH` in the environment switches it off.
    """
    if os.environ.get(PUSH) == "0" or not (service.workspace.folder / "sync").is_dir():
        return
    from dotscience_jupyter.records import HEAD as OURS
    from dotscience_jupyter.sync import REMOTE_HEAD, RemoteStore, SyncError

    refs = service.records.refs()
    try:
        belongs = RemoteStore(service.workspace.folder).get() is not None
    except SyncError:
        return  # whoever asks for the status is told
    if belongs and refs.get(OURS) != refs.get(REMOTE_HEAD):
        subprocess.Popen(
            [sys.executable, "-m", "dotscience_jupyter.cli", "push"],
            cwd=service.workspace.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # the end of the terminal is not its end
        )


def find_content(service: WorkspaceService, name: str) -> str:
    """Return the id of the commit that is meant, or that of a snapshot that no commit has.

    Raises
    ------
    CommandError
        As :func:`find_commit`.
    """
    try:
        return find_commit(service, name)
    except CommandError as error:
        # a whole id only: nobody types one by chance
        if error.code == "not_found" and service.engine.exists(name):
            return name
        raise


def find_commit(service: WorkspaceService, name: str) -> str:
    """Return the id of the commit that is meant: HEAD~n, or the start of a commit's or run's id.

    Raises
    ------
    CommandError
        If it means nothing, or several things.
    """
    commit, run = look_up(service, name)
    found = {commit.id} if commit is not None else set()
    if run is not None:
        found.add(run.commit)
    if len(found) > 1:
        raise ambiguous(name)
    return found.pop()


def look_up(service: WorkspaceService, name: str) -> tuple[CommitDetail | None, RunDetail | None]:
    """Return the commit and the run that a name may mean; one of them at least.

    Raises
    ------
    CommandError
        If it means nothing.
    """
    from dotscience_jupyter.api.errors import ApiError

    commit: CommitDetail | None = None
    run: RunDetail | None = None
    try:
        commit = service.commit_detail(name)
    except ApiError as error:
        if error.code not in ("not_found", "invalid_request"):
            raise
    if not HEAD.match(name):
        try:
            run = service.run(name)
        except ApiError as error:
            if error.code not in ("not_found", "invalid_request"):
                raise
    if commit is None and run is None:
        raise CommandError(
            "not_found",
            f"No commit or run has an id that begins with '{name}'. "
            "'ds log' lists the commits and 'ds runs' the runs.",
        )
    return commit, run


def ambiguous(name: str) -> CommandError:
    """Return the failure where a name could be a commit's or a run's."""
    return CommandError(
        "ambiguous",
        f"'{name}' is the beginning of both a commit's and a run's id. Give more characters.",
    )


def folder_path(service: WorkspaceService, settings: Settings, path: str) -> str:
    """Return the text form of a path given on the command line, relative to the workspace's root.

    Raises
    ------
    CommandError
        If it lies outside of the workspace.
    """
    from dotscience_jupyter.records.paths import to_text

    root = os.path.abspath(service.workspace.root)
    relative = os.path.relpath(os.path.join(settings.folder, path), root)
    if relative == os.curdir:
        return ""
    if relative.split(os.sep, 1)[0] == os.pardir:
        raise CommandError(
            "forbidden_path", f"'{path}' lies outside of the workspace {root}.", exit=2
        )
    return to_text(relative.replace(os.sep, "/"))


def complete_run(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the newest runs whose ids begin so."""
    return _recent(context, incomplete, runs=True)


def complete_commit(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return HEAD and the newest commits and runs whose ids begin so."""
    head = [CompletionItem("HEAD", help="the newest commit")]
    found = [item for item in head if item.value.startswith(incomplete)]
    return found + _recent(context, incomplete, runs=True, commits=True)


def _recent(
    context: click.Context, incomplete: str, *, runs: bool = False, commits: bool = False
) -> list[CompletionItem]:
    from dotscience_jupyter.api.errors import ApiError

    items = []
    try:
        with open_service(context.ensure_object(Settings)) as service:
            if commits:
                items += [(c.id[:8], c.message) for c in service.commits(limit=50).items]
            if runs:
                items += [(r.id[:8], r.description) for r in service.runs(limit=50).items]
    except ApiError:
        return []  # no workspace here: there is nothing to offer
    return [
        CompletionItem(value, help=safe(" ".join(text.split())))
        for value, text in items
        if value.startswith(incomplete)
    ]
