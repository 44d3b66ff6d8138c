# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions."""

from __future__ import annotations

from .core import Core


class Provenance:
    """The graph of runs and file versions.

    All methods block and may be called from any thread; errors that a user can act on are
    :class:`.errors.ApiError`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
