# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Taking the changes of another commit into the workspace."""

from __future__ import annotations

from .base import BaseHandler

HANDLERS: list[type[BaseHandler]] = []
