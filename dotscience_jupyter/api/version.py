# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """Return the installed package's version; ``0.0.0`` in a checkout that was never installed."""
    try:
        return version("dotscience-jupyter")
    except PackageNotFoundError:
        return "0.0.0"
