# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``python -m dotscience_jupyter.cli``."""

from . import main

main()
