# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Nothing of the user's own is touched: datasets live in a folder of the test's, and so on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# services of S3, a network that fails, and hubs
for _room in ("s3world", "sync", "hub", "records", "committer"):
    sys.path.append(str(Path(__file__).parents[1] / _room))


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("DOTSCIENCE_", "GIT_", "AWS_")) and name not in (
            "DOTSCIENCE_REQUIRE_REAL",
            "DOTSCIENCE_THOROUGH",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "jupyter"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def s3_service() -> Iterator[object]:
    """An imitation of S3."""
    from s3_services import moto

    with moto() as service:
        yield service
