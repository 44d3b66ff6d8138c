# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One JupyterHub for all tests of this folder that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jupyterhub_world import RunningJupyterHub, jupyterhub

from dotscience_jupyter.sync.jupyterhub import TOKEN, URL, USER


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on being run in somebody's server of JupyterHub."""
    for name in (URL, TOKEN, USER):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def hub_service() -> Iterator[RunningJupyterHub]:
    """A real JupyterHub with a hub of ours as its service."""
    with jupyterhub() as running:
        yield running
