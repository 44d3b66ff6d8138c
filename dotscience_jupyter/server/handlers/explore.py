# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Many runs as a table, points and series; runs that are under way."""

from __future__ import annotations

from .base import BaseHandler

HANDLERS: list[type[BaseHandler]] = []
