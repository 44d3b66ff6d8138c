# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Going back: what is done in which order, and what a person is told."""

from __future__ import annotations

import contextlib

from dotscience_jupyter.snapshots.engine import (
    Engine,
    Progress,
    Snapshot,
    SnapshotError,
    SnapshotNotFoundError,
)

from .doing import Doing
from .planning import Planning

HOLD = "rollback"
"""The tag under which the folder as it was is held until a rollback is complete."""

_NAMED = 5
"""How many paths a message names."""


def rollback(
    engine: Engine, root: str, snapshot: str, progress: Progress | None = None
) -> Snapshot:
    """Make a folder what it was; see :meth:`Engine.rollback`.

    Parameters
    ----------
    engine
        An engine on the folder.
    root
        The live folder.
    snapshot
        What to go back to.
    progress
        Called with what is being done.

    Returns
    -------
    Snapshot
        The folder as it was before.

    Raises
    ------
    SnapshotNotFoundError
        If there is no such snapshot.
    SnapshotError
        If something that is not frozen (ignored now, or unreadable) would have to go, which is
        found out before anything is touched; or if files were written meanwhile, which are left
        as they are while all others are done.
    """
    if not engine.exists(snapshot):
        raise SnapshotNotFoundError(f"There is no snapshot {snapshot[:64]!r} in this workspace.")
    before = engine.snapshot(progress)
    try:
        plan = Planning(engine, root, before, snapshot).run(progress)
    except OSError as error:
        raise SnapshotError(
            f"Nothing was rolled back: {root} could not be looked at: {error.strerror or error}."
        ) from error
    if plan.refused:
        raise SnapshotError(
            "Nothing was rolled back or changed, because something that is not frozen would be "
            f"lost. {_told(plan.refused)} Move it out of the way and try again, or restore into a "
            "new folder."
        )
    if plan.is_empty():
        return before
    with contextlib.ExitStack() as stack:
        try:
            doing = stack.enter_context(Doing(engine, root, snapshot, plan, progress))
        except OSError as error:
            raise SnapshotError(
                f"Nothing was rolled back or changed: {root} cannot be written: "
                f"{error.strerror or error}. Mend that and try again."
            ) from error
        # whoever kills this process never learns the id, so it must not be for gc to drop
        engine.hold([before.id], HOLD)
        saved = f"The folder as it was before is snapshot {before.id}, so nothing is lost."
        try:
            doing.run()
        except OSError as error:
            raise SnapshotError(
                f"The rollback was interrupted: {error.strerror or error}. Some files are as they "
                "were in the snapshot, the others as they were before. Do it again to complete "
                f"it. {saved}"
            ) from error
        finally:
            if not doing.touched:
                engine.release([before.id], HOLD)
    if plan.left:
        raise SnapshotError(
            f"The folder was rolled back, except for {_told(plan.left)} They were left as they "
            f"are. Roll back again when that is solved. {saved}"
        )
    engine.release([before.id], HOLD)
    return before


def _told(paths: dict[str, str]) -> str:
    told = " ".join(f"{path!r}: {paths[path]}." for path in sorted(paths)[:_NAMED])
    return f"{told} And {len(paths) - _NAMED} more." if len(paths) > _NAMED else told
