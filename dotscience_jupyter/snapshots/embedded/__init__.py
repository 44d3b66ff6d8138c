# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The embedded engine: chunks in pack files, a Merkle tree per snapshot; anywhere, no root.

``docs/embedded-store-format.md`` describes what is on disk.
"""

from .editing import Edit
from .engine import EmbeddedEngine
from .equals import Equal

__all__ = ["Edit", "EmbeddedEngine", "Equal"]
