# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``version``."""

from __future__ import annotations

import platform

import click

from .context import Settings, common, pass_settings


def installed() -> str:
    """Return the version of this package, also in a checkout that was never installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dotscience-jupyter")
    except PackageNotFoundError:
        return "0.0.0"


@click.command("version")
@common
@pass_settings
def version_command(settings: Settings) -> None:
    """Say which version this is."""
    printer = settings.printer
    if printer.json:
        printer.document({"version": installed()})
    else:
        printer.line(f"dotscience-jupyter {installed()} (Python {platform.python_version()})")
