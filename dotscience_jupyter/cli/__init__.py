# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The command line: ``jupyter dotscience ...`` and its short form ``ds ...``.

Everything here asks the api room's service and shows the answer to a person or, with ``--json``,
to a program. Modules are imported when a command needs them: help and completion are quick.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Parameters
    ----------
    arguments
        What follows the program's name; the process's own arguments when None.

    Raises
    ------
    SystemExit
        Always, with the exit code of docs/cli.md.
    """
    from .app import cli

    cli.main(None if arguments is None else list(arguments))
