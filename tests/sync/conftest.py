# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finds what starts hubs and mounts file systems; keeps the user's own configuration out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

_WORLDS = ("hub", "snapshots", "s3world")
sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in _WORLDS]


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the user's home, proxies, Git configuration or our own variables."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("DOTSCIENCE_", "GIT_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(home / "jupyter"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
