# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``hub user`` and ``hub key``: who may use a hub, said on its own machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from .context import Settings, common, pass_settings
from .errors import CommandError
from .hubplace import opened, placed
from .output import Column, moment, safe

if TYPE_CHECKING:
    from dotscience_jupyter.hub.identity import Identity, KeyInfo, User


@click.group("user")
@common
def user_command() -> None:
    """Add and list the hub's users, lock them out, give them another password."""


@user_command.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="An admin: may see all and add users.")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input.")
@placed
@common
@pass_settings
def add_command(
    settings: Settings, /, name: str, admin: bool, password_stdin: bool, **given: Any
) -> None:
    """Add a user; print the user's first API key, which is shown only now.

    Without a password the key is all that opens the door.
    """
    password = _password() if password_stdin else None
    with opened(**given) as services:
        user = services.identity.create_user(name, password, admin=admin)
        _, key = services.identity.create_key(user, "first", actor=services.audit.LOCAL)
    if not settings.printer.json:
        settings.printer.line("Added ", (safe(user.name), "bold"), ", an admin." if admin else ".")
    _show_key(settings, key, {"user": _user(user)})


@user_command.command("list")
@placed
@common
@pass_settings
def list_command(settings: Settings, /, **given: Any) -> None:
    """List all users."""
    with opened(**given) as services:
        found = services.identity.list_users()
    printer = settings.printer
    if printer.json:
        items = [
            _user(each.user)
            | {"disabled": each.disabled, "created": each.created.isoformat()}
            for each in found
        ]  # fmt: skip
        printer.document({"items": items})
        return
    printer.table(
        [
            Column("Name", [safe(each.user.name) for each in found], style="bold"),
            Column("Admin", ["yes" if each.user.admin else "-" for each in found]),
            Column("Disabled", ["yes" if each.disabled else "-" for each in found]),
            Column("Created", [moment(each.created, printer.terminal) for each in found], 1),
        ],
        empty="There is nobody yet.",
    )


@user_command.command("disable")
@click.argument("name")
@placed
@common
@pass_settings
def disable_command(settings: Settings, /, name: str, **given: Any) -> None:
    """Lock a user out, at once and with all keys. What the user owns stays."""
    with _changing(settings, name, "is locked out", given) as identity:
        identity.set_disabled(name, True)


@user_command.command("enable")
@click.argument("name")
@placed
@common
@pass_settings
def enable_command(settings: Settings, /, name: str, **given: Any) -> None:
    """Let a user in again."""
    with _changing(settings, name, "is let in again", given) as identity:
        identity.set_disabled(name, False)


@user_command.command("password")
@click.argument("name")
@placed
@common
@pass_settings
def password_command(settings: Settings, /, name: str, **given: Any) -> None:
    """Give a user another password, read from standard input (or asked for)."""
    password = _password()
    with _changing(settings, name, "has a new password", given) as identity:
        identity.set_password(name, password)


@user_command.command("adopt")
@click.argument("name", metavar="JUPYTERHUB-NAME")
@placed
@common
@pass_settings
def adopt_command(settings: Settings, /, name: str, **given: Any) -> None:
    """Let a user who was added here be the one of that name at JupyterHub.

    Without it nobody of JupyterHub is taken for somebody who was added here, whatever their names.
    """
    from dotscience_jupyter.hub.jupyterhub.people import People

    with opened(**given) as services:
        own = People(services.database, services.audit).adopt(name)
    if settings.printer.json:
        settings.printer.document({"user": own, "jupyterhub": name})
    else:
        settings.printer.line(f"{safe(own)} is {safe(name)} of JupyterHub now.")


@click.group("key")
@common
def key_command() -> None:
    """Make, list and revoke API keys."""


@key_command.command("add")
@click.argument("user")
@click.option("--name", default="key", show_default=True, help="What the key is called.")
@click.option("--days", type=click.IntRange(1, 36500), help="It expires after so many days.")
@placed
@common
@pass_settings
def add_key_command(
    settings: Settings, /, user: str, name: str, days: int | None, **given: Any
) -> None:
    """Make an API key for USER and print it; it is shown only now."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with opened(**given) as services:
        owner = services.identity.get_user(user)
        made, key = services.identity.create_key(
            owner, name, expires=expires, actor=services.audit.LOCAL
        )
    _show_key(settings, key, _key(made))


@key_command.command("list")
@click.argument("user")
@placed
@common
@pass_settings
def list_keys_command(settings: Settings, /, user: str, **given: Any) -> None:
    """List the keys of USER that are good; the keys themselves are not kept."""
    with opened(**given) as services:
        found = services.identity.list_keys(services.identity.get_user(user))
    printer = settings.printer
    if printer.json:
        printer.document({"items": [_key(key) for key in found]})
        return
    printer.table(
        [
            Column("Id", [key.id for key in found], style="yellow"),
            Column("Name", [safe(key.name) for key in found]),
            Column("Created", [moment(key.created, printer.terminal) for key in found], 2),
            Column("Expires", [moment(key.expires, printer.terminal) for key in found], 1),
            Column("Last used", [moment(key.used, printer.terminal) for key in found], 1),
        ],
        empty="There is none.",
    )


@key_command.command("revoke")
@click.argument("user")
@click.argument("id_", metavar="ID")
@placed
@common
@pass_settings
def revoke_command(settings: Settings, /, user: str, id_: str, **given: Any) -> None:
    """Make a key of USER worth nothing, at once."""
    with opened(**given) as services:
        owner = services.identity.get_user(user)
        services.identity.revoke_key(owner, id_, actor=services.audit.LOCAL)
    if settings.printer.json:
        settings.printer.document({"id": id_})
    else:
        settings.printer.line("The key is worth nothing now.")


def _password() -> str:
    """Return a password: asked for where there is somebody, else what standard input holds."""
    if sys.stdin.isatty():
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return str(text)
    text = sys.stdin.readline(2000).removesuffix("\n").removesuffix("\r")
    if not text:
        raise CommandError("usage", "No password came on standard input.", exit=2)
    return text


@contextmanager
def _changing(
    settings: Settings, name: str, what: str, given: dict[str, Any]
) -> Iterator[Identity]:
    """Give a hub's users, to change one; say what that user is afterwards."""
    with opened(**given) as services:
        yield services.identity
    if settings.printer.json:
        settings.printer.document({"user": name})
    else:
        settings.printer.line(f"{safe(name)} {what}.")


def _show_key(settings: Settings, key: str, told: dict[str, Any]) -> None:
    """Print a new key, as JSON with what is told of it."""
    printer = settings.printer
    if printer.json:
        printer.document(told | {"key": key})
        return
    printer.line("API key: ", (key, "bold"))
    printer.line("This key is shown once; keep it.", style="yellow")


def _user(user: User) -> dict[str, Any]:
    return {"name": user.name, "admin": user.admin}


def _key(key: KeyInfo) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "created": key.created.isoformat(),
        "expires": None if key.expires is None else key.expires.isoformat(),
        "used": None if key.used is None else key.used.isoformat(),
    }
