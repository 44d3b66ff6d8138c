# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which hub the commands of ``hub`` mean, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .errors import CommandError

if TYPE_CHECKING:
    from dotscience_jupyter.hub.app import Hub
    from dotscience_jupyter.hub.config import Services

Command = TypeVar("Command", bound=Callable[..., Any])


def placed(command: Command) -> Command:
    """Add the options that say which hub is meant."""
    command = click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="A file with settings (traitlets: Python or JSON).",
    )(command)
    command = click.option(
        "--db",
        envvar="DOTSCIENCE_HUB_DB",
        metavar="URL",
        help="PostgreSQL instead of SQLite: postgresql://USER:PASSWORD@HOST/DATABASE.",
    )(command)
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        help="The data folder; without it, one in Jupyter's data folder.",
    )(command)


def configured(**given: Any) -> Hub:
    """Return the hub as it was configured: what was given is stronger than the settings' file.

    Raises
    ------
    CommandError
        If what a hub needs is not installed, or the file cannot be understood.
    """
    try:
        from dotscience_jupyter.hub.app import Hub
    except ImportError as error:
        raise CommandError(
            "not_installed",
            f"A hub needs more than is installed ({error.name} is missing). Install it with: "
            "pip install 'dotscience-jupyter[hub]'",
        ) from None
    from traitlets import TraitError
    from traitlets.config import Config
    from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

    hub = Hub()
    file = given.pop("config", None)
    try:
        if file is not None:
            loader = JSONFileConfigLoader if file.suffix == ".json" else PyFileConfigLoader
            hub.update_config(loader(file.name, str(file.resolve().parent)).load_config())
        values = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in given.items()
            if value is not None
        }
        hub.update_config(Config({"Hub": values}))
    except (TraitError, SyntaxError, ValueError, NameError, AttributeError) as error:
        raise CommandError("usage", f"The hub's settings are wrong: {error}", exit=2) from None
    return hub


@contextmanager
def opened(**given: Any) -> Iterator[Services]:
    """Open the hub that is meant, without a server; one may run meanwhile."""
    services = configured(**given).services()
    try:
        yield services
    finally:
        services.close()
