# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many runs as a table, points and series; runs that are under way."""

from __future__ import annotations

from .core import Core


class Exploring:
    """Many runs as a table, points and series; runs that are under way.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
