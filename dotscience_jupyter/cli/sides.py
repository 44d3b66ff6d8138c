# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The moments that a person names to compare or merge: commits, runs, and what is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from .context import ambiguous, complete_commit, look_up
from .errors import CommandError

if TYPE_CHECKING:
    from dotscience_jupyter.api.service import WorkspaceService

NOW = "now"
RUN = "run:"


def find_side(service: WorkspaceService, name: str) -> str:
    """Return a moment as the API names it: ``now``, a commit's id, or ``run:ID``.

    Raises
    ------
    CommandError
        If the name means nothing, or several things.
    """
    if name == NOW:
        return name
    if name.startswith(RUN):
        return f"{RUN}{service.run(name.removeprefix(RUN)).id}"
    commit, run = look_up(service, name)
    if commit is not None and run is not None:
        raise ambiguous(name)
    return f"{RUN}{run.id}" if run is not None else commit.id if commit is not None else name


def is_side(service: WorkspaceService, name: str) -> bool:
    """Whether a name means a moment."""
    from dotscience_jupyter.api.errors import ApiError

    try:
        find_side(service, name)
    except CommandError as error:
        return error.code == "ambiguous"
    except ApiError:
        return False
    return True


def complete_side(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return what is there now, HEAD, and the newest commits and runs whose ids begin so."""
    now = [CompletionItem(NOW, help="the files as they are")]
    found = [item for item in now if item.value.startswith(incomplete)]
    return found + complete_commit(context, parameter, incomplete)
