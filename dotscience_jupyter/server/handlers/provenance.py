# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph of runs and file versions."""

from __future__ import annotations

from .base import BaseHandler

HANDLERS: list[type[BaseHandler]] = []
