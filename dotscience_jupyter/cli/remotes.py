# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``login``, ``logout`` and ``remote``: which hub, and who the user is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .context import Settings, common, open_service, pass_settings
from .errors import CommandError
from .output import Printer, one_line, safe

if TYPE_CHECKING:
    from dotscience_jupyter.api.service import WorkspaceService
    from dotscience_jupyter.sync import Sync, SyncStatus


@contextmanager
def telling() -> Iterator[None]:
    """Turn what sync raises into what the command line tells."""
    from dotscience_jupyter.sync import SyncError

    try:
        yield
    except SyncError as error:
        raise CommandError(error.code, error.message) from error


def open_sync(service: WorkspaceService) -> Sync:
    """Return what moves the commits of an open workspace."""
    from dotscience_jupyter.sync import Sync

    return Sync(
        service.workspace,
        service.records,
        service.engine,
        alone=service.committer.alone,
    )


@click.command("login")
@click.argument("url")
@click.option("--user", help="Your name there; asked for if not given.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--key-stdin", is_flag=True, help="Read an API key from standard input instead.")
@common
@pass_settings
def login_command(
    settings: Settings, url: str, user: str | None, password_stdin: bool, key_stdin: bool
) -> None:
    """Remember who you are on the hub at URL.

    Where JupyterHub says who is who, you are told of a page that gives you an API key, to be
    pasted here; with --user a password is asked for all the same.

    Your password is exchanged for an API key, which is kept in a file of your Jupyter
    configuration that only you can read. The password is kept nowhere.
    """
    from dotscience_jupyter.sync import (
        clean_url,
        is_exposed,
        log_in,
        log_in_with_key,
        login_page,
    )

    if password_stdin and key_stdin:
        raise CommandError("usage", "A password and a key cannot both come from there.", exit=2)
    with telling():
        url = clean_url(url)
        if is_exposed(url):
            Printer(False, stream=sys.stderr).line(
                ("Warning: ", "yellow"),
                "this address is not encrypted (http): who listens on the way learns your key.",
            )
        if key_stdin:
            login = log_in_with_key(url, sys.stdin.readline().strip())
        elif not user and not password_stdin and (page := login_page(url)):
            login = log_in_with_key(url, _ask_key(settings, page))
        else:
            name = user or _ask(settings, "User")
            password = (
                sys.stdin.readline().rstrip("\r\n")
                if password_stdin
                else _ask(settings, "Password", hidden=True)
            )
            login = log_in(url, name, password)
    printer = settings.printer
    if printer.json:
        printer.document({"url": login.url, "user": login.user})
        return
    printer.line("Logged in on ", (safe(login.url), "bold"), f" as {safe(login.user)}.")


def _ask_key(settings: Settings, page: str) -> str:
    if settings.json or not sys.stdin.isatty():
        raise CommandError(
            "usage",
            f"There is no terminal to ask on. Get an API key in a browser at {page} and give it "
            "with --key-stdin.",
            exit=2,
        )
    Printer(False, stream=sys.stderr).line(
        "Sign in with a browser at ", (page, "bold"), " and make a key there."
    )
    return _ask(settings, "API key", hidden=True).strip()


def _ask(settings: Settings, what: str, *, hidden: bool = False) -> str:
    if settings.json or not sys.stdin.isatty():
        raise CommandError(
            "usage",
            "There is no terminal to ask on. Give --user with --password-stdin, or --key-stdin.",
            exit=2,
        )
    return str(click.prompt(what, hide_input=hidden, err=True))


@click.command("logout")
@click.argument("url")
@common
@pass_settings
def logout_command(settings: Settings, url: str) -> None:
    """Forget the API key for the hub at URL. To make it useless as well, revoke it on the hub."""
    from dotscience_jupyter.sync import Credentials, clean_url

    with telling():
        url = clean_url(url)
        login = Credentials().remove(url)
    if login is None:
        raise CommandError("not_logged_in", f"You are not logged in on {safe(url)}.")
    printer = settings.printer
    if printer.json:
        printer.document({"url": login.url, "user": login.user})
        return
    printer.line(f"The key of {safe(login.user)} on {safe(login.url)} is forgotten here.")


@click.group("remote", invoke_without_command=True)
@common
@click.pass_context
def remote_command(context: click.Context) -> None:
    """Say which project of which hub this workspace belongs to; set or remove that."""
    if context.invoked_subcommand is None:
        context.invoke(show_remote)


@remote_command.command("show")
@common
@pass_settings
def show_remote(settings: Settings) -> None:
    """Say which project of which hub this workspace belongs to."""
    with open_service(settings) as service, telling():
        status = open_sync(service).status()
    printer = settings.printer
    if printer.json:
        printer.document({"remote": hub_document(status)})
    elif status.remote is None:
        printer.line("This workspace belongs to no hub: 'ds remote add URL/PROJECT' says which.")
    else:
        tell_hub(printer, status)


@remote_command.command("add")
@click.argument("address", metavar="URL/PROJECT")
@click.option("--create", is_flag=True, help="Make the project if it is not there.")
@common
@pass_settings
def add_remote(settings: Settings, address: str, create: bool) -> None:
    """Let this workspace belong to a project of a hub.

    URL/OWNER/PROJECT, or URL/PROJECT for one of yours; 'hub:' in place of 'URL/' if you are logged
    in on one hub only.
    """
    from dotscience_jupyter.datasets import Datasets
    from dotscience_jupyter.sync import find_project

    with open_service(settings) as service, telling():
        sync = open_sync(service)
        kind = "dataset" if Datasets().at(service.workspace.root) else "project"
        sync.add(find_project(address, create=create, kind=kind))
        status = sync.status()
    printer = settings.printer
    if printer.json:
        printer.document({"remote": hub_document(status)})
        return
    printer.line("This workspace belongs to ", (safe(str(status.remote)), "bold"), " now.")
    printer.line("'ds push' sends its commits there.", style="dim")


@remote_command.command("remove")
@common
@pass_settings
def remove_remote(settings: Settings) -> None:
    """Let this workspace belong to no hub. Nothing is deleted, neither here nor there."""
    with open_service(settings) as service, telling():
        remote = open_sync(service).remove()
    printer = settings.printer
    if printer.json:
        printer.document({"remote": None})
        return
    printer.line(f"This workspace does not belong to {safe(str(remote))} any more.")


def hub_document(status: SyncStatus) -> dict[str, Any] | None:
    """Return what programs are told of a workspace's hub."""
    if status.remote is None:
        return None
    return {
        "url": status.remote.url,
        "project": status.remote.project,
        "name": status.remote.name,
        "ahead": status.ahead,
        "behind": status.behind,
        "newer": status.newer,
        "diverged": status.diverged,
        "asked": status.last.when or None,
        "error": status.last.error,
        "code": status.last.code,
    }


def tell_hub(printer: Printer, status: SyncStatus) -> None:
    """Say how a workspace and its hub stand, for people."""
    found = []
    if status.ahead:
        found.append(f"{status.ahead:,} ahead")
    if status.behind:
        found.append(f"{status.behind:,} behind")
    elif status.newer:
        found.append("behind")
    told = ", ".join(found) or "everything is there"
    if status.diverged:
        told += " (diverged: merge, then push)"
    style = "yellow" if found else "green"
    printer.line("Hub ", (safe(str(status.remote)), "bold"), ": ", (told, style))
    if status.last.error:
        printer.line(("the last time it failed: ", "red"), one_line(status.last.error))
