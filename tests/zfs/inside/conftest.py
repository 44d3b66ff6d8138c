# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Set-up of the tests that run where ZFS is: in the machine, or on a host that has it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "snapshots"))
sys.path.append(str(Path(__file__).parents[2] / "hub"))
sys.path.append(str(Path(__file__).parents[2] / "sync"))

from zfs_world import Pool, new_pool

LONG = {
    "test_a_stream_that_is_cut_goes_on",
    "test_nothing_allowed",
    "test_odd_names_and_hard_links_in_differences",
    "test_one_permission_missing",
    "test_pushes_are_streams_of_what_is_new",
    "test_what_a_hub_has_moves_into_the_pool",
    "test_what_one_sent_comes_back_as_streams",
    "test_what_is_ignored_stays_here",
    "test_a_replica_that_somebody_wrote_to_takes_the_next_increment",
    "test_there_and_back",
    "test_two_processes_at_once",
    "test_what_is_captured_is_right",
    "test_what_zfs_diff_leaves_out_did_not_change",
    "test_with_pypis_pyzfs",
}
"""What is left out in the machine unless DOTSCIENCE_ZFS_TESTS is "all".

It is what takes long and of which the tests that are run tell a part: transfers from one workspace
to another are, of those between a workspace and a hub one is.
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a slow machine the time to tell that nothing changed."""
    monkeypatch.setattr("dotscience_jupyter.snapshots.native.engine._PATIENCE", 120.0)
    monkeypatch.setattr("dotscience_jupyter.snapshots.zfs.engine._PATIENCE", 120.0)


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """A pool of our own."""
    with new_pool() as pool:
        yield pool


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the machine run a part of the tests only, unless all are asked for."""
    if os.environ.get("DOTSCIENCE_ZFS_TESTS", "all") == "all":
        return
    from test_zfs_suite import CORE

    suite = [item for item in items if item.path.name == "test_zfs_suite.py"]
    names = {getattr(item, "originalname", item.name) for item in suite}
    assert not suite or names >= CORE, f"no such tests: {sorted(CORE - names)}"
    dropped = [item for item in suite if getattr(item, "originalname", item.name) not in CORE]
    dropped += [item for item in items if getattr(item, "originalname", item.name) in LONG]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]
