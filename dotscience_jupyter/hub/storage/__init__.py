# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Content of projects elsewhere than in the data folder; docs/hub-storage.md describes it.

In an S3-compatible bucket, of which the data folder only keeps copies then: ``bucket`` speaks to
the service, ``depot`` is what a project's store knows of it, ``copies`` keeps the copies within
their bounds, ``place`` says where all that is. On ZFS: ``pool`` makes a data set of each project,
``arrivals`` takes what arrives as streams of ZFS.
"""

from .base import Content, ContentStorage
from .beside import move_records, records_beside
from .opening import open_storage, parse_place
from .place import CACHE, GRACE

__all__ = [
    "CACHE",
    "GRACE",
    "Content",
    "ContentStorage",
    "move_records",
    "open_storage",
    "parse_place",
    "records_beside",
]
