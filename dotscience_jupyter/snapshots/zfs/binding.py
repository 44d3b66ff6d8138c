# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finding the Python binding of libzfs_core, and knowing which one it is.

There are two of the same module name, ``libzfs_core``. OpenZFS's own (Debian's ``python3-pyzfs``)
is right. PyPI's ``pyzfs`` 0.2.3 is older than OpenZFS 2 and written for Python 2: of its functions
``lzc_create``, ``lzc_receive``, ``lzc_send_space`` and ``lzc_rename`` hand the C library other
arguments than it takes, ``lzc_hold`` fails behind a hold that was made, and what any of them says
of a failure may be an AttributeError or TypeError.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from dotscience_jupyter.snapshots.engine import SnapshotError

MODULE = "libzfs_core"
SYSTEM = "/usr/lib/python3/dist-packages"
"""Where Debian and Ubuntu put it, which a virtual environment does not see."""

_MARK = "lzc_receive_resumable"  # of OpenZFS's own only
_ADVICE = "Install OpenZFS's own binding (Debian, Ubuntu: apt-get install python3-pyzfs)."


class NoBindingError(SnapshotError):
    """There is no binding that can be used; the message says why and what to do."""


class NoZfsError(SnapshotError):
    """The system has no ZFS, or does not let this process near it."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding that was loaded and can talk to ZFS."""

    module: ModuleType
    own: bool  # OpenZFS's own; else PyPI's 0.2.3
    version: str

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of it."""
        found: Callable[..., Any] = getattr(self.module, name)
        return found

    @property
    def error(self) -> type[Exception]:
        """The base of what its functions raise; has an ``errno``."""
        base: type[Exception] = self.module.exceptions.ZFSError
        return base


_lock = threading.Lock()
_loaded: Binding | NoBindingError | None = None


def load() -> Binding:
    """Return the binding, OpenZFS's own if there are both.

    Raises
    ------
    NoBindingError
        If there is none, or its library is missing: the ``zfs`` command can be used instead.
    NoZfsError
        If the kernel has no ZFS.
    """
    global _loaded
    with _lock:
        if _loaded is None:
            try:
                _loaded = _load()
            except NoBindingError as error:
                _loaded = error
        if isinstance(_loaded, NoBindingError):
            raise _loaded
        return _loaded


def _load() -> Binding:
    try:
        spec, own = _find()
        module = _imported(spec)
        importlib.import_module(f"{MODULE}.exceptions")
    except (ImportError, SyntaxError, AttributeError, OSError) as error:
        raise NoBindingError(
            f"The Python binding of ZFS cannot be loaded: {error}. {_ADVICE}"
        ) from (error)
    binding = Binding(module, own, _version(spec) if own else "0.2.3")
    try:
        binding.function("lzc_exists")(b"dotscience")
    except OSError as error:
        raise NoBindingError(
            f"The Python binding of ZFS finds no library to bind: {error}. Install OpenZFS's "
            "tools, which bring it (Debian, Ubuntu: apt-get install zfsutils-linux)."
        ) from error
    except binding.error as error:
        raise NoZfsError(
            f"ZFS cannot be used on this system: {error}. Nothing was changed. Load the module "
            "(modprobe zfs, as root) and see that /dev/zfs may be read and written, or choose "
            "another engine."
        ) from error
    return binding


def _find() -> tuple[ModuleSpec, bool]:
    """Return where the module is, and whether it is OpenZFS's own; nothing is imported."""
    if MODULE in sys.modules:
        spec = sys.modules[MODULE].__spec__
        assert spec is not None
        return spec, hasattr(sys.modules[MODULE], _MARK)
    specs = [importlib.util.find_spec(MODULE), PathFinder.find_spec(MODULE, [SYSTEM])]
    found = [(spec, _is_own(spec)) for spec in specs if spec is not None]
    if not found:
        raise ImportError(f"there is no module {MODULE!r}")
    found.sort(key=lambda pair: not pair[1])
    return found[0]


def _is_own(spec: ModuleSpec) -> bool:
    if spec.origin is None:
        raise ImportError(f"the module {MODULE!r} is not whole")
    with open(spec.origin, encoding="utf-8") as file:
        return _MARK in file.read()


def _imported(spec: ModuleSpec) -> ModuleType:
    if MODULE in sys.modules:
        return sys.modules[MODULE]
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    sys.modules[MODULE] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        for name in [name for name in sys.modules if name.partition(".")[0] == MODULE]:
            del sys.modules[name]
        raise
    return module


def _version(spec: ModuleSpec) -> str:
    """Return the version that is installed beside the module; "" where it does not say."""
    assert spec.origin is not None
    place = spec.origin.rsplit("/", 2)[0]
    found = importlib.metadata.distributions(name="pyzfs", path=[place])
    return next((distribution.version for distribution in found), "")
