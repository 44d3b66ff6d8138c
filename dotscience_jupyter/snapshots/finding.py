# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Engines by name, found through the entry-point group ``dotscience_jupyter.engines``.

What a store was begun with stays its engine. For a new one, "auto" takes the file system's own
snapshots where it has them and all that they need is there, else the embedded engine.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import struct
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from .embedded.store import engine_of
from .engine import Check, Engine, SnapshotError

GROUP = "dotscience_jupyter.engines"
AUTO = "auto"
DEFAULT = "embedded"

# The metadata names these too; going through it takes 50 ms in an environment with JupyterLab, and
# there is none in a plain checkout.
_BUILT_IN = {
    "embedded": "dotscience_jupyter.snapshots.embedded:EmbeddedEngine",
    "btrfs": "dotscience_jupyter.snapshots.btrfs:BtrfsEngine",
    "zfs": "dotscience_jupyter.snapshots.zfs:ZfsEngine",
}

_BY_FILE_SYSTEM = {0x2FC12FC1: "zfs", 0x9123683E: "btrfs"}
"""Engines by the magic number that ``statfs(2)`` gives for a folder."""


def open_engine(workspace_root: Path, store: Path, name: str = AUTO) -> Engine:
    """Open the engine of a folder: the one that its store was begun with, else by name.

    An entry point names a callable that takes the folder and the store's place (two
    :class:`~pathlib.Path`) and returns an :class:`Engine`.

    Raises
    ------
    SnapshotError
        If there is no such engine, it cannot be loaded or opened, or the store is another one's.
    """
    name = _chosen(workspace_root, store, name)[0]
    engine = _load(name)(workspace_root, store)
    if not isinstance(engine, Engine):
        raise SnapshotError(
            f"The snapshot engine {name!r} is not one: its entry point made a "
            f"{type(engine).__name__}. Nothing was changed."
        )
    return engine.portable()


def check_engine(workspace_root: Path, store: Path, name: str = AUTO) -> tuple[str, list[Check]]:
    """Return which engine :func:`open_engine` takes, and what it needs on the folder.

    Where "auto" passed over the engine of the file system, what that one misses follows, its name
    in front.

    Raises
    ------
    SnapshotError
        As :func:`open_engine`.
    """
    chosen, passed_over = _chosen(workspace_root, store, name)
    checks = list(_checks(chosen, workspace_root))
    if passed_over:
        checks += [
            dataclasses.replace(check, what=f"{passed_over}: {check.what}")
            for check in _checks(passed_over, workspace_root)
            if not check.ok
        ]
    return chosen, checks


def engine_names() -> list[str]:
    """Return the names of all engines that are installed."""
    return sorted({*_BUILT_IN, *entry_points(group=GROUP).names})


def _checks(name: str, folder: Path) -> list[Check]:
    made = _load(name)
    check: Callable[[Path], list[Check]] | None = getattr(made, "check", None)
    return [] if check is None else check(folder)


def _chosen(folder: Path, store: Path, name: str) -> tuple[str, str]:
    """Return the engine to take, and the one that would suit the file system but cannot be had."""
    begun = engine_of(store)
    if begun is not None:
        if name not in (AUTO, begun):
            raise SnapshotError(
                f"The snapshots of {folder} are kept by the engine {begun!r}, so they cannot be "
                f"opened with {name!r}. Nothing was changed. Leave the choice to 'auto', or begin "
                "a new workspace for the other engine."
            )
        return begun, ""
    if name != AUTO:
        return name, ""
    native = _BY_FILE_SYSTEM.get(_file_system(folder))
    if native is None:
        return DEFAULT, ""
    suits: Callable[[Path], bool] = _load(native).suits
    return (native, "") if suits(folder) else (DEFAULT, native)


def _file_system(folder: Path) -> int:
    """Return the magic number of the file system that a folder is on; 0 if it cannot be told."""
    if sys.platform != "linux":
        return 0
    status = ctypes.create_string_buffer(512)  # struct statfs, which begins with the number
    if ctypes.CDLL(None).statfs(os.fsencode(folder), status):
        return 0
    number: int = struct.unpack_from("l", status)[0]
    return number & 0xFFFFFFFF


def _load(name: str) -> Any:
    """Return what makes an engine. Raise SnapshotError if there is none of that name."""
    try:
        if name in _BUILT_IN:
            module, _, attribute = _BUILT_IN[name].partition(":")
            return getattr(import_module(module), attribute)
        found = entry_points(group=GROUP)
        if name in found.names:
            return found[name].load()
    except (ImportError, AttributeError) as error:
        raise SnapshotError(
            f"The snapshot engine {name!r} cannot be loaded: {error}. Nothing was changed. "
            "Reinstall the package that brings it, or choose another engine."
        ) from error
    known = ", ".join(sorted({*_BUILT_IN, *found.names}))
    raise SnapshotError(
        f"There is no snapshot engine {name!r}. Nothing was changed. Those installed: {known}."
    )
