# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the engines have in common that let the file system freeze the folder."""

from .compare import Touched
from .engine import GRACE, NativeEngine
from .hooks import NativeSnapshot

__all__ = ["GRACE", "NativeEngine", "NativeSnapshot", "Touched"]
