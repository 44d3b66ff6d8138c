# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One hub for the tests of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hub_world import hub
from s3_world import World

# what a developer's own configuration says of S3 is of no concern here
for _name in list(os.environ):
    if _name.startswith("AWS_"):
        del os.environ[_name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hub with alice and bob."""
    with hub(tmp_path_factory.mktemp("s3")) as running:
        yield World(running)
