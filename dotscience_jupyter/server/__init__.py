# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The API served inside Jupyter Server for the workspaces below (and above) its root.

Here live the extension's configuration, the tornado handlers over :mod:`dotscience_jupyter.api`,
the listener that hears of saves, and the events that tell panels what changed.
"""

from .app import DotscienceApp
from .manager import WorkspaceManager

__all__ = ["DotscienceApp", "WorkspaceManager"]
