# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How notebooks, texts and tables differ, and how changes of both sides come together.

Pure: bytes in, values out. What is compared comes from the caller.
"""
