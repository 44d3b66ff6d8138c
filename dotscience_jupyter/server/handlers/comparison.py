# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two moments differ, file by file."""

from __future__ import annotations

from .base import BaseHandler

HANDLERS: list[type[BaseHandler]] = []
