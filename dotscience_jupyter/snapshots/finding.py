# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Engines by name, found through the entry-point group ``dotscience_jupyter.engines``."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from .embedded import EmbeddedEngine
from .engine import Engine, SnapshotError

GROUP = "dotscience_jupyter.engines"

# The metadata names this one too; going through it takes 50 ms in an environment with JupyterLab,
# and there is none in a plain checkout.
_BUILT_IN: dict[str, type[Engine]] = {EmbeddedEngine.name: EmbeddedEngine}


def open_engine(workspace_root: Path, store: Path, name: str = "embedded") -> Engine:
    """Open the engine of that name on a folder.

    An entry point names a callable that takes the folder and the store's place (two
    :class:`~pathlib.Path`) and returns an :class:`Engine`.

    Raises
    ------
    SnapshotError
        If there is no such engine, or it cannot be loaded or opened.
    """
    if name in _BUILT_IN:
        return EmbeddedEngine(workspace_root, store)
    found = entry_points(group=GROUP)
    if name not in found.names:
        known = ", ".join(sorted({*_BUILT_IN, *found.names}))
        raise SnapshotError(
            f"There is no snapshot engine {name!r}. Nothing was changed. Those installed: {known}."
        )
    try:
        make = found[name].load()
    except (ImportError, AttributeError) as error:
        raise SnapshotError(
            f"The snapshot engine {name!r} cannot be loaded: {error}. Nothing was changed. "
            "Reinstall the package that brings it, or choose another engine."
        ) from error
    engine = make(workspace_root, store)
    if not isinstance(engine, Engine):
        raise SnapshotError(
            f"The snapshot engine {name!r} is not one: its entry point made a "
            f"{type(engine).__name__}. Nothing was changed."
        )
    return engine
