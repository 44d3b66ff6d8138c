# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""dotscience-jupyter: every run of a notebook or a script recorded, frozen and comparable.

This module is what Jupyter and IPython ask; each part is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the built front end is."""
    return [{"src": "labextension", "dest": "dotscience-jupyter"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server which application extends it."""
    from .server import DotscienceApp

    return [{"module": "dotscience_jupyter", "app": DotscienceApp}]


def load_ipython_extension(ipython: Any) -> None:
    """Answer ``%load_ext dotscience_jupyter``: register the magics."""
    from . import magics

    magics.load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Answer ``%unload_ext dotscience_jupyter``."""
    from . import magics

    magics.unload(ipython)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("dotscience-jupyter")
        except PackageNotFoundError:  # a checkout that was never installed
            return "0.0.0"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
