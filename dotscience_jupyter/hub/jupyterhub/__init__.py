# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hub as a service of JupyterHub: its users and their tokens, and a page to sign in.

docs/jupyterhub.md describes the way of a token, and of a browser.
"""

from __future__ import annotations
