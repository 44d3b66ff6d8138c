# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Files of a run that its code did not declare: what it opened, and what changed while it ran.

They are found only where the code declared none of that direction, and say so for ever: their
authority is ``derived``. docs/committer.md has the rules and the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime

from dotscience_jupyter.snapshots.engine import Difference, Entry, Kind

from .record import FoundRun

TICK = 10_000_000
"""Nanoseconds that the clock of file times may lag behind the programs' clock."""

# what people edit while a run goes on; a run that writes such a file opens it, and is seen to
_EDITED = (".ipynb", ".py", ".pyi", ".r", ".jl", ".sh", ".md", ".toml", ".cfg", ".ini")


def opened(
    run: FoundRun,
    direction: str,
    resolve: Callable[[str], tuple[str, bool]],
    entry: Callable[[str], Entry | None],
) -> list[str]:
    """Return the folder paths of the files that a run opened, unless its code declared some.

    Parameters
    ----------
    run : FoundRun
        The run.
    direction : str
        ``input`` or ``output``.
    resolve : callable
        Gives a path as the run tells it as a folder path, and whether it lies in the workspace.
    entry : callable
        Gives what the workspace holds, or held, under a folder path. What it never held (a
        temporary or an ignored file) is left out, as is what is no regular file.
    """
    declared = run.text.inputs if direction == "input" else run.text.outputs
    if declared or run.observed is None:
        return []
    found: dict[str, None] = {}
    for path in run.observed[direction]:
        resolved, inside = resolve(path)
        if inside and resolved != run.notebook:
            held = entry(resolved)
            if held is not None and held.kind is Kind.FILE:
                found[resolved] = None
    return list(found)


def changed_meanwhile(
    run: FoundRun, paths: Iterable[str], changed: Mapping[str, Difference]
) -> set[str]:
    """Return those of the files a run read that were written after it had started."""
    start = run.text.start
    if start is None:
        return set()
    return {
        path
        for path in paths
        if path in changed
        and (new := changed[path].new) is not None
        and new.mtime_ns + TICK >= nanoseconds(start)
    }


def written_unseen(
    run: FoundRun, changed: Mapping[str, Difference], explained: Collection[str]
) -> list[str]:
    """Return the files that were written while a run was under way, and that nothing explains.

    Only for a run that is the only one to be recorded: of several, nobody can say which wrote.
    """
    if run.observed is None or run.text.outputs:
        return []
    return written_between(run.text.start, run.text.end, changed, explained)


def written_between(
    start: datetime | None,
    end: datetime | None,
    changed: Mapping[str, Difference],
    explained: Collection[str],
) -> list[str]:
    """Return the files that were written between two times, but for those that are explained.

    Files that people edit while a run goes on are left out; none if a time is not known.
    """
    if start is None or end is None:
        return []
    first, last = nanoseconds(start) - TICK, nanoseconds(end) + TICK
    return [
        path
        for path, difference in changed.items()
        if path not in explained
        and (new := difference.new) is not None
        and new.kind is Kind.FILE
        and first <= new.mtime_ns <= last
        and not path.lower().endswith(_EDITED)
    ]


def nanoseconds(time: datetime) -> int:
    """Return a time in nanoseconds since the epoch."""
    delta = time - datetime(1970, 1, 1, tzinfo=UTC)
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000
