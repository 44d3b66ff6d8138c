# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Datasets: versioned folders of their own, attached to workspaces by name and version.

A dataset is a workspace with records and an engine of its own; :class:`Datasets` knows where those
of this machine are.
"""

from __future__ import annotations

from .attachments import FILE as ATTACHMENTS
from .attachments import Attached, Attachments
from .checkouts import version_of
from .copying import copy_folder
from .dataset import FILES, INITIAL, RUN_OUTPUT, Dataset, Frozen, OpenDataset, change_of, identity
from .errors import DatasetError
from .registry import Datasets, check_name

__all__ = [
    "ATTACHMENTS",
    "FILES",
    "INITIAL",
    "RUN_OUTPUT",
    "Attached",
    "Attachments",
    "Dataset",
    "DatasetError",
    "Datasets",
    "Frozen",
    "OpenDataset",
    "change_of",
    "check_name",
    "copy_folder",
    "identity",
    "version_of",
]
