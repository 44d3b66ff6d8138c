# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A clean session of the library in a folder of its own."""

from __future__ import annotations

import os

import pytest
from ds_helpers import Published
from hypothesis import settings

import dotscience as ds

# a busy machine is no failure
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder, outside of every workspace, with a home of its own."""
    home = tmp_path / "home"
    folder = tmp_path / "project"
    home.mkdir()
    folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in list(os.environ):
        if name.startswith("DOTSCIENCE_") or name in ("JPY_SESSION_NAME", "PYTHONHASHSEED"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def session(folder, monkeypatch):
    """The library as after a fresh import in that folder."""
    monkeypatch.setattr(ds, "_defaultDS", ds.Dotscience())
    return ds


@pytest.fixture
def workspace(folder):
    """The folder made a workspace."""
    (folder / ".dotscience").mkdir()
    (folder / ".dotscience" / "workspace.json").write_text(
        '{"format": 1, "id": "0d2b7a52-32c8-4a2c-8d5e-5f1c8d1a9b11", '
        '"created": "2026-01-01T00:00:00+00:00"}\n'
    )
    return folder


@pytest.fixture
def publish():
    return Published()
