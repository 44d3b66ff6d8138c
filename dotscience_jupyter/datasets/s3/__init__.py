# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Datasets that come from a bucket of S3 or of whatever else speaks it.

:func:`import_bucket` makes a dataset what a bucket holds, or lets it point there;
:func:`fetch_files` brings what it only points to. boto3 (the extra ``s3``) is imported on first
use, and finds the credentials in AWS's usual places; none are ever written down.
"""

from __future__ import annotations

from .fetching import Fetched, fetch_files, pinned_root
from .importing import Imported, import_bucket
from .keys import MANIFEST, Skipped
from .manifest import Manifest, Pinned, read_manifest
from .source import Source, SourceError

__all__ = [
    "MANIFEST",
    "Fetched",
    "Imported",
    "Manifest",
    "Pinned",
    "Skipped",
    "Source",
    "SourceError",
    "fetch_files",
    "import_bucket",
    "pinned_root",
    "read_manifest",
]
