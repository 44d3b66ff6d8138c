# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The adapter on a real pool: OpenZFS's binding, PyPI's, and none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from exercise import exercise
from zfs_world import Pool, zfs

from dotscience_jupyter.snapshots.zfs import binding, command
from dotscience_jupyter.snapshots.zfs.libzfs import Libzfs


def test_with_openzfs_own_binding(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All goes through it: the command is needed only to destroy what is mounted."""
    try:
        found = binding.load()
    except binding.NoBindingError as error:
        if "DOTSCIENCE_ZFS_TOOLS" in os.environ:
            raise  # the machine has it
        pytest.skip(str(error))
    if not found.own:
        pytest.skip("PyPI's pyzfs is installed here, and OpenZFS's own binding is not")
    assert found.version.startswith("2.")
    zfs("create", f"{pool.root}/own")
    commands = []
    start = command.start

    def counted(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        commands.append(arguments)
        return start(*arguments, **options)

    monkeypatch.setattr(command, "start", counted)
    libzfs = Libzfs(found)
    exercise(libzfs, f"{pool.root}/own")
    assert commands == [("destroy", f"{pool.root}/own/one")], "refused: it had snapshots"
    mounted = pool.volume(tmp_path / "mounted")
    assert os.path.ismount(tmp_path / "mounted")
    libzfs.destroy(mounted)
    assert not os.path.ismount(tmp_path / "mounted")
    assert not libzfs.exists(mounted)
    assert commands[1:] == [("destroy", mounted)]


def test_with_the_command_alone(pool: Pool) -> None:
    zfs("create", f"{pool.root}/none")
    exercise(Libzfs(None), f"{pool.root}/none")


def test_with_pypis_pyzfs(pool: Pool) -> None:
    tools = os.environ.get("DOTSCIENCE_ZFS_TOOLS")
    if tools is None:
        pytest.skip("needs pyzfs 0.2.3, which the machine has")
    zfs("create", f"{pool.root}/pypi")
    program = Path(__file__).with_name("exercise.py")
    checkout = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), "pyzfs", f"{pool.root}/pypi"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tools}/pyzfs:{checkout}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
