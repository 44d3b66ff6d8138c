# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One module for each group of addresses; ``ROUTES`` are all that a hub serves."""

from __future__ import annotations
