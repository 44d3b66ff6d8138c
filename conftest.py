# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Set-up of all tests: pytest-jupyter's fixtures, at a price only for the tests that use them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest_plugins = ["pytest_jupyter.jupyter_server"]


@pytest.fixture(autouse=True)
def jp_server_cleanup(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stop the server that a test has started; pytest-jupyter's own makes one for every test."""
    yield
    from jupyter_server.serverapp import ServerApp

    if not ServerApp.initialized():
        return
    app = ServerApp.instance()
    loop = request.getfixturevalue("jp_asyncio_loop")
    if hasattr(app, "kernel_manager"):
        loop.run_until_complete(app._cleanup())
        app.kernel_manager.context.destroy()
    ServerApp.clear_instance()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take minutes, so that nobody waits for them at the end."""
    first = ("test_zfs_machine.py", "test_examples.py")
    items.sort(key=lambda item: item.path.name not in first)
