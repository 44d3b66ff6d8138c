# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The versions of a file, and bringing one back."""

from __future__ import annotations

from .base import BaseHandler

HANDLERS: list[type[BaseHandler]] = []
