# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Lists of which a part is asked for: the options, and asking page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import click

from .context import Command

PAGE = 500
"""The service answers with no more at once."""


class Page(Protocol):
    """What the service answers."""

    items: list[Any]
    total: int


PageT = TypeVar("PageT", bound=Page)


def paged(command: Command) -> Command:
    """Add the options that say which part of a list is wanted."""
    command = click.option(
        "--offset", default=0, type=click.IntRange(min=0), help="Leave out the first so many."
    )(command)
    return click.option(
        "--limit",
        default=50,
        show_default=True,
        type=click.IntRange(min=1),
        help="At most so many.",
    )(command)


def pages(ask: Callable[[int, int], PageT], offset: int, limit: int) -> PageT:
    """Return a part of a list, put together from as many pages as it takes.

    Parameters
    ----------
    ask
        Returns a page, given how many come before it and how many it may have.
    offset, limit
        The same for all of it.
    """
    found = ask(offset, min(limit, PAGE))
    while len(found.items) < min(limit, found.total - offset):
        more = ask(offset + len(found.items), min(limit - len(found.items), PAGE))
        if not more.items:
            break
        found.items += more.items
    return found
