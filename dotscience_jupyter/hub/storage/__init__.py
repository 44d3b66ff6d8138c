# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Content of projects in an S3-compatible bucket; the data folder only keeps copies of it then.

``bucket`` speaks to the service, ``depot`` is what a project's store knows of it, ``copies`` keeps
the copies within their bounds, ``place`` says where all that is. docs/hub-storage.md describes it.
"""

from .beside import move_records, records_beside
from .place import CACHE, GRACE, Place, Storage, open_storage

__all__ = ["CACHE", "GRACE", "Place", "Storage", "move_records", "open_storage", "records_beside"]
